-- What append.lua does with the members of a group.
-- Keys of a group:
local MEMBERS_OF, LEFT, LEAVERS, INVITES, KEYS_OF_GROUP = 0, 1, 2, 3, 4
-- MEMBERS_OF: user → `<role> <bucket of its keys> <entry of the join> <seq then> <entry of the leave before, or 0-0>`
-- LEFT: user → `<entry of the leave> <seq then> <seq of the join> <own or removed> <name of the group then>`
-- LEAVERS: user → `<entry of the leave> <entry of the join> <seq then> <entry of the leave before that, or 0-0>`, until
-- the inbox has all of it
-- Arguments of a group's action: these, then so many users, the count of changes, and four for each change
local LIST, PRESENT = 0, 1
-- LIST: the version of the list of members (the entry that changed it last) that the action was decided from;
--   '': whichever; 'new': there is no group
-- PRESENT: the count of users who must be members
-- A change: 'join', user, role, bucket · 'role', user, role, '' · 'leave', user, own or removed, name of the group ·
--   'set', field, value, '' · 'invite', id, old value, new value ('': none) · 'expire', seconds, '', ''
-- The action is refused with:
--   {'exists', digest of the request that made it}   · {'unknown'}: there is no such group · {'ended'}
--   {'absent', users …}: they are no members         · {'members'}: decide anew, from what is so now
--   {'leaving', user}: its inbox must have its last leave before it joins again

-- Deliveries that this call may still make.
local budget = BUDGET

