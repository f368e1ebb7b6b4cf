-- Functions that append.lua, deliver.lua and others share; this file is included first.

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
  return tonumber(string.match(entry, '^%d+'))
end
