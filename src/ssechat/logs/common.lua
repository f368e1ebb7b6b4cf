-- Commands without which a script's work is done all the same: one that Redis refuses is told to the worker, which
-- tells the log, and no item fails. Included first by the scripts that append or deliver.
local refused

local function optional(...)
  local answer = redis.pcall(...)
  if type(answer) == 'table' and answer.err then
    refused = answer.err
  end
  return answer
end

-- An item's answer; what went wrong is its error and nobody else's.
local function answer_of(work, ...)
  local ok, answer = pcall(work, ...)
  return ok and answer or redis.error_reply(type(answer) == 'table' and answer.err or tostring(answer))
end

-- The answers of a script's items, and behind them what Redis refused.
local function with_refused(answers)
  if refused then
    answers[#answers + 1] = redis.error_reply(refused)
  end
  return answers
end

-- The number in the id of an entry, `<number>-<tag>`.
local function number(entry)
  return tonumber(string.match(entry, '^%d+'))
end
