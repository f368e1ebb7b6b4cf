-- Appends messages to their conversations' logs, and delivers each to its members' inboxes at once.
--
-- Keys of an item:      as conversation.lua has them; then the members
-- Arguments of an item: as conversation.lua has them; then number of members, whether these are all of them
--                       (1 or 0), and of each a tag
-- Answer of an item:    '<seq> <entry> <entry before>' if all of these members have it
--                       {'lacking', the same, and of each member 'ok' or the entry that it has last}
--                       {'repeat', message, delivered, head}
--                       {'conflict'}
local function send(k, a)
  local found, state = sent_before(k, a)
  if found then
    return found
  end
  local seq, pos, entry, message = append(k, a, state)
  local event = {
    conversation = string.sub(KEYS[k], 4, -2), entry = entry, before = state.head, kind = 'message',
    reference = seq, data = message,
  }
  local place, outcomes, complete, trouble = seq .. ' ' .. entry .. ' ' .. state.head, {}, true, nil
  local rest = a + APPEND_ARGUMENTS
  for member = 1, tonumber(ARGV[rest]) do
    local ok, lacks = pcall(deliver, KEYS[k + member], ARGV[rest + 1 + member], event)
    outcomes[member] = lacks
    complete = complete and lacks == 'ok'
    if not ok then
      trouble = lacks
    end
  end
  settle(k, a, state, seq, pos, entry, complete and ARGV[rest + 1] == '1')
  if trouble then
    error(trouble)
  end
  return complete and place or {'lacking', place, unpack(outcomes)}
end

local answers, k, a = {}, 1, 1
while k <= #KEYS do
  local members = tonumber(ARGV[a + APPEND_ARGUMENTS])
  local ok, answer = pcall(send, k, a)
  answers[#answers + 1] = ok and answer or redis.error_reply(type(answer) == 'table' and answer.err or tostring(answer))
  k = k + 1 + members
  a = a + APPEND_ARGUMENTS + 2 + members
end
return with_refused(answers)
