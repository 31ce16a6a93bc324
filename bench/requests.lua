-- What wrk asks for: its arguments are KIND SEED FIRST LAST PREFIX AUTHORIZATION [BODY] [QUERY],
-- KIND is `get`, `list`, `create`, or `same` for the path PREFIX each time. One line of JSON is printed at the end.
local kind, first, last, prefix, body, query

function init(args)
  kind, first, last, prefix = args[1], tonumber(args[3]), tonumber(args[4]), args[5]
  wrk.headers["Authorization"] = args[6]
  wrk.headers["Content-Type"] = "application/json"
  body, query = args[7], args[8]
  math.randomseed(tonumber(args[2]))
end

local asks = {}

function asks.get()
  return wrk.format("GET", "/api/v1/lead/" .. prefix .. math.random(first, last) .. "/")
end

function asks.list()
  return wrk.format("GET", "/api/v1/lead/?_limit=50&_skip=" .. math.random(first, last) .. query)
end

function asks.create()
  local number = math.random(first, last)
  return wrk.format("POST", "/api/v1/lead/", nil, (body:gsub("%%d", number)))
end

function asks.same()
  return wrk.format("GET", prefix)
end

function request()
  return asks[kind]()
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"p50":%.3f,"p95":%.3f,"errors":%d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout
  ))
end
