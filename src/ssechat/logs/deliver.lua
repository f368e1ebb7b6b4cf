-- Delivers entries of conversations' logs to members' inboxes. One slot an item.
--
-- Key of an item:       user
-- Arguments of an item: tag, conversation, entry, the entry before it, kind, reference, data,
--                       the last entry that a reset replaces (empty: no reset)
-- Answer of an item:    'ok' | the entry that the inbox has last of this conversation
local ARGUMENTS_EACH = 8

local function deliver_item(k, a)
  -- First what would be refused half-way to a user with rights to some of the commands: nothing is to be half done.
  local head = redis.call('HGET', KEYS[k], 'head')
  if head then
    redis.call('HSET', KEYS[k], 'head', head)
  end
  return deliver(KEYS[k], ARGV[a], {
    conversation = ARGV[a + 1], entry = ARGV[a + 2], before = ARGV[a + 3], kind = ARGV[a + 4],
    reference = ARGV[a + 5], data = ARGV[a + 6], replaces = ARGV[a + 7] ~= '' and ARGV[a + 7] or nil,
  })
end

local answers = {}
for k = 1, #KEYS do
  local ok, answer = pcall(deliver_item, k, (k - 1) * ARGUMENTS_EACH + 1)
  answers[k] = ok and answer or redis.error_reply(type(answer) == 'table' and answer.err or tostring(answer))
end
return with_refused(answers)
