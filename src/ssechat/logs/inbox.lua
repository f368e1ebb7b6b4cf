-- What a user's inbox does with an entry of a conversation's log. Included by the scripts that deliver.
--
-- Only what follows the last entry that the inbox has is appended. A reset (the log was rolled back or
-- trimmed under the inbox) is appended where the inbox still has that one last entry.
--
-- A wake-up is `<id> <id of the event before it> <kind>`, a line feed, and the event's data; without the line
-- feed and the data where they are larger than a wake-up may be.
--
-- Of a user's keys the first is given; the others' names are made from it, and are in the same slot.

-- `event` has: conversation, entry, before, kind, reference, data, and for a reset `replaces`, the last entry that
-- the inbox must have. INBOX_LIMIT and WAKE_UP_LIMIT are what inbox.py puts in front of the script. Returns 'ok', or
-- the last entry that the inbox has.
local function deliver(user, tag, event)
  local conversations = user .. ':conversations'
  local has = redis.call('HGET', conversations, event.conversation)
  local last = has and string.match(has, '^%S+') or '0-0'
  if last == event.entry then
    return 'ok'
  elseif last ~= (event.replaces or event.before) then
    return last
  end
  local head = redis.call('HGET', user, 'head') or '0-0'
  local n = string.format('%.0f', tonumber(string.match(head, '^%d+')) + 1)
  local id = n .. '-' .. tag
  -- First the write that can fail: an id that is not above the inbox's last one.
  redis.call('XADD', user .. ':inbox', 'MAXLEN', '~', INBOX_LIMIT, id,
    'in', event.conversation, 'kind', event.kind, 'ref', event.reference)
  redis.call('HSET', user, 'head', id)
  redis.call('HSET', conversations, event.conversation, event.entry .. ' ' .. n)
  local wake_up = id .. ' ' .. head .. ' ' .. event.kind
  if #event.data <= WAKE_UP_LIMIT then
    wake_up = wake_up .. '\n' .. event.data
  end
  optional('PUBLISH', user .. ':live', wake_up)  -- a hint: the entry is there
  return 'ok'
end
