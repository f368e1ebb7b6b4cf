-- Appends a run of entries of a conversation's log to a user's inbox. Included by the scripts that deliver.
--
-- Only what follows the last entry that the inbox has is appended: that is the gap rule. A reset, for a log that was
-- rolled back or trimmed, is appended only if the inbox still has the last entry from which the log did not lead on.
--
-- A place, the value of a conversation in PLACES, is `<entry> <n> <seq>`: the log's entry that the inbox has last, the n
-- that it has there, and the newest message's seq.
--
-- A wake-up is `<kind> <at> <id> <id of the event before it>`, a line feed, and the event's data; no data where it is
-- larger than a wake-up may be. at: milliseconds since 1970, 0 if not known.

-- Keys of a user, counted from the first. The user's channel is named as the first key, with '/live' behind it.
local USER, INBOX, PLACES, KEYS_OF_USER = 0, 1, 2, 3

-- `run` has: conversation, before (the entry before the first), and `entries`, each with id, at, kind, sort and value
-- (a message's or a change's seq, or a fact's data), of which the inbox's entry is made, and data, for the wake-up.
-- The inbox must have `before` or one of `entries` last.
-- INBOX_LIMIT and WAKE_UP_LIMIT are what inbox.py puts in front of the script.
-- Returns the entry that the inbox has last: the run's last one, or one that is not in the run.
local function deliver(k, tag, run)
  local user, entries = KEYS[k + USER], run.entries
  local place = redis.call('HGET', KEYS[k + PLACES], run.conversation)
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
  local n = number(head)
  for i = following, #entries do
    local entry, before = entries[i], head
    n = n + 1
    head = string.format('%.0f-%s', n, tag)
    -- First the write that can fail: an id that is not above the inbox's last one.
    redis.call('XADD', KEYS[k + INBOX], 'MAXLEN', '~', INBOX_LIMIT, head,
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
  last = entries[#entries].id
  seq = seq or place and string.match(place, '%d+$') or '0'
  redis.call('HSET', user, 'head', head)
  redis.call('HSET', KEYS[k + PLACES], run.conversation, string.format('%s %.0f %s', last, n, seq))
  for i = following, #entries do
    optional('PUBLISH', user .. '/live', entries[i].wake_up)  -- a hint: the entry is there
  end
  return last
end
