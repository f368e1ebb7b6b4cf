-- Changes the lists of those whom users block. Each change is an event in the user's inbox, for its other devices.
-- Keys of an item:      the user's, its inbox, and its list
local LIST = 2
-- Arguments of an item: these
local TAG, AT, CONVERSATION, OTHER, BLOCKED, DATA, ARGUMENTS = 0, 1, 2, 3, 4, 5, 6
-- CONVERSATION: of the two. BLOCKED: 1 or 0. DATA: of the event (JSON).
-- blocks.py defines KIND, of the event, before the script.
-- Returns for an item:  1 if the list has changed, else 0

local function change(k, a)
  local list, other = KEYS[k + LIST], ARGV[a + OTHER]
  local wanted = ARGV[a + BLOCKED] == '1'
  if (call('ZSCORE', list, other) and true or false) == wanted then
    return 0
  end
  -- Fails, if the change would, before anything is written: Redis refuses a command.
  call('ZADD', list, 'XX', 0, '')
  call('ZREM', list, '')
  tell_oneself(KEYS[k + USER], KEYS[k + INBOX], ARGV[a + TAG], ARGV[a + AT], ARGV[a + CONVERSATION], KIND,
    ARGV[a + DATA])
  if wanted then
    call('ZADD', list, 0, other)
  else
    call('ZREM', list, other)
  end
  return 1
end

local answers, a = {}, 1
for k = 1, #KEYS, LIST + 1 do
  answers[#answers + 1] = answer_of(change, k, a)
  a = a + ARGUMENTS
end
return with_refused(answers)
