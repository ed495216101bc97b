-- Sends the bodies of a file, one a request, and says how it went as JSON.
-- Arguments: the file, the path, the token, and whether to begin again at the file's end.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  requests, used, exhausted = {}, 0, false
  again = args[4] == "again"
  local headers = {
    ["Authorization"] = "Bearer " .. args[3],
    ["Content-Type"] = "application/json",
  }
  for body in io.lines(args[1]) do
    table.insert(requests, wrk.format("POST", args[2], headers, body))
  end
end

function request()
  if used >= #requests and not again then
    exhausted = true
    wrk.thread:stop()
    return requests[#requests]
  end
  used = used + 1
  return requests[(used - 1) % #requests + 1]
end

function done(summary, latency, _)
  local sent, short = 0, false
  for _, thread in ipairs(threads) do
    sent = sent + thread:get("used")
    short = short or thread:get("exhausted")
  end
  local errors = summary.errors
  io.write(string.format(
    '{"answered": %d, "sent": %d, "seconds": %f, "refused": %d, "broken": %d, "exhausted": %s, ' ..
    '"p50": %f, "p90": %f, "p99": %f}\n',
    summary.requests, sent, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout, tostring(short),
    latency:percentile(50) / 1e3, latency:percentile(90) / 1e3, latency:percentile(99) / 1e3))
end
