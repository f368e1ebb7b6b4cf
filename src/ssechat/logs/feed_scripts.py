"""The scripts that make, read and delete a feed. What publishes in one is logs/feeds.lua."""

from ssechat.logs.feed_terms import FIELDS

STATE = f"""
local state = redis.call('HMGET', KEYS[1], {", ".join(f"'{field}'" for field in FIELDS)})
"""

READ = (
    STATE
    + """
local from, count, room, found = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), {}
while #found < count do
  local wanted = math.min(16, count - #found)
  local some = redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', wanted)
  for _, entry in ipairs(some) do
    room = room - #entry[2][4] - tonumber(ARGV[4])
    if room < 0 and #found > 0 then return {state, found} end
    found[#found + 1] = entry
  end
  if #some < wanted then break end
  from = '(' .. some[#some][1]
end
return {state, found}
"""
)
"""The script stops at the limit, so that Redis sends nothing in vain."""

PUT = (
    STATE
    + """
local who, read, group, keep, keyed, publishers, birth = unpack(ARGV)
if not state[7] then
  redis.call('HSET', KEYS[1], 'by', who, 'read', read, 'group', group, 'keep', keep, 'keyed', keyed,
    'publishers', publishers, 'head', '0-' .. birth, 'epochs', '0-' .. birth, 'floor', '0', 'bytes', '0',
    'count', '0', 'gone', '0', 'turn', '0', 'noted', '0')
  return 'made'
end
if who ~= '' and state[1] ~= who then return 'forbidden' end
if state[5] ~= keyed then return 'keyed' end
local narrows = state[2] ~= read or state[3] ~= group
redis.call('HSET', KEYS[1], 'read', read, 'group', group, 'keep', keep, 'publishers', publishers)
return narrows and 'changed' or 'kept'
"""
)

DELETE = """
local by = redis.call('HGET', KEYS[1], 'by')
if not by then return 'unknown' end
if ARGV[1] ~= '' and by ~= ARGV[1] then return 'forbidden' end
for _, key in ipairs(KEYS) do redis.call('DEL', key) end
return 'deleted'
"""

RESERVE = """
local name, who = ARGV[1], ARGV[2]
local by = redis.call('HGET', KEYS[1], name)
if by then return (who == '' or by == who) and 'ok' or 'forbidden' end
local all, own = redis.call('HGET', KEYS[1], '/') or 0, redis.call('HGET', KEYS[1], '/' .. who) or 0
if tonumber(all) >= tonumber(ARGV[3]) then return 'full' end
if who ~= '' and tonumber(own) >= tonumber(ARGV[4]) then return 'too many' end
redis.call('HSET', KEYS[1], name, who, '/' .. who, own + 1)
redis.call('HSET', KEYS[1], '/', all + 1)
return 'ok'
"""
"""Notes a feed before it is made, so that there are never more than may be."""

RELEASE = """
local name = ARGV[1]
local by = redis.call('HGET', KEYS[1], name)
if not by then return 'ok' end
redis.call('HDEL', KEYS[1], name)
if by ~= '' then
  local own = (redis.call('HGET', KEYS[1], '/' .. by) or 1) - 1
  if own > 0 then redis.call('HSET', KEYS[1], '/' .. by, own) else redis.call('HDEL', KEYS[1], '/' .. by) end
end
redis.call('HSET', KEYS[1], '/', math.max(0, (redis.call('HGET', KEYS[1], '/') or 1) - 1))
return 'ok'
"""
