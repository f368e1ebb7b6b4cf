-- Appends messages to their conversations' logs, and delivers each to its members' inboxes at once.
--
-- Keys of an item:      as conversation.lua has them; then, of each member, as inbox.lua has them
-- Arguments of an item: as conversation.lua has them; then conversation, inbox limit, wake-up limit,
--                       number of members, whether these are all of them (1 or 0); then of each member
-- Answer of an item:    {'sent', seq, entry, entry before, and of each member 'ok' or the entry it has last}
--                       {'repeat', message, delivered, head}
--                       {'conflict'}
local function send(k, a)
  local found, newest, head = sent_before(k, a)
  if found then
    return found
  end
  local seq, pos, entry, message = append(k, a, newest, head)
  local rest = a + APPEND_ARGUMENTS
  local event = {
    conversation = ARGV[rest], entry = entry, before = head, kind = 'message', reference = seq,
    data = message, inbox_limit = ARGV[rest + 1], wake_up_limit = tonumber(ARGV[rest + 2]),
  }
  local answer, delivered, trouble = {'sent', seq, entry, head}, ARGV[rest + 4] == '1', nil
  for member = 0, ARGV[rest + 3] - 1 do
    local ok, lacks = pcall(deliver, k + APPEND_KEYS + member * MEMBER_KEYS, rest + 5 + member * MEMBER_ARGUMENTS, event)
    answer[#answer + 1] = lacks
    delivered = delivered and lacks == 'ok'
    if not ok then
      trouble = lacks
    end
  end
  settle(k, a, seq, pos, entry, delivered)
  if trouble then
    error(trouble)
  end
  return answer
end

local answers, k, a = {}, 1, 1
while k <= #KEYS do
  local members = ARGV[a + APPEND_ARGUMENTS + 3]
  local ok, answer = pcall(send, k, a)
  answers[#answers + 1] = ok and answer or redis.error_reply(type(answer) == 'table' and answer.err or tostring(answer))
  k = k + APPEND_KEYS + members * MEMBER_KEYS
  a = a + APPEND_ARGUMENTS + 5 + members * MEMBER_ARGUMENTS
end
return answers
