-- Notes up to where all members have a conversation's log. Never goes down.
-- Key of an item: conversation. Argument of an item: pos.
local answers = {}
for item = 1, #KEYS do
  local delivered = tonumber(redis.call('HGET', KEYS[item], 'delivered')) or 0
  if tonumber(ARGV[item]) > delivered then
    redis.call('HSET', KEYS[item], 'delivered', ARGV[item])
  end
  answers[item] = 'ok'
end
return answers
