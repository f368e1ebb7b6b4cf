-- Delivers entries of conversations' logs to members' inboxes. One slot an item.
--
-- Keys of an item:      user, inbox, the user's conversations
-- Arguments of an item: conversation, entry, the entry before it, tag, kind, reference,
--                       channel, the event's frame (empty: the wake-up is a reference only), inbox limit,
--                       the last entry that a reset replaces (empty: no reset)
-- Answer of an item:    'delivered' | 'already' | the entry that the inbox has last of this conversation
--
-- Only what follows the last entry that the inbox has is appended. A reset (the log was rolled back or
-- trimmed under the inbox) is appended where the inbox still has that one last entry.
--
-- A wake-up is `<id> <id of the event before it>`, a line feed, and the frame.
local KEYS_EACH, ARGUMENTS_EACH = 3, 10

local function deliver(k, a)
  local user, inbox, conversations = KEYS[k], KEYS[k + 1], KEYS[k + 2]
  local conversation, entry, before, tag = ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3]
  local has = redis.call('HGET', conversations, conversation)
  local last = has and string.match(has, '^%S+') or '0-0'
  if last == entry then
    return 'already'
  elseif ARGV[a + 9] == '' and last ~= before or ARGV[a + 9] ~= '' and last ~= ARGV[a + 9] then
    return last
  end
  local head = redis.call('HGET', user, 'head') or '0-0'
  local n = string.format('%.0f', tonumber(string.match(head, '^%d+')) + 1)
  local id = n .. '-' .. tag
  -- First the write that can fail: an id that is not above the inbox's last one.
  redis.call('XADD', inbox, 'MAXLEN', '~', ARGV[a + 8], id, 'in', conversation, 'kind', ARGV[a + 4], 'ref', ARGV[a + 5])
  redis.call('HSET', user, 'head', id)
  redis.call('HSET', conversations, conversation, entry .. ' ' .. n)
  redis.call('PUBLISH', ARGV[a + 6], id .. ' ' .. head .. '\n' .. ARGV[a + 7])
  return 'delivered'
end

local answers = {}
for item = 0, #KEYS / KEYS_EACH - 1 do
  local ok, answer = pcall(deliver, item * KEYS_EACH + 1, item * ARGUMENTS_EACH + 1)
  answers[item + 1] = ok and answer or redis.error_reply(type(answer) == 'table' and answer.err or tostring(answer))
end
return answers
