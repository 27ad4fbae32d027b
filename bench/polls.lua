-- What an idle fleet asks: of every two requests one is for timestamp.json and one for some shard, both conditionally.
-- POLL_TAGS names a file of lines `path tag`, the first of which is the timestamp; POLL_BASE is the path of the CAP on the server;
-- POLL_CLOSE makes every request use a connection of its own.

local requests, count = {}, 0

function init(args)
  local base, close = os.getenv("POLL_BASE"), os.getenv("POLL_CLOSE") == "1"
  for line in io.lines(os.getenv("POLL_TAGS")) do
    local path, tag = line:match("^(%S+) (.+)$")
    local headers = {["If-None-Match"] = tag}
    if close then headers["Connection"] = "close" end
    requests[#requests + 1] = wrk.format("GET", base .. "/" .. path, headers)
  end
end

function request()
  count = count + 1
  if count % 2 == 1 then return requests[1] end
  return requests[math.random(2, #requests)]
end

function done(summary, latency, calls)
  print(string.format("RESULT %d %d %d %d", summary.requests, summary.duration, summary.errors.status + summary.errors.connect
    + summary.errors.read + summary.errors.write + summary.errors.timeout, latency:percentile(99)))
end
