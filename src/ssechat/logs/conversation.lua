-- What a conversation's log does with a message. Included by the scripts that append.
--
-- A script is given the conversation's key and makes the names of its other keys from it: they have the same hash
-- tag, so they are in the same slot, and neither travel nor are parsed.

-- Key:       conversation
-- Arguments: sender:client_msg_id, digest of the request (16 bytes), tag, this week,
--            the message's JSON up to the seq, and from behind the version
local APPEND_ARGUMENTS = 6

-- A week's record of client_msg_ids is asked for until the end of the next week.
local REMEMBERED = 3 * 7 * 24 * 3600

local function number(entry)
  return tonumber(string.match(entry, '^%d+'))
end

-- The weeks that may have records: those noted, and, where this one is not among them, those around it, too. For a
-- worker whose clock is ahead, or one of an older version, may have written without a note that this one can rely on.
local function weeks_of(state, week)
  local weeks = state.weeks or ''
  if state.seq and not string.find(weeks, week, 1, true) then
    weeks = string.format('%s %d %d %d', weeks, week - 1, week, week + 1)
  end
  return weeks
end

-- {'repeat', message, delivered, head} or {'conflict'}, if this client_msg_id was used before; else nothing,
-- and the conversation's state.
local function sent_before(k, a)
  local conversation = KEYS[k]
  local found = redis.call('HMGET', conversation, 'seq', 'head', 'delivered', 'weeks')
  local state = {seq = found[1], head = found[2] or '0-0', weeks = found[4]}
  for week in string.gmatch(weeks_of(state, ARGV[a + 3]), '%d+') do
    local sent = redis.call('HGET', conversation .. ':sent:' .. week, ARGV[a])
    if sent then
      if string.sub(sent, 1, 16) ~= ARGV[a + 1] then
        return {'conflict'}
      end
      local message = redis.call('HGET', conversation .. ':messages', string.sub(sent, 17))
      return {'repeat', message, found[3] or '0', state.head}
    end
  end
  return nil, state
end

-- Gives the message the next place, up to the conversation's own note of it, which is `settle`'s.
-- Returns its seq, its pos, its entry's id, and the message.
local function append(k, a, state)
  local conversation = KEYS[k]
  local seq = string.format('%.0f', (tonumber(state.seq) or 0) + 1)
  local pos = string.format('%.0f', number(state.head) + 1)
  local entry = pos .. '-' .. ARGV[a + 2]
  local message = ARGV[a + 4] .. seq .. ',"version":' .. pos .. ARGV[a + 5]
  -- First the writes that can fail, so that nothing is half done. Without the right to HSET: the message's own, which
  -- nobody reads before the log leads to it. Then XADD: an id that is not above the log's last one.
  redis.call('HSET', conversation .. ':messages', seq, message)
  redis.call('XADD', conversation .. ':log', entry, 'kind', 'message', 'seq', seq)
  redis.call('HSET', conversation .. ':sent:' .. ARGV[a + 3], ARGV[a], ARGV[a + 1] .. seq)
  return seq, pos, entry, message
end

-- Notes the newest message, and that all members have it if they do: one write for both.
local function settle(k, a, state, seq, pos, entry, delivered)
  local conversation, week = KEYS[k], ARGV[a + 3]
  local note = {'HSET', conversation, 'seq', seq, 'head', entry}
  if delivered then
    note[7], note[8] = 'delivered', pos
  end
  if not string.find(state.weeks or '', week, 1, true) then
    -- The first of a week. A week is noted for as long as it has records. Nothing may fail here, where the message has
    -- its place: a record that may not expire stays, and a week that cannot be asked for is noted.
    optional('EXPIRE', conversation .. ':sent:' .. week, REMEMBERED)
    local weeks = week
    for other in string.gmatch(weeks_of(state, week), '%d+') do
      if not string.find(weeks, other, 1, true) and optional('EXISTS', conversation .. ':sent:' .. other) ~= 0 then
        weeks = weeks .. ' ' .. other
      end
    end
    note[#note + 1], note[#note + 2] = 'weeks', weeks
    note[#note + 1], note[#note + 2] = 'type', string.match(conversation, '^{c:(%a+)')
  end
  redis.call(unpack(note))
end
