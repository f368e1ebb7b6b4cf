-- Appends a run of entries of a conversation log to the inbox of a user. append.lua and deliver.lua include this file.
--
-- Only entries after the last one that the inbox has are appended: this is the gap rule. A reset (the log was rolled
-- back, or trimmed beyond the inbox's last entry) is appended if the inbox still has the same last entry.
--
-- A place, the value of a conversation in PLACES, is `<entry> <n> <seq>`: the last entry of the log in the inbox, its
-- number in the inbox, and the seq of the newest message.
--
-- A wake-up is `<kind> <at> <id> <id of the event before it>`, a line feed, and the event's data. The data of a large
-- event is left out. at: milliseconds since 1970, 0 if unknown.

-- Offsets of a user's keys. The channel of a user is the first key followed by '/live'.
local USER, INBOX, PLACES, KEYS_OF_USER = 0, 1, 2, 3

-- The tag for entries in the inbox of this user (its first key): ids of different inboxes must differ. 52 bits, which a
-- number in Lua can hold.
local function tag_of(tag, user)
  return string.format('%.0f', tonumber(string.sub(redis.sha1hex(tag .. user), 1, 13), 16))
end

-- user, inbox, places: the user's keys.
-- `run` has: conversation, before (the entry that must be the last one in the inbox, unless one of `entries` is), and
-- entries, each with id, at, data, and the fields of the inbox's entry: kind, sort and value (the seq of a message or
-- change, the data of a fact). inbox.py defines INBOX_LIMIT and WAKE_UP_LIMIT before the script.
-- from_seq: changes of messages up to this seq are passed: the place moves on, and the inbox gets nothing.
-- Returns the last entry in the inbox: the last one of the run, or one that is not in the run.
local function deliver(user, inbox, places, tag, run, from_seq)
  local entries = run.entries
  local place = redis.call('HGET', places, run.conversation)
  local last, seq = place and string.match(place, '^%S+') or '0-0', nil
  local following = last == run.before and 1 or nil
  for i = #entries, 1, -1 do
    if entries[i].id == last then
      following = i + 1
      break
    end
  end
  if not following or following > #entries then
    return last
  end
  local head = redis.call('HGET', user, 'head') or '0-0'
  local n, wakes = number(head), false
  for i = following, #entries do
    local entry, before = entries[i], head
    entry.wake_up = nil
    if not from_seq or entry.sort ~= 'change' or tonumber(entry.value) > from_seq then
      n, wakes = n + 1, true
      head = n .. '-' .. tag
      -- This write comes first because it can fail, if the id is not above the last one of the inbox.
      redis.call('XADD', inbox, 'MAXLEN', '~', INBOX_LIMIT, head,
        'in', run.conversation, 'kind', entry.kind, entry.sort, entry.value)
      if entry.sort == 'message' then
        seq = entry.value
      end
      if #entry.data <= WAKE_UP_LIMIT then
        entry.wake_up = entry.kind .. ' ' .. entry.at .. ' ' .. head .. ' ' .. before .. '\n' .. entry.data
      else
        entry.wake_up = entry.kind .. ' ' .. entry.at .. ' ' .. head .. ' ' .. before
      end
    end
  end
  last = entries[#entries].id
  seq = seq or place and string.match(place, '%d+$') or '0'
  if not wakes then
    redis.call('HSET', places, run.conversation, last .. ' ' .. (place and string.match(place, ' (%d+) ') or '0') .. ' ' .. seq)
    return last
  end
  redis.call('HSET', user, 'head', head)
  redis.call('HSET', places, run.conversation, last .. ' ' .. n .. ' ' .. seq)
  for i = following, #entries do
    if entries[i].wake_up then
      optional('PUBLISH', user .. '/live', entries[i].wake_up)  -- only a hint: the entry is stored
    end
  end
  return last
end
