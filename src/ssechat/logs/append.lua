-- Appends actions to the logs of their conversations, and delivers each at once to the inboxes of the members.
-- Keys of an item: these; of a change and of a group's action REACTIONS; of a group's action those of the group
-- (members.lua); of a direct conversation's those of each member (inbox.lua)
local SENT_BEFORE, SENT, SENT_AFTER, KEYS_OF_CONVERSATION = 3, 4, 5, 6
-- CONVERSATION, LOG and MESSAGES: common.lua. SENT: the records of client_msg_ids of the item's week; SENT_BEFORE and
-- SENT_AFTER: of the adjacent weeks.
-- Arguments of an item: these; then those of a change; then those of a group's (members.lua). Each argument costs Redis
-- and the worker as much as some lines of Lua, so there is none that follows from another, or from a key.
local KIND, AT, TAG = 0, 1, 2
local SENT_AS, DIGEST = 3, 4                  -- <sender>:<client_msg_id>, or ''; 16 bytes
local REST = 5                                -- of a message's JSON: after the version; or the data of a fact
local NAMED = 6                               -- whom the message mentions, each between spaces, or ''
local MEMBERS, ARGUMENTS = 7, 8               -- the count of all members; 0: none is delivered to at once; 'group'
local SEQ, MADE_FROM = 0, 1                   -- seq and SHA-1 of the old message's JSON
local ACROSS_BLOCKS = 2                       -- 1: it is made although one of the two blocks the other
local REACTIONS, ARGUMENTS_OF_CHANGE = 3, 4   -- the count of changed reactions; for each, how and which
-- DIGEST: of the request. delivery.py defines before the script `sort_of`: whether a kind is 'message' (a new message),
-- 'change' (of a message) or 'fact'; and BEFORE_ID, BEFORE_SEQ and BEFORE_VERSION, the beginning of a message's JSON.
-- Returns for an item:
--   '<seq> <entry> <entry before>'            all these members have it (a list would cost Redis 3,500 instructions);
--                                             of a group, and the count of its members
--   {'appended', seq, entry, entry before}    and the last entry of each inbox, or of a group the count of its members
--   {'repeat', seq, message, delivered, head} … was used before, for the same request (message nil: it is gone)
--   {'conflict'}                              the client_msg_id was used before, for another request
--   {'blocked', users}                        one of the two, or each, has blocked the other: their names, with spaces
--   {'changed', message}                      the message differs from the one that was changed ('': it is gone)
--   {'week', week}                            Redis's clock is in another week: call again with the keys of that week
--   and of a group's action what members.lua says

-- The id in the key of a conversation: it stands after the hash tag.
local function id_of(key)
  return match(key, '^[^}]*}(.*)$')
end

-- Seconds. The records of a week are read until the end of the next week.
local REMEMBERED = 3 * 7 * 24 * 3600
local THIS_WEEK = tostring(math.floor(tonumber(call('TIME')[1]) / (7 * 24 * 3600)))
local OF_THIS_WEEK = '/' .. THIS_WEEK

-- `sent_in` of a conversation: the newest week with records; and '+', if there may be records of weeks before that count.
local function sent_before(k, a, state)
  local first, last = SENT, SENT
  if state.sent_in ~= THIS_WEEK then
    -- The next week has records if Redis's clock was set back.
    first, last = SENT_BEFORE, number(state.sent_in) > tonumber(THIS_WEEK) and SENT_AFTER or SENT
  end
  for week = first, last do
    local sent = call('HGET', KEYS[k + week], ARGV[a + SENT_AS])
    if sent then
      if sub(sent, 1, 16) ~= ARGV[a + DIGEST] then
        return {'conflict'}
      end
      local seq = sub(sent, 17)
      return {'repeat', seq, call('HGET', KEYS[k + MESSAGES], seq),
        call('HGET', KEYS[k + CONVERSATION], 'delivered') or '0', state.head}
    end
  end
end

