-- Changes accounts. A change of a profile is an event in the user's inbox, for the user's other devices.
-- Keys of an item:      those of the user (inbox.lua)
-- Arguments of an item: these, then of each field its name and its value; an empty value takes the field away
-- account_log.py defines KIND, of the event, and BEFORE and BEHIND, its data around the version, before the script.
local TAG, AT, NOTES, FIELDS, FIRST = 0, 1, 2, 3, 4
-- NOTES: the conversation of the user's notes: an entry of an inbox is in a conversation. FIELDS: how many there are.
-- Returns for an item: the version of the profile
local VERSION = 'profile_version'

local function change_profile(k, a)
  local user, changed = KEYS[k + USER], false
  local version = call('HGET', user, VERSION) or '0'
  for at = a + FIRST, a + FIRST + 2 * ARGV[a + FIELDS] - 2, 2 do
    changed = changed or (call('HGET', user, ARGV[at]) or '') ~= ARGV[at + 1]
  end
  if not changed then
    return version
  end
  version = after(version)
  tell_oneself(user, KEYS[k + INBOX], ARGV[a + TAG], ARGV[a + AT], ARGV[a + NOTES], KIND, BEFORE .. version .. BEHIND)
  call('HSET', user, VERSION, version)
  for at = a + FIRST, a + FIRST + 2 * ARGV[a + FIELDS] - 2, 2 do
    if ARGV[at + 1] == '' then
      call('HDEL', user, ARGV[at])
    else
      call('HSET', user, ARGV[at], ARGV[at + 1])
    end
  end
  return version
end

local answers, a = {}, 1
for k = 1, #KEYS, KEYS_OF_USER do
  answers[#answers + 1] = answer_of(change_profile, k, a)
  a = a + FIRST + 2 * ARGV[a + FIELDS]
end
return with_refused(answers)
