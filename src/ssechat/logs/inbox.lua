-- Appends a run of entries of a conversation log to the inbox of a user. append.lua and deliver.lua include this file.
--
-- Only entries after the last one that the inbox has are appended: this is the gap rule. A reset (the log was rolled
-- back, or trimmed beyond the inbox's last entry) is appended if the inbox still has the same last entry.
--
-- A place, the value of a conversation in PLACES, is `<entry> <n> <seq>`: the last entry of the log in the inbox, its
-- number in the inbox, and the seq of the newest message; and then, if there is one, the mark, ` <read> <muted>
-- <mentions>`: the seq up to which the user has read, 1 if the conversation is muted, and for each message above `read`
-- that mentions the user a comma and its seq; and then ` <delivered>`, the seq up to which a device of the user has the
-- messages, if that is above `read`.
--
-- A wake-up is `<kind> <at> <id> <id of the event before it>`, of an event that changes what is unread also the end of
-- the place as it is with it, from ` <seq>` on; a line feed, and the event's data. The data of a large event is left out.
-- at: milliseconds since 1970, 0 if unknown.

-- Offsets of a user's keys. The channel of a user is the first key followed by '/live'.
local USER, INBOX, PLACES, KEYS_OF_USER = 0, 1, 2, 3

-- The tag for entries in the inbox of this user (its first key): ids of different inboxes must differ. 52 bits, which a
-- number in Lua can hold.
local function tag_of(tag, user)
  return string.format('%.0f', tonumber(sub(redis.sha1hex(tag .. user), 1, 13), 16))
end

-- Publishes a wake-up. It is only a hint: the entry is stored.
local function wake(user, text)
  optional('PUBLISH', user .. '/live', text)
end

-- Fails before anything is half done, if the ACL user has no right to HSET; once is enough for all keys of users.
local may_write = false

local function try_to_write(user, tag)
  if not may_write then
    local head, birth = unpack(call('HMGET', user, 'head', 'birth'))
    call('HSET', user, head and 'head' or 'birth', head or birth or tag)
    may_write = true
  end
end

-- Appends a fact that concerns the user alone to its inbox, for its other devices. `data` is JSON. Returns the entry's
-- number. `place`: the end of the place as it is then, of a mark.
local function tell_oneself(user, inbox, tag, at, conversation, kind, data, place)
  local newest = call('HGET', user, 'head') or '0-0'
  local n, is_tenth = after(newest)
  local head = n .. '-' .. tag
  try_to_write(user, tag)
  -- This write comes first because it can fail, if the id is not above the last one of the inbox.
  add(inbox, INBOX_LIMIT, is_tenth, head, 'in', conversation, 'kind', kind, 'fact', data)
  call('HSET', user, 'head', head)
  wake(user, kind .. ' ' .. at .. ' ' .. head .. ' ' .. newest .. (place or '') .. '\n' .. data)
  return n
end

-- Messages above the mark that are counted as mentions, at most; the newest are kept.
local MOST_MENTIONS = 100

local function mark_of(text)
  local read, muted, mentions, delivered = match(text, '^ (%d+) (%d) (%S*) ?(%d*)$')
  return read or '0', muted or '0', mentions or '', delivered ~= '' and delivered or '0'
end

local function text_of(read, muted, mentions, delivered)
  local text = ' ' .. read .. ' ' .. muted .. ' ' .. mentions
  return tonumber(delivered) > tonumber(read) and text .. ' ' .. delivered or text
end

local function without(mentions, seq)
  local first, last = string.find(mentions .. ',', ',' .. seq .. ',', 1, true)
  return first and sub(mentions, 1, first - 1) .. sub(mentions, last) or mentions
end

-- The mentions in messages above the one and up to the other seq.
local function between(mentions, above, up_to)
  local kept = {}
  for one in string.gmatch(mentions, '%d+') do
    if tonumber(one) > above and tonumber(one) <= up_to then
      kept[#kept + 1] = ',' .. one
    end
  end
  return table.concat(kept)
end

-- The mark of who joined when this was the newest message: older ones are not new to it.
local function marked_since(mark, joined)
  local read, muted, mentions, delivered = mark_of(mark)
  if tonumber(read) >= joined then
    return mark
  end
  return text_of(joined .. '', muted, between(mentions, joined, math.huge), delivered)
end

-- The mark after a reset. After a rollback the newest message may be below it, or below one that mentioned the user.
local function marked_up_to(mark, newest)
  if mark == '' then
    return mark
  end
  local read, muted, mentions, delivered = mark_of(mark)
  return text_of(math.min(tonumber(read), newest), muted, between(mentions, 0, newest),
    math.min(tonumber(delivered), newest))
end

-- The mark of this user after a message or a change of one. Sending raises one's own mark.
local function marked(mark, entry, user)
  local name = entry.named and match(user, '}(.*)$')
  local named = name and string.find(entry.named, ' ' .. name .. ' ', 1, true)
  if entry.by and string.find(user, entry.by, -#entry.by, true) then
    return ' ' .. entry.value .. ' ' .. (match(mark, '^ %d+ (%d)') or '0') .. ' '
  end
  if not named and (entry.sort == 'message' or mark == '') then
    return mark
  end
  local read, muted, mentions, delivered = mark_of(mark)
  local seq = entry.value
  if entry.sort == 'change' then
    mentions = without(mentions, seq)
  end
  if named and tonumber(seq) > tonumber(read) then
    mentions = mentions .. ',' .. seq
    if select(2, string.gsub(mentions, ',', '')) > MOST_MENTIONS then
      local oldest = math.huge
      for one in string.gmatch(mentions, '%d+') do
        oldest = math.min(oldest, tonumber(one))
      end
      mentions = between(mentions, oldest, math.huge)
    end
  end
  return text_of(read, muted, mentions, delivered)
end

-- user, inbox, places: the user's keys.
-- `run` has: conversation, before (the entry that must be the last one in the inbox, unless one of `entries` is), and
-- entries, each with id, at, data, and the fields of the inbox's entry: kind, sort and value (the seq of a message or
-- change, the data of a fact); of a message `by`, a brace and who sent it, and `named`, whom it mentions, each between
-- spaces; and of a reset `newest`, the seq of the newest message; and of a run that begins with the user's join, or the
-- reset in its place, `joined`, the seq of the newest message then. inbox.py defines INBOX_LIMIT and WAKE_UP_LIMIT before
-- the script.
-- tag, of_member: what the ids of the inbox's entries end in; two parts, as to join them is a string more.
-- from_seq: changes of messages up to this seq are passed: the place moves on, and the inbox gets nothing.
-- Returns the last entry in the inbox: the last one of the run, or one that is not in the run.
local function deliver(user, inbox, places, tag, of_member, run, from_seq)
  local entries = run.entries
  local place = call('HGET', places, run.conversation)
  local last, n_then, seq, mark = '0-0', '0', '0', ''
  if place then
    last, n_then, seq, mark = match(place, '^(%S+) (%S+) (%S+)(.*)$')
  end
  local following, newest = 1, #entries
  if last ~= run.before then
    following = newest + 1
    while following > 1 and entries[following - 1].id ~= last do
      following = following - 1
    end
    if following == 1 or following > newest then
      return last
    end
  end
  if run.joined then
    mark = marked_since(mark, run.joined)
  end
  local head = call('HGET', user, 'head') or '0-0'
  local n, is_tenth
  for i = following, newest do
    local entry, before = entries[i], head
    if not from_seq or entry.sort ~= 'change' or tonumber(entry.value) > from_seq then
      n, is_tenth = after(head)
      head = n .. '-' .. tag .. of_member
      -- This write comes first because it can fail, if the id is not above the last one of the inbox.
      add(inbox, INBOX_LIMIT, is_tenth, head,
        'in', run.conversation, 'kind', entry.kind, entry.sort, entry.value)
      if entry.sort == 'message' then
        seq = entry.value
      end
      local unread = ''
      if entry.sort ~= 'fact' then
        mark = marked(mark, entry, user)
        unread = ' ' .. seq .. mark
      end
      -- Nobody gets it before the script has ended.
      if #entry.data <= WAKE_UP_LIMIT then
        wake(user, entry.kind .. ' ' .. entry.at .. ' ' .. head .. ' ' .. before .. unread .. '\n' .. entry.data)
      else
        wake(user, entry.kind .. ' ' .. entry.at .. ' ' .. head .. ' ' .. before)
      end
    end
  end
  last = entries[newest].id
  if run.newest then
    seq, mark = run.newest, marked_up_to(mark, tonumber(run.newest))
  end
  if not n then
    call('HSET', places, run.conversation, last .. ' ' .. n_then .. ' ' .. seq .. mark)
    return last
  end
  call('HSET', user, 'head', head)
  call('HSET', places, run.conversation, last .. ' ' .. n .. ' ' .. seq .. mark)
  return last
end
