-- What a conversation's log does with a message. Included by the scripts that append.

-- Keys:      conversation, log, messages, sent last week, sent this week, sent next week
--   (three weeks, because two workers may disagree about the week by the skew of their clocks)
-- Arguments: sender:client_msg_id, digest of the request (16 bytes), tag, type,
--            the message's JSON up to the seq, and from behind the version, seconds to remember
local APPEND_KEYS, APPEND_ARGUMENTS = 6, 7

-- {'repeat', message, delivered, head} or {'conflict'}, if this client_msg_id was used before; else nothing,
-- and the conversation's newest seq and head.
local function sent_before(k, a)
  local state = redis.call('HMGET', KEYS[k], 'seq', 'head', 'delivered')
  local head = state[2] or '0-0'
  for week = 3, 5 do
    local sent = redis.call('HGET', KEYS[k + week], ARGV[a])
    if sent then
      if string.sub(sent, 1, 16) ~= ARGV[a + 1] then
        return {'conflict'}
      end
      return {'repeat', redis.call('HGET', KEYS[k + 2], string.sub(sent, 17)), state[3] or '0', head}
    end
  end
  return nil, tonumber(state[1]) or 0, head
end

-- Gives the message the next place, up to the conversation's own note of it, which is `settle`'s.
-- Returns its seq, its pos, its entry's id, and the message.
local function append(k, a, newest, head)
  local seq = string.format('%.0f', newest + 1)
  local pos = string.format('%.0f', tonumber(string.match(head, '^%d+')) + 1)
  local entry = pos .. '-' .. ARGV[a + 2]
  local message = ARGV[a + 4] .. seq .. ',"version":' .. pos .. ARGV[a + 5]
  -- First the write that can fail: an id that is not above the log's last one.
  redis.call('XADD', KEYS[k + 1], entry, 'kind', 'message', 'seq', seq)
  redis.call('HSET', KEYS[k + 2], seq, message)
  local now = KEYS[k + 4]
  redis.call('HSET', now, ARGV[a], ARGV[a + 1] .. seq)
  if redis.call('HLEN', now) == 1 then
    redis.call('EXPIRE', now, ARGV[a + 6])
  end
  return seq, pos, entry, message
end

-- Notes the newest message, and that all members have it if they do: one write for both.
local function settle(k, a, seq, pos, entry, delivered)
  if delivered then
    redis.call('HSET', KEYS[k], 'type', ARGV[a + 3], 'seq', seq, 'head', entry, 'delivered', pos)
  else
    redis.call('HSET', KEYS[k], 'type', ARGV[a + 3], 'seq', seq, 'head', entry)
  end
end
