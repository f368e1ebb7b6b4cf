-- Functions that append.lua, deliver.lua and others share; this file is included first.

-- Local, since Lua looks globals, and what is in them, up by name: that saves 11,000 of 282,000 instructions of a send.
local redis, string, KEYS, ARGV = redis, string, KEYS, ARGV
local call, match, sub, pcall, type, unpack = redis.call, string.match, string.sub, pcall, type, unpack

-- Offsets of a conversation's keys.
local CONVERSATION, LOG, MESSAGES = 0, 1, 2

-- Calls a command that may fail without failing the item. The worker gets the error, and logs it.
local refused

local function optional(...)
  local answer = redis.pcall(...)
  if type(answer) == 'table' and answer.err then
    refused = answer.err
  end
  return answer
end

-- Returns the result of an item, or its error, which does not affect other items.
local function answer_of(work, ...)
  local ok, answer = pcall(work, ...)
  return ok and answer or redis.error_reply(type(answer) == 'table' and answer.err or tostring(answer))
end

-- Returns the results of the items, followed by the last error of an optional command, if any.
local function with_refused(answers)
  if refused then
    answers[#answers + 1] = redis.error_reply(refused)
  end
  return answers
end

-- Returns the number in an entry id, `<number>-<tag>`.
local function number(entry)
  return tonumber(match(entry, '^%d+'))
end

local NEXT_DIGIT = {
  ['0'] = '1', ['1'] = '2', ['2'] = '3', ['3'] = '4', ['4'] = '5', ['5'] = '6', ['6'] = '7', ['7'] = '8', ['8'] = '9',
}

-- Returns the number after the one that this string is, or begins with, as a string, and whether it is a multiple of
-- ten. To make a number of a string and a string of that costs Redis 5,000 instructions, this 1,000.
local function after(digits)
  local first, last = match(digits, '^(%d*)(%d)')
  local next_digit = NEXT_DIGIT[last]
  if next_digit then
    return first .. next_digit, false
  end
  -- Lua writes numbers up to 10^14 as they are, faster than string.format.
  return tonumber(first .. last) + 1 .. '', true
end

-- Appends the entry with this id to a stream. Every tenth entry trims it: to look for that costs Redis 2,800
-- instructions, and drops whole nodes of a hundred entries only.
local function add(stream, limit, is_tenth, id, ...)
  if is_tenth then
    call('XADD', stream, 'MAXLEN', '~', limit, id, ...)
  else
    call('XADD', stream, id, ...)
  end
end
