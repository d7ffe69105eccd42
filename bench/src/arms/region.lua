-- The tag, the route and the count in Lua, as somebody writes it who knows Envoy: nothing is looked up twice, the route is matched
-- again only for a request that has to leave the default, and what served is the name of the route.
local clusters = {
  ["us-west-1"] = "HOME", ["us"] = "HOME", ["us-west"] = "HOME",
  ["us-east-1"] = "AWAY", ["east"] = "AWAY", ["us-east"] = "AWAY",
}
local tags = { home = "WEST", away = "EAST" }
local counts = {}

function envoy_on_request(handle)
  local headers = handle:headers()
  local asked = headers:get("region")
  if asked == nil then
    return
  end
  local cluster = clusters[asked] or clusters[string.lower(asked)]
  if cluster ~= nil and cluster ~= "HOME" then
    headers:replace("x-region-cluster", cluster)
    handle:clearRouteCache()
  end
end

function envoy_on_response(handle)
  local headers = handle:headers()
  local tag = tags[handle:streamInfo():routeName()]
  local status = headers:get(":status")
  local seen = counts[tag]
  if seen == nil then
    seen = {}
    counts[tag] = seen
  end
  seen[status] = (seen[status] or 0) + 1
  headers:replace("x-served-by-cluster", tag)
end
