-- Notes up to which event of its inbox a device of a user has it, and so up to which message of each conversation.
-- Keys of an item:      those of the user (inbox.lua)
-- Arguments of an item: these, then so many conversations
local ID, WHAT, COUNT, ARGUMENTS = 0, 1, 2, 3
-- ID: of the event. WHAT: a number: those conversations count of which the events since the last ack are, the newest so
-- many; 'some' or 'last': those count that are named, and others will follow, or not.
-- Returns for an item: 'unknown' (the inbox has no such event), or {number of the event that was acked before, 1 if more
-- events have come since than WHAT, and each conversation of which a device has more now}

-- Of each conversation among these entries: its newest message, or false if they are of other kinds.
local function newest_messages(entries)
  local newest, found = {}, {}
  for i = #entries, 1, -1 do
    local _, conversation, _, _, sort, value = unpack(entries[i][2])
    if newest[conversation] == nil then
      newest[conversation] = false
      found[#found + 1] = conversation
    end
    if sort == 'message' and not newest[conversation] then
      newest[conversation] = value
    end
  end
  return newest, found
end

local function ack(k, a, count)
  local user, id, what, answer = KEYS[k + USER], ARGV[a + ID], ARGV[a + WHAT], {}
  local birth, acked = unpack(call('HMGET', user, 'birth', 'acked'))
  acked = acked or '0'
  if id == '0-' .. (birth or '') then
    return {acked, '0'}
  end
  if #call('XRANGE', KEYS[k + INBOX], id, id) == 0 then
    return 'unknown'
  end
  local n = tonumber(match(id, '^%d+'))
  if n <= tonumber(acked) then
    return {acked, '0'}
  end
  local newest, found, more = {}, {}, what == 'some'
  if tonumber(what) then
    local first = math.max(tonumber(acked), n - tonumber(what)) + 1  -- numbers are contiguous
    newest, found = newest_messages(call('XRANGE', KEYS[k + INBOX], first, id))
    more = first > tonumber(acked) + 1
  else
    for i = 1, count do
      found[i] = ARGV[a + ARGUMENTS + i - 1]
    end
  end
  for _, conversation in ipairs(found) do
    local place = call('HGET', KEYS[k + PLACES], conversation)
    local entry, n_then, seq, mark = match(place or '0-0 0 0', '^(%S+) (%S+) (%S+)(.*)$')
    local read, muted, mentions, delivered = mark_of(mark)
    -- If the conversation had nothing after this event, the device has all of it.
    local up_to = newest[conversation] or tonumber(n_then) <= n and seq or 0
    up_to = math.min(tonumber(up_to), tonumber(seq))
    if up_to > math.max(tonumber(read), tonumber(delivered)) then
      call('HSET', KEYS[k + PLACES], conversation,
        entry .. ' ' .. n_then .. ' ' .. seq .. text_of(read, muted, mentions, up_to))
      answer[#answer + 1] = conversation
    end
  end
  if not more then
    call('HSET', user, 'acked', n)
  end
  return {acked, more and '1' or '0', unpack(answer)}
end

local answers, a = {}, 1
for k = 1, #KEYS, KEYS_OF_USER do
  local count = tonumber(ARGV[a + COUNT])
  answers[#answers + 1] = answer_of(ack, k, a, count)
  a = a + ARGUMENTS + count
end
return with_refused(answers)
