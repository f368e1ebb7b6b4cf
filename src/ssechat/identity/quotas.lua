-- Quotas that refill evenly. Of each bucket the time is kept at which it will be full again, in microseconds of Redis's
-- clock, for as long as it is not full (the generic cell rate algorithm, ITU-T I.371).
--
-- Arguments: what to do; its own three, as below; then of each bucket its limit (0: none) and its window (seconds)
-- `take`     Keys: buckets. Takes one from each, or none if one is empty.
-- `give`     Keys: buckets. Gives back so much of one (2nd argument).
-- `enter`    Keys: buckets of an address, of an account, and of the account at this place; the account's places.
--            Arguments: the place, the seconds for which a place is remembered.
--            Takes from the last bucket if the account has come in from this place before, else from the others.
-- `remember` Keys: the account's places. Arguments: as `enter`, then how many places an account has at most.
-- Answer:    whether the account is known at this place, the number of a bucket that is empty or 0, and in how many
--            milliseconds there will be one in it
local now = redis.call('TIME')
now = now[1] * 1000000 + now[2]
local what = ARGV[1]

local function limits(i)
  return tonumber(ARGV[3 + 2 * i]), tonumber(ARGV[4 + 2 * i]) * 1000000
end

local function full_at(i, window)
  local at = tonumber(redis.call('GET', KEYS[i])) or now
  return math.max(now, math.min(at, now + window)) -- a clock that was set back keeps nobody out for longer
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

if what == 'take' then
  return {0, take(1, #KEYS)}
elseif what == 'give' then
  for i = 1, #KEYS do
    local limit, window = limits(i)
    if limit > 0 then
      keep(i, full_at(i, window) - window / limit * tonumber(ARGV[2]))
    end
  end
elseif what == 'enter' then
  local last = tonumber(redis.call('ZSCORE', KEYS[4], ARGV[2]))
  if last and last > now / 1000000 - tonumber(ARGV[3]) then
    return {1, take(3, 3)}
  end
  return {0, take(1, 2)}
elseif what == 'remember' then
  redis.call('ZADD', KEYS[1], string.format('%.0f', now / 1000000), ARGV[2])
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[4])
  redis.call('EXPIRE', KEYS[1], ARGV[3])
end
return {0, 0, 0}
