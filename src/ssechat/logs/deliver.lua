-- Delivers runs of entries of conversation logs to the inboxes of members. The keys of an item share one hash slot.
-- Keys of an item:      those of the user (inbox.lua)
-- Arguments of an item: these, then those of each entry
local TAG, CONVERSATION, BEFORE, ENTRIES, ARGUMENTS = 0, 1, 2, 3, 4
local ID, AT, KIND, SORT, VALUE, DATA, ARGUMENTS_OF_ENTRY = 0, 1, 2, 3, 4, 5, 6
-- Returns for an item:  the last entry of this conversation in the inbox

local function deliver_item(k, a)
  local run = {conversation = ARGV[a + CONVERSATION], before = ARGV[a + BEFORE], entries = {}}
  for i = 1, tonumber(ARGV[a + ENTRIES]) do
    local e = a + ARGUMENTS + (i - 1) * ARGUMENTS_OF_ENTRY
    run.entries[i] = {
      id = ARGV[e + ID], at = ARGV[e + AT], kind = ARGV[e + KIND], sort = ARGV[e + SORT], value = ARGV[e + VALUE],
      data = ARGV[e + DATA],
    }
  end
  -- HSET comes first: an ACL user without the right to it must fail before the item is half done.
  local user = KEYS[k + USER]
  local head, birth = unpack(redis.call('HMGET', user, 'head', 'birth'))
  redis.call('HSET', user, head and 'head' or 'birth', head or birth or ARGV[a + TAG])
  return deliver(k, ARGV[a + TAG], run)
end

local answers, k, a = {}, 1, 1
while k <= #KEYS do
  answers[#answers + 1] = answer_of(deliver_item, k, a)
  a = a + ARGUMENTS + tonumber(ARGV[a + ENTRIES]) * ARGUMENTS_OF_ENTRY
  k = k + KEYS_OF_USER
end
return with_refused(answers)
