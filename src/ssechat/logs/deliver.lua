-- Delivers runs of entries of conversation logs to the inboxes of members.
-- Keys of an item:      those of each user (inbox.lua)
-- Arguments of an item: these, then those of each entry
local TAG, CONVERSATION, BEFORE, FROM_SEQ, USERS, ENTRIES, NEWEST, JOINED, ARGUMENTS = 0, 1, 2, 3, 4, 5, 6, 7, 8
local ID, AT, KIND, SORT, VALUE, DATA = 0, 1, 2, 3, 4, 5
local BY, NAMED, ARGUMENTS_OF_ENTRY = 6, 7, 8  -- who sent the message, whom it mentions, each between spaces; or ''
-- FROM_SEQ: changes of messages up to this seq do not concern these users. NEWEST: of a reset, the seq of the newest
-- message, or ''. JOINED: of a run that begins with the join of these users, the seq of the newest message then, or ''
-- Returns for an item:  the last entry of this conversation in each inbox

local function deliver_to(user, inbox, places, tag, run, from_seq)
  try_to_write(user, tag)
  return deliver(user, inbox, places, tag, '', run, from_seq)
end

local function deliver_item(k, a, users)
  local run = {conversation = ARGV[a + CONVERSATION], before = ARGV[a + BEFORE], entries = {}}
  run.newest = ARGV[a + NEWEST] ~= '' and ARGV[a + NEWEST] or nil
  run.joined = tonumber(ARGV[a + JOINED])
  for i = 1, tonumber(ARGV[a + ENTRIES]) do
    local e = a + ARGUMENTS + (i - 1) * ARGUMENTS_OF_ENTRY
    run.entries[i] = {
      id = ARGV[e + ID], at = ARGV[e + AT], kind = ARGV[e + KIND], sort = ARGV[e + SORT], value = ARGV[e + VALUE],
      data = ARGV[e + DATA], by = ARGV[e + BY] ~= '' and '}' .. ARGV[e + BY] or nil,
      named = ARGV[e + NAMED] ~= '' and ARGV[e + NAMED] or nil,
    }
  end
  local lasts, trouble, from_seq = {}, nil, tonumber(ARGV[a + FROM_SEQ])
  for i = 1, users do
    local user = k + (i - 1) * KEYS_OF_USER
    local key = KEYS[user + USER]
    local ok, last = pcall(deliver_to, key, KEYS[user + INBOX], KEYS[user + PLACES], tag_of(ARGV[a + TAG], key), run,
      from_seq)
    lasts[i] = last
    trouble = not ok and last or trouble
  end
  if trouble then
    error(trouble, 0)  -- the others have theirs: they are found done when this is repeated
  end
  return lasts
end

local answers, k, a = {}, 1, 1
while k <= #KEYS do
  local users = tonumber(ARGV[a + USERS])
  answers[#answers + 1] = answer_of(deliver_item, k, a, users)
  a = a + ARGUMENTS + tonumber(ARGV[a + ENTRIES]) * ARGUMENTS_OF_ENTRY
  k = k + users * KEYS_OF_USER
end
return with_refused(answers)
