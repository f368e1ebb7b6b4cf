-- Publishes events to feeds.
-- Keys of an item: those of the feed (keys.of_feed), in this order
local FEED, LOG, LATEST, IDS, KEYS_OF_FEED = 0, 1, 2, 3, 5
-- Arguments of an item: these
local EPOCH, BEGINS, WHO, SENT_AS, DIGEST, EVENT, KEY, DELETES, AT, DATA, ARGUMENTS = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
-- EPOCH: a tag, with which a new epoch begins if BEGINS is 1. WHO: the user, empty: the admin. SENT_AS: <who>:<id>, empty:
-- it has no id. KEY: empty: none. DELETES: 1: the key goes. AT: milliseconds since 1970. DATA: that of the event (JSON).
-- Returns for an item: {'published' | 'repeat', the entry's id, when it was made}, or one word, the reason why not.
--
-- logs/feeds.py defines MOST_KEYS, MOST_BYTES, MOST_EPOCHS, MOST_IDS and IDS_SECONDS before the script.

-- Entries that one event pushes out, at most: `keep` may have been lowered.
local MOST_OUT = 100

-- Whether the id was used before; what became of it then.
local function repeated(k, a)
  local sent_as = ARGV[a + SENT_AS]
  if sent_as == '' then
    return nil
  end
  for at = k + IDS, k + IDS + 1 do
    local known = call('HGET', KEYS[at], sent_as)
    if known then
      local entry, made, digest = match(known, '^(%S+) (%S+) (.*)$')
      return digest == ARGV[a + DIGEST] and {'repeat', entry, made} or {'conflict'}
    end
  end
end

-- Two hashes take turns: when one is full, the older one is forgotten.
local function remember(k, a, entry, turn, noted)
  if ARGV[a + SENT_AS] == '' then
    return turn, noted
  end
  if noted >= MOST_IDS then
    turn, noted = 1 - turn, 0
    call('DEL', KEYS[k + IDS + turn])
  end
  local ids = KEYS[k + IDS + turn]
  call('HSET', ids, ARGV[a + SENT_AS], entry .. ' ' .. ARGV[a + AT] .. ' ' .. ARGV[a + DIGEST])
  call('EXPIRE', ids, IDS_SECONDS)
  return turn, noted + 1
end

-- Takes away what is known of deleted keys, but for this entry; returns the number up to which readers may lack some.
local function forget_deleted(k, entry, floor)
  local latest = call('HGETALL', KEYS[k + LATEST])
  for i = 1, #latest, 2 do
    local old = match(latest[i + 1], '^(%S+) 0$')
    if old and old ~= entry then
      call('XDEL', KEYS[k + LOG], old)
      call('HDEL', KEYS[k + LATEST], latest[i])
      floor = math.max(floor, number(old))
    end
  end
  return floor
end

local function publish(k, a)
  local feed = KEYS[k + FEED]
  local log = KEYS[k + LOG]
  local by, publishers, keyed, keep, head, epochs, floor, bytes, count, gone, turn, noted = unpack(
    call('HMGET', feed, 'by', 'publishers', 'keyed', 'keep', 'head', 'epochs', 'floor', 'bytes', 'count', 'gone',
      'turn', 'noted'))
  if not head then
    return {'unknown'}
  end
  local before = repeated(k, a)
  if before then
    return before
  end
  local who, key, data = ARGV[a + WHO], ARGV[a + KEY], ARGV[a + DATA]
  if who ~= '' and who ~= by and not string.find(publishers, ' ' .. who .. ' ', 1, true) then
    return {'forbidden'}
  end
  if keyed == '1' and key == '' then
    return {'keyless'}
  elseif keyed ~= '1' and key ~= '' then
    return {'keyed'}
  end
  floor, bytes, count, gone, turn, noted =
    tonumber(floor), tonumber(bytes), tonumber(count), tonumber(gone), tonumber(turn), tonumber(noted)
  local n = after(head)
  local tag = match(epochs, '(%d+)$')
  if ARGV[a + BEGINS] == '1' then
    tag = ARGV[a + EPOCH]
    epochs = epochs .. ' ' .. n .. '-' .. tag
    if select(2, string.gsub(epochs, ' ', '')) >= MOST_EPOCHS then
      epochs = match(epochs, '^%S+ (.*)$')
    end
  end
  local entry, size = n .. '-' .. tag, #data
  if keyed == '1' then
    local deletes, known = ARGV[a + DELETES] == '1', call('HGET', KEYS[k + LATEST], key)
    local old, old_size
    if known then
      old, old_size = match(known, '^(%S+) (%d+)$')
      old_size = tonumber(old_size)
      bytes = bytes - old_size
      count, gone = count - (old_size > 0 and 1 or 0), gone - (old_size > 0 and 0 or 1)
    end
    if deletes then
      gone, size = gone + 1, 0
    else
      count, bytes = count + 1, bytes + size
      if count > MOST_KEYS then
        return {'too many keys'}
      elseif bytes > MOST_BYTES then
        return {'too many bytes'}
      end
    end
    -- This write comes first because it can fail, if the id is not above the last one of the log.
    call('XADD', log, entry, 'event', ARGV[a + EVENT], 'data', data, 'deletes', ARGV[a + DELETES])
    call('HSET', KEYS[k + LATEST], key, entry .. ' ' .. size)
    if old then
      call('XDEL', log, old)
    end
    if gone > MOST_KEYS then
      floor, gone = forget_deleted(k, entry, floor), 1
    end
  else
    call('XADD', log, entry, 'event', ARGV[a + EVENT], 'data', data, 'deletes', '')
    bytes, keep = bytes + size, tonumber(keep)
    for _ = 1, MOST_OUT do
      if tonumber(n) - floor <= keep and bytes <= MOST_BYTES then
        break
      end
      local first = call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
      call('XDEL', log, first[1])
      bytes, floor = bytes - #first[2][4], number(first[1])
    end
  end
  turn, noted = remember(k, a, entry, turn, noted)
  call('HSET', feed, 'head', entry, 'epochs', epochs, 'floor', string.format('%.0f', floor), 'bytes', bytes,
    'count', count, 'gone', gone, 'turn', turn, 'noted', noted)
  optional('PUBLISH', feed .. '/live',
    ARGV[a + EVENT] .. ' ' .. ARGV[a + AT] .. ' ' .. entry .. ' ' .. head .. '\n' .. data)
  return {'published', entry, ARGV[a + AT]}
end

local answers, a = {}, 1
for k = 1, #KEYS, KEYS_OF_FEED do
  answers[#answers + 1] = answer_of(publish, k, a)
  a = a + ARGUMENTS
end
return with_refused(answers)