-- Appends the action to the log; `note` then updates the hash of the conversation.
-- Of a change: `seq` and `message`, the message's current JSON.
local function append(k, a, sort, state, seq, message)
  local pos, is_tenth = after(state.head)
  local entry = {  -- with room for `by`: a table that grows costs 650 instructions
    id = pos .. '-' .. ARGV[a + TAG], at = ARGV[a + AT], kind = ARGV[a + KIND], sort = sort,
    value = ARGV[a + REST], data = ARGV[a + REST], named = ARGV[a + NAMED] ~= '' and ARGV[a + NAMED] or nil, by = nil,
  }
  -- The writes that can fail come first, so that no item is half done. HSET fails without the right to it; it writes a
  -- new message, which no reader reads before the log has its entry, or a changed message or the head with its current
  -- value. XADD fails if its id is not above the last one of the log.
  if sort == 'fact' then
    call('HSET', KEYS[k + CONVERSATION], 'head', state.head)
  else
    if sort == 'message' then
      seq = after(state.seq)
      entry.by = '}' .. match(ARGV[a + SENT_AS], '^[^:]*')
    end
    entry.value = seq
    entry.data = BEFORE_ID .. state.id .. BEFORE_SEQ .. seq .. BEFORE_VERSION .. pos .. ARGV[a + REST]
    call('HSET', KEYS[k + MESSAGES], seq, message or entry.data)
  end
  add(KEYS[k + LOG], LOG_LIMIT, is_tenth, entry.id,
    'kind', entry.kind, 'at', entry.at, sort, entry.value)
  if message then
    call('HSET', KEYS[k + MESSAGES], seq, entry.data)
  end
  if ARGV[a + SENT_AS] ~= '' then
    call('HSET', KEYS[k + SENT], ARGV[a + SENT_AS], ARGV[a + DIGEST] .. (seq or ''))
  end
  return entry, seq, pos
end

-- Stores the newest entry, and whether all members have it, in one write.
local function note(k, a, state, entry, seq, pos, delivered)
  local conversation = KEYS[k + CONVERSATION]
  if ARGV[a + SENT_AS] ~= '' and state.sent_in ~= THIS_WEEK and state.sent_in ~= THIS_WEEK .. '+' then
    -- The first record of a week. The action is in the log, so nothing may fail now: without the right to EXPIRE the
    -- record stays.
    optional('EXPIRE', KEYS[k + SENT], REMEMBERED)
    local newest, week = number(state.sent_in), tonumber(THIS_WEEK)
    call('HSET', conversation, 'sent_in', newest < week - 1 and THIS_WEEK or math.max(newest, week) .. '+',
      'type', ARGV[a + MEMBERS] == 'group' and 'group' or 'dm')
  end
  local newest = entry.sort == 'message' and seq or state.seq
  if delivered then
    call('HSET', conversation, 'head', entry.id, 'seq', newest, 'delivered', pos)
  else
    call('HSET', conversation, 'head', entry.id, 'seq', newest)
  end
end

-- Delivers to both of a direct conversation; returns whether they have the run, their last entries, and an error.
local function deliver_to_both(k, members, run, tag)
  local lasts, complete, trouble, newest = {nil, nil}, members > 0, nil, run.entries[1].id  -- with room for two
  for member = 1, members do
    local user = k + (member - 1) * KEYS_OF_USER
    local ok, last = pcall(deliver, KEYS[user + USER], KEYS[user + INBOX], KEYS[user + PLACES], tag,
      member == 1 and '00' or member == 2 and '01' or string.format('%02d', member - 1), run)
    complete = complete and last == newest
    lasts[member] = last
    if not ok then
      trouble = last
    end
  end
  return complete, lasts, trouble
end

-- Fails, if `react` would, before anything is written: Redis refuses a command, or the key has another type.
local function try_to_react(key, count)
  if count > 0 then
    call('ZADD', key, 'XX', 0, '')
    call('ZREM', key, '')
    call('ZREMRANGEBYLEX', key, '(', '(')
  end
end

-- Changes the set of reactions: each of `add`, `remove` (member of the set), or `clear` (its beginning).
local function react(key, a, count)
  for i = a, a + 2 * (count - 1), 2 do
    local how, which = ARGV[i], ARGV[i + 1]
    if how == 'add' then
      call('ZADD', key, 0, which)
    elseif how == 'remove' then
      call('ZREM', key, which)
    else
      call('ZREMRANGEBYLEX', key, '[' .. which, '(' .. which .. '\255')
    end
  end
end

-- The functions of members.lua, as soon as an item needs them.
local groups

