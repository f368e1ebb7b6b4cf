-- What a user's inbox does with an entry of a conversation's log. Included by the scripts that deliver.
--
-- Only what follows the last entry that the inbox has is appended. A reset (the log was rolled back or
-- trimmed under the inbox) is appended where the inbox still has that one last entry.
--
-- A wake-up is `<id> <id of the event before it> <kind>`, a line feed, and the event's data; without the line
-- feed and the data where they are larger than a wake-up may be.

-- Keys:      user, inbox, the user's conversations
-- Arguments: channel, tag
local MEMBER_KEYS, MEMBER_ARGUMENTS = 3, 2

-- `event` has: conversation, entry, before, kind, reference, data, inbox_limit, wake_up_limit, and for a
-- reset `replaces`, the last entry that the inbox must have. Returns 'ok', or the last entry that it has.
local function deliver(k, a, event)
  local user, conversations = KEYS[k], KEYS[k + 2]
  local has = redis.call('HGET', conversations, event.conversation)
  local last = has and string.match(has, '^%S+') or '0-0'
  if last == event.entry then
    return 'ok'
  elseif last ~= (event.replaces or event.before) then
    return last
  end
  local head = redis.call('HGET', user, 'head') or '0-0'
  local n = string.format('%.0f', tonumber(string.match(head, '^%d+')) + 1)
  local id = n .. '-' .. ARGV[a + 1]
  -- First the write that can fail: an id that is not above the inbox's last one.
  redis.call('XADD', KEYS[k + 1], 'MAXLEN', '~', event.inbox_limit, id,
    'in', event.conversation, 'kind', event.kind, 'ref', event.reference)
  redis.call('HSET', user, 'head', id)
  redis.call('HSET', conversations, event.conversation, event.entry .. ' ' .. n)
  local wake_up = id .. ' ' .. head .. ' ' .. event.kind
  if #event.data <= event.wake_up_limit then
    wake_up = wake_up .. '\n' .. event.data
  end
  redis.call('PUBLISH', ARGV[a], wake_up)
  return 'ok'
end
