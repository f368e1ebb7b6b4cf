-- Stores the number of the log's entry up to which all members have the entries. The number never decreases, and never
-- exceeds that of the log's newest entry: a late mark may be of a history that the log has lost.
-- Key of an item: conversation. Argument of an item: pos.

local function mark(item)
  local pos, delivered, head = tonumber(ARGV[item]), unpack(call('HMGET', KEYS[item], 'delivered', 'head'))
  if pos > tonumber(delivered or 0) and pos <= number(head or '0-0') then
    call('HSET', KEYS[item], 'delivered', ARGV[item])
  end
  return 'ok'
end

local answers = {}
for item = 1, #KEYS do
  answers[item] = answer_of(mark, item)
end
return answers
