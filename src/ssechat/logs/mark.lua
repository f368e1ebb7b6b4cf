-- Notes up to where all members have a conversation's log. Never goes down, nor beyond the log's newest entry: what is
-- noted late is of no other history.
-- Key of an item: conversation. Argument of an item: pos.

local function mark(key, pos)
  local delivered, head = unpack(redis.call('HMGET', key, 'delivered', 'head'))
  if tonumber(pos) > tonumber(delivered or 0) and tonumber(pos) <= number(head or '0-0') then
    redis.call('HSET', key, 'delivered', pos)
  end
  return 'ok'
end

local answers = {}
for item = 1, #KEYS do
  answers[item] = answer_of(mark, KEYS[item], ARGV[item])
end
return answers
