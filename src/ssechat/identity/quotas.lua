-- Rate limits whose buckets refill evenly (the generic cell rate algorithm, ITU-T I.371). The key of a bucket holds the
-- time at which the bucket is full again, in microseconds of Redis's clock; a full bucket has no key.
-- Arguments: the action; its three arguments, see below; then the limit (0: none) and the window of each bucket, seconds
-- `take`     Keys: buckets. Takes one attempt from each bucket, or from none if one of them is empty.
-- `refund`   Keys: buckets. Argument: the part of an attempt that each bucket gets back.
-- `sign_in`  Keys: the buckets of a network, of an account, and of the account on this network; the account's known
--            networks. Arguments: the network's digest, the seconds for which a network is known.
--            Takes from the third bucket if the network is known to the account, else from the first two.
-- `remember` Keys: the account's known networks. Arguments: as `sign_in`, then how many networks are kept.
-- Returns:   whether the network is known (1 or 0), the index of the empty bucket or 0, and the milliseconds until that
--            bucket has an attempt again
local now = redis.call('TIME')
now = now[1] * 1000000 + now[2]
local action = ARGV[1]

local function limits(i)
  return tonumber(ARGV[3 + 2 * i]), tonumber(ARGV[4 + 2 * i]) * 1000000
end

local function full_at(i, window)
  local at = tonumber(redis.call('GET', KEYS[i])) or now
  return math.max(now, math.min(at, now + window)) -- bounds the wait after the clock was set back
end

local function keep(i, at)
  if at > now then
    redis.call('SET', KEYS[i], string.format('%.0f', at), 'PX', math.ceil((at - now) / 1000))
  else
    redis.call('DEL', KEYS[i])
  end
end

local function take(first, last)
  local refused, wait, after = 0, 0, {}
  for i = first, last do
    local limit, window = limits(i)
    if limit > 0 then
      after[i] = full_at(i, window) + window / limit
      local missing = after[i] - now - window
      if missing > wait then
        refused, wait = i, missing
      end
    end
  end
  if refused == 0 then
    for i, at in pairs(after) do
      keep(i, at)
    end
  end
  return refused, math.ceil(wait / 1000)
end

if action == 'take' then
  return {0, take(1, #KEYS)}
elseif action == 'refund' then
  for i = 1, #KEYS do
    local limit, window = limits(i)
    if limit > 0 then
      keep(i, full_at(i, window) - window / limit * tonumber(ARGV[2]))
    end
  end
elseif action == 'sign_in' then
  local last = tonumber(redis.call('ZSCORE', KEYS[4], ARGV[2]))
  if last and last > now / 1000000 - tonumber(ARGV[3]) then
    return {1, take(3, 3)}
  end
  return {0, take(1, 2)}
elseif action == 'remember' then
  redis.call('ZADD', KEYS[1], string.format('%.0f', now / 1000000), ARGV[2])
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[4])
  redis.call('EXPIRE', KEYS[1], ARGV[3])
end
return {0, 0, 0}
