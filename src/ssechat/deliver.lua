-- Delivers entries of conversations' logs to members' inboxes. One slot an item.
--
-- Keys of an item:      as inbox.lua has them
-- Arguments of an item: as inbox.lua has them; then conversation, entry, the entry before it, kind, reference,
--                       data, inbox limit, wake-up limit, the last entry that a reset replaces (empty: no reset)
-- Answer of an item:    'ok' | the entry that the inbox has last of this conversation
local ARGUMENTS_EACH = MEMBER_ARGUMENTS + 9

local function deliver_item(k, a)
  local given = a + MEMBER_ARGUMENTS
  return deliver(k, a, {
    conversation = ARGV[given], entry = ARGV[given + 1], before = ARGV[given + 2], kind = ARGV[given + 3],
    reference = ARGV[given + 4], data = ARGV[given + 5], inbox_limit = ARGV[given + 6],
    wake_up_limit = tonumber(ARGV[given + 7]), replaces = ARGV[given + 8] ~= '' and ARGV[given + 8] or nil,
  })
end

local answers = {}
for item = 0, #KEYS / MEMBER_KEYS - 1 do
  local ok, answer = pcall(deliver_item, item * MEMBER_KEYS + 1, item * ARGUMENTS_EACH + 1)
  answers[item + 1] = ok and answer or redis.error_reply(type(answer) == 'table' and answer.err or tostring(answer))
end
return answers
