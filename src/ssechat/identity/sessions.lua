-- Begins a session, and makes room for it.
-- Keys:      the account of a user; its sessions: id → `<begun> <expires> <seen> <agent>`, milliseconds since 1970
-- Arguments: the time; the id of the session, and its value; how many a user may have; the hash of the password that was
--            checked, or nothing
-- Returns:   the ids of those that were ended: the ones that were not seen for the longest; nil if the password has been
--            changed since it was checked
local now, most = tonumber(ARGV[1]), tonumber(ARGV[4])
if ARGV[5] ~= '' and redis.call('HGET', KEYS[1], 'password') ~= ARGV[5] then
  return nil
end
local all, last, others, ended = redis.call('HGETALL', KEYS[2]), now, {}, {}

local function times(value)
  local expires, seen = string.match(value, '^%d+ (%d+) (%d+) ')
  return tonumber(expires), tonumber(seen)
end

for i = 1, #all, 2 do
  local expires, seen = times(all[i + 1])
  if expires <= now then
    redis.call('HDEL', KEYS[2], all[i])
  else
    others[#others + 1] = {all[i], seen}
    last = math.max(last, expires)
  end
end
table.sort(others, function(one, other) return one[2] < other[2] end)
for i = 1, #others - most + 1 do
  redis.call('HDEL', KEYS[2], others[i][1])
  ended[#ended + 1] = others[i][1]
end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
redis.call('EXPIRE', KEYS[2], math.ceil((math.max(last, (times(ARGV[3]))) - now) / 1000))
return ended
