-- Changes the marks of users. Each change is an event in the user's inbox, for the user's other devices.
-- Keys of an item:      those of the user (inbox.lua)
-- Arguments of an item: these
local TAG, AT, CONVERSATION, JOINED, WHAT, VALUE, BEGINNING, ARGUMENTS = 0, 1, 2, 3, 4, 5, 6, 7
-- JOINED: the newest message when the user joined: up to there nothing is unread. WHAT: 'read' (VALUE is a seq) or 'mute'
-- (1 or 0). BEGINNING: of the event's data (JSON), up to the seq. inbox.py defines KIND, of the event, before the script.
-- Returns for an item: {read, muted, mentions, seq of the newest message, 1 if the mark has changed}

local function change_mark(k, a)
  local conversation, value = ARGV[a + CONVERSATION], ARGV[a + VALUE]
  local place = call('HGET', KEYS[k + PLACES], conversation)
  local entry, n_then, seq, mark = match(place or '0-0 0 0', '^(%S+) (%S+) (%S+)(.*)$')
  local read, muted, mentions, delivered = mark_of(mark)
  local function raise(up_to)
    if up_to > tonumber(read) then
      read, mentions = up_to .. '', between(mentions, up_to, math.huge)
    end
  end
  raise(tonumber(ARGV[a + JOINED]))
  local before = read .. muted
  if ARGV[a + WHAT] == 'mute' then
    muted = value
  else
    raise(math.min(tonumber(value), tonumber(seq)))
  end
  local changed = read .. muted ~= before
  if changed then
    local data = ARGV[a + BEGINNING] .. read .. ',"muted":' .. (muted == '1' and 'true' or 'false') .. '}'
    mark = text_of(read, muted, mentions, delivered)
    local n = tell_oneself(KEYS[k + USER], KEYS[k + INBOX], ARGV[a + TAG], ARGV[a + AT], conversation, KIND, data,
      ' ' .. seq .. mark)
    if not place then
      n_then = n  -- it is listed from now on, so it needs a number of its own
    end
    call('HSET', KEYS[k + PLACES], conversation,
      entry .. ' ' .. n_then .. ' ' .. seq .. mark)
  end
  return {read, muted, mentions, seq, changed and '1' or '0'}
end

local answers, a = {}, 1
for k = 1, #KEYS, KEYS_OF_USER do
  answers[#answers + 1] = answer_of(change_mark, k, a)
  a = a + ARGUMENTS
end
return with_refused(answers)
