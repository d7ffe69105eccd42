-- Routes by the region header and fails over by itself: what a careful author writes who has Lua and nothing else.
-- Health is known to one worker at a time, and a request that has failed cannot be sent again.
local REGIONS = { "us-sanjose-1", "us-chicago-1" }
local FENCED = { ["residents.example.com"] = { ["us-sanjose-1"] = true } }
local THRESHOLD, BASE, LONGEST = 5, 3000, 300000
local health = {}
for _, region in ipairs(REGIONS) do
  health[region] = { failures = 0, times = 0, until_ms = 0 }
end

local function now(handle)
  return tonumber(handle:timestamp(EnvoyTimestampResolution.MILLISECOND))
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local fence = FENCED[headers:get(":authority")]
  local asked = headers:get("region")
  if not (asked and health[asked]) or (fence and not fence[asked]) then
    asked = REGIONS[1]
  end
  local chosen, time = asked, now(handle)
  if health[asked].until_ms > time then
    for _, region in ipairs(REGIONS) do
      if health[region].until_ms <= time and (not fence or fence[region]) then
        chosen = region
        break
      end
    end
  end
  headers:replace("x-lua-region", chosen)
  handle:streamInfo():dynamicMetadata():set("regions.lua", "region", chosen)
  handle:clearRouteCache()
end

function envoy_on_response(handle)
  local chosen = handle:streamInfo():dynamicMetadata():get("regions.lua")
  local region = chosen and health[chosen["region"]]
  if not region then
    return
  end
  local status, time = tonumber(handle:headers():get(":status")), now(handle)
  if status ~= 502 and status ~= 503 and status ~= 504 then
    region.failures = 0
    if region.until_ms <= time then
      region.times = 0
    end
    return
  end
  region.failures = region.failures + 1
  if region.failures >= THRESHOLD and region.until_ms <= time then
    region.failures = 0
    region.times = region.times + 1
    region.until_ms = time + math.min(BASE * region.times, LONGEST)
  end
end
