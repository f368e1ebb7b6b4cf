-- Commands without which a script's work is done all the same: one that Redis refuses is told to the worker, who tells
-- the log, and fails nobody. Included first by the scripts that append or deliver.
local refused

local function optional(...)
  local answer = redis.pcall(...)
  if type(answer) == 'table' and answer.err then
    refused = answer.err
  end
  return answer
end

-- The answers of a script's items, and behind them what Redis refused.
local function with_refused(answers)
  if refused then
    answers[#answers + 1] = redis.error_reply(refused)
  end
  return answers
end