-- members: the count, or 'group'. of_change, of_group: where their arguments begin, or nil. member_keys: where the keys
-- of the members or of the group begin.
local function append_item(k, a, sort, members, member_keys, of_change, of_group)
  if sub(KEYS[k + SENT], -#OF_THIS_WEEK) ~= OF_THIS_WEEK then
    return {'week', THIS_WEEK}
  end
  local seq, head, sent_in, blocks = unpack(
    call('HMGET', KEYS[k + CONVERSATION], 'seq', 'head', 'sent_in', 'blocks'))
  if not sent_in then
    sent_in = head and THIS_WEEK - 1 .. '' or '0'  -- an older server has not noted in which weeks there are records
  end
  local state = {id = id_of(KEYS[k + CONVERSATION]), seq = seq or '0', head = head or '0-0', sent_in = sent_in}
  local before = ARGV[a + SENT_AS] ~= '' and sent_before(k, a, state)
  if before then
    return before
  end
  if blocks and not (of_change and ARGV[of_change + ACROSS_BLOCKS] == '1') then
    return {'blocked', blocks}
  end
  local group
  if of_group then
    group = groups.read(KEYS[k + CONVERSATION], member_keys, of_group, head)
    if group.refused then
      return group.refused
    end
  end
  local changed, message
  if of_change then
    changed = ARGV[of_change + SEQ]
    -- Above the newest seq there may be one that the log refused.
    message = tonumber(changed) <= tonumber(state.seq) and call('HGET', KEYS[k + MESSAGES], changed)
    if not message or redis.sha1hex(message) ~= ARGV[of_change + MADE_FROM] then
      return {'changed', message or ''}
    end
  end
  if group then
    groups.try(member_keys, group)
  end
  if of_change then
    try_to_react(KEYS[k + KEYS_OF_CONVERSATION], tonumber(ARGV[of_change + REACTIONS]))
  end
  local entry, seq, pos = append(k, a, sort, state, changed, message)
  local run = {conversation = state.id, before = state.head, entries = {entry}}
  local complete, lasts, trouble
  if group then
    groups.change(k, KEYS[k + KEYS_OF_CONVERSATION], member_keys, group, entry, seq or state.seq)
    local ok, all, failed = pcall(groups.deliver, member_keys, group, run, ARGV[a + TAG])
    complete, trouble = ok and all, not ok and all or failed
  else
    complete, lasts, trouble = deliver_to_both(member_keys, members, run, ARGV[a + TAG])
  end
  if of_change then
    react(KEYS[k + KEYS_OF_CONVERSATION], of_change + ARGUMENTS_OF_CHANGE, tonumber(ARGV[of_change + REACTIONS]))
  end
  note(k, a, state, entry, seq, pos, complete)
  if trouble then
    error(trouble, 0)  -- as it is: Redis's code comes first
  end
  if complete then
    return (seq or '') .. ' ' .. entry.id .. ' ' .. state.head .. (group and ' ' .. group.reached or '')
  end
  return {'appended', seq or '', entry.id, state.head, unpack(lasts or {tostring(group.reached)})}
end

local answers, k, a = {}, 1, 1
while k <= #KEYS do
  local members, of_change, of_group = ARGV[a + MEMBERS], nil, nil
  local next_k, next_a = k + KEYS_OF_CONVERSATION, a + ARGUMENTS
  local sort = sort_of(ARGV[a + KIND])
  if members ~= 'group' then
    members = tonumber(members)
  end
  if sort == 'change' or members == 'group' then
    next_k = next_k + 1
  end
  if sort == 'change' then
    of_change = next_a
    next_a = next_a + ARGUMENTS_OF_CHANGE + 2 * tonumber(ARGV[next_a + REACTIONS])
  end
  local member_keys = next_k
  if members == 'group' then
    groups = groups or functions_of_groups()
    of_group = next_a
    next_k, next_a = next_k + KEYS_OF_GROUP, groups.end_of(next_a)
  else
    next_k = next_k + members * KEYS_OF_USER
    budget = budget - members
  end
  answers[#answers + 1] = answer_of(append_item, k, a, sort, members, member_keys, of_change, of_group)
  k, a = next_k, next_a
end
return with_refused(answers)
