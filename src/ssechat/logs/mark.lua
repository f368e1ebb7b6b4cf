-- Stores the number of the log's entry up to which all members have the entries. The number never decreases.
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
