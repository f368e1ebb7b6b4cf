-- Appends messages to their conversations' logs. One slot an item; items do not see one another.
--
-- Keys of an item:      conversation, log, messages, sent last week, sent this week, sent next week
--   (three weeks, because two workers may disagree about the week by the skew of their clocks)
-- Arguments of an item: sender:client_msg_id, digest of the request (16 bytes), tag, type,
--                       the message's JSON up to the seq, and from behind the version, seconds to remember
-- Answer of an item:    {'sent', seq, entry, entry before, message}
--                       {'repeat', message, delivered, head}
--                       {'conflict'}
local KEYS_EACH, ARGUMENTS_EACH = 6, 7

local function append(k, a)
  local conversation, log, messages = KEYS[k], KEYS[k + 1], KEYS[k + 2]
  local request, digest, tag, kind = ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3]
  local state = redis.call('HMGET', conversation, 'seq', 'head', 'delivered')
  local before = state[2] or '0-0'

  for week = 3, 5 do
    local sent = redis.call('HGET', KEYS[k + week], request)
    if sent then
      if string.sub(sent, 1, 16) ~= digest then
        return {'conflict'}
      end
      local message = redis.call('HGET', messages, string.sub(sent, 17))
      return {'repeat', message, state[3] or '0', before}
    end
  end

  local seq = string.format('%.0f', (tonumber(state[1]) or 0) + 1)
  local pos = string.format('%.0f', tonumber(string.match(before, '^%d+')) + 1)
  local entry = pos .. '-' .. tag
  local message = ARGV[a + 4] .. seq .. ',"version":' .. pos .. ARGV[a + 5]
  -- First the write that can fail: an id that is not above the log's last one.
  redis.call('XADD', log, entry, 'kind', 'message', 'seq', seq)
  redis.call('HSET', conversation, 'type', kind, 'seq', seq, 'head', entry)
  redis.call('HSET', messages, seq, message)
  local now = KEYS[k + 4]
  redis.call('HSET', now, request, digest .. seq)
  if redis.call('HLEN', now) == 1 then
    redis.call('EXPIRE', now, ARGV[a + 6])
  end
  return {'sent', seq, entry, before, message}
end

local answers = {}
for item = 0, #KEYS / KEYS_EACH - 1 do
  local ok, answer = pcall(append, item * KEYS_EACH + 1, item * ARGUMENTS_EACH + 1)
  answers[item + 1] = ok and answer or redis.error_reply(type(answer) == 'table' and answer.err or tostring(answer))
end
return answers
