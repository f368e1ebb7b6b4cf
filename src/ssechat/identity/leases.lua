-- Leases deliveries out of a user's quota to a worker. The quota refills evenly, as those of quotas.lua; its key holds
-- the time at which it is full again, in microseconds of Redis's clock, and a full one has no key.
-- Key:       of the quota.
-- Arguments: the limit and its window (seconds); the deliveries that were made beyond those leased before, which are
--            counted in any case; those that the worker would like to lease, and the fewest that are worth it.
-- Returns:   the deliveries that are leased, and if there are none, the milliseconds until there are the fewest.
local LONGEST = 16 -- windows that a user may have to wait; also when the clock was set back
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2]) * 1000000
local owed, wanted, fewest = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local now = redis.call('TIME')
now = now[1] * 1000000 + now[2]
local each = window / limit
local full_at = math.max(now, tonumber(redis.call('GET', KEYS[1])) or now) + owed * each
full_at = math.min(full_at, now + LONGEST * window)
local leased = math.min(wanted, math.floor((now + window - full_at) / each + 0.001))
if leased < fewest then
  leased = 0
end
full_at = full_at + leased * each
if full_at > now then
  redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'PX', math.ceil((full_at - now) / 1000))
else
  redis.call('DEL', KEYS[1])
end
return {leased, leased > 0 and 0 or math.max(1, math.ceil((full_at + fewest * each - now - window) / 1000))}