-- A function that makes the functions: Lua makes those of a script for each call, and most calls need none of these.
local function functions_of_groups()
  -- Where the arguments of a group's action end.
  local function end_of_group(a)
    local changes = a + PRESENT + 1 + tonumber(ARGV[a + PRESENT])
    return changes + 1 + 4 * tonumber(ARGV[changes])
  end

  -- Whether somebody leaves by itself, which one may do in a group that has ended, too.
  local function leaves(group)
    return group.count > 0 and ARGV[group.changes] == 'leave' and ARGV[group.changes + 2] == 'own'
  end

  -- Reads what the action needs, and refuses it if it may not be.
  local function group_of(conversation, keys, a, head)
    local list, ended, history, made = unpack(call('HMGET', conversation, 'list', 'ended', 'history', 'made'))
    local present = tonumber(ARGV[a + PRESENT])
    local group = {list = list, history = history, changes = a + PRESENT + 2 + present, reached = 0}
    group.count = tonumber(ARGV[group.changes - 1])
    if ARGV[a + LIST] == 'new' then
      group.refused = head and {'exists', made or ''}
      return group
    end
    if not head then
      group.refused = {'unknown'}
    elseif ended and not leaves(group) then
      group.refused = {'ended'}
    else
      local absent = {'absent'}
      for user = a + PRESENT + 1, a + PRESENT + present do
        if call('HEXISTS', KEYS[keys + MEMBERS_OF], ARGV[user]) == 0 then
          absent[#absent + 1] = ARGV[user]
        end
      end
      if #absent > 1 then
        group.refused = absent
      elseif ARGV[a + LIST] ~= '' and ARGV[a + LIST] ~= list then
        group.refused = {'members'}
      end
    end
    for i = 1, group.refused and 0 or group.count do
      local change = group.changes + 4 * (i - 1)
      local how, of = ARGV[change], ARGV[change + 1]
      if how == 'join' and call('HEXISTS', KEYS[keys + LEAVERS], of) == 1 then
        group.refused = {'leaving', of}
      elseif how == 'invite' and call('HGET', KEYS[keys + INVITES], of) ~= ARGV[change + 2] then
        group.refused = {'members'}
      end
    end
    return group
  end

  -- Fails, if `change_group` would, before anything is written: Redis refuses a command, or a key has another type.
  local function try_group(keys, group)
    if group.count > 0 then
      for key = keys, keys + KEYS_OF_GROUP - 1 do
        call('HGET', KEYS[key], '')  -- no user and no invitation has this name
        call('HDEL', KEYS[key], '')
      end
    end
  end

  -- Makes the changes that come with the entry. seq: of the newest message. Every change but the use of an invitation makes
  -- a new version of the list: who decides from an old one decides anew.
  local function change_group(k, reactions, keys, group, entry, seq)
    local conversation, changed = KEYS[k + CONVERSATION], false
    group.leavers = {}
    for i = 1, group.count do
      local change = group.changes + 4 * (i - 1)
      local how, of, value, more = ARGV[change], ARGV[change + 1], ARGV[change + 2], ARGV[change + 3]
      if how == 'join' then
        local left = call('HGET', KEYS[keys + LEFT], of)
        local before = left and match(left, '^%S+') or '0-0'
        call('HSET', KEYS[keys + MEMBERS_OF], of,
          value .. ' ' .. more .. ' ' .. entry.id .. ' ' .. seq .. ' ' .. before)
        changed = true
      elseif how == 'role' then
        local member = call('HGET', KEYS[keys + MEMBERS_OF], of)
        call('HSET', KEYS[keys + MEMBERS_OF], of, value .. match(member, '^%S+( .*)$'))
        changed = true
      elseif how == 'leave' then
        local member = call('HGET', KEYS[keys + MEMBERS_OF], of)
        local bucket, stint, joined = match(member, '^%S+ (%S+) (%S+ (%S+) %S+)$')
        call('HSET', KEYS[keys + LEFT], of,
          entry.id .. ' ' .. seq .. ' ' .. joined .. ' ' .. value .. ' ' .. more)
        call('HSET', KEYS[keys + LEAVERS], of, entry.id .. ' ' .. stint)
        call('HDEL', KEYS[keys + MEMBERS_OF], of)
        group.leavers[of] = bucket
        changed = true
      elseif how == 'set' then
        call('HSET', conversation, of, value)
        if of == 'history' then
          group.history = value
        end
        changed = true  -- the next fact must be decided from it
      elseif how == 'invite' then
        if more == '' then
          call('HDEL', KEYS[keys + INVITES], of)
        else
          call('HSET', KEYS[keys + INVITES], of, more)
        end
      elseif how == 'expire' then
        group.expires = of
      end
    end
    if changed then
      call('HSET', conversation, 'list', entry.id)
    end
    if group.expires then
      -- Nothing may fail now: without the right to EXPIRE the keys stay.
      for _, key in ipairs({KEYS[k + LOG], KEYS[k + MESSAGES], reactions}) do
        optional('EXPIRE', key, group.expires)
      end
      for key = keys, keys + KEYS_OF_GROUP - 1 do
        optional('EXPIRE', KEYS[key], group.expires)
      end
    end
  end

  -- Names the keys of inboxes itself, which one Redis allows; with AT_ONCE = 0 it does not.
  -- Delivers the action to the members and to those who leave with it, if they are few enough for this call. Returns
  -- whether all have it, and an error.
  local function deliver_to_group(keys, group, run, tag)
    local count = call('HLEN', KEYS[keys + MEMBERS_OF])
    group.reached = count
    if count > AT_ONCE or count + 1 > budget then
      return false
    end
    budget = budget - count - 1
    local entry, complete, trouble = run.entries[1].id, true, nil
    local function give(user, bucket, before, from_seq, joined)
      local key = '{u' .. bucket .. '}' .. user
      local ran = run
      if before then
        ran = {conversation = run.conversation, before = before, entries = run.entries, joined = joined}
      end
      local ok, last = pcall(deliver, key, key .. '/inbox', key .. '/conversations', tag_of(tag, key), '', ran,
        from_seq)
      complete = complete and last == entry
      trouble = not ok and last or trouble
      return last == entry
    end
    local members = call('HGETALL', KEYS[keys + MEMBERS_OF])
    for i = 1, #members, 2 do
      local bucket, joined, seq, before = match(members[i + 1], '^%S+ (%S+) (%S+) (%S+) (%S+)')
      seq = tonumber(seq)
      give(members[i], bucket, joined == entry and before or nil, group.history == 'from_join' and seq or nil, seq)
    end
    for user, bucket in pairs(group.leavers) do
      if give(user, bucket) then
        call('HDEL', KEYS[keys + LEAVERS], user)
      end
    end
    return complete, trouble
  end

  return {end_of = end_of_group, read = group_of, try = try_group, change = change_group, deliver = deliver_to_group}
end
