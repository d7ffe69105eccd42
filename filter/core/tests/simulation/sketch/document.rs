//! The policy document of a mesh.

use super::{BEGIN, Sketch, host, path, tag};
use serde_json::{Value, json};

impl Sketch {
    /// The document for the filter.
    pub(crate) fn document(&self) -> Value {
        let name = |region: &usize| format!("r{region}");
        let names = |regions: &[usize]| regions.iter().map(name).collect::<Vec<_>>();
        let regions: Vec<Value> = (0..self.regions)
            .map(|r| json!({"name": name(&r), "clusters": [format!("c{r}")], "displayName": tag(r), "aliases": [format!("alias-{r}")]}))
            .collect();
        let services: Vec<Value> = (0..self.services)
            .map(|s| {
                let destination = json!({"host": format!("s{s}.local"), "port": 80});
                let mut service = json!({"name": format!("s{s}"), "hosts": [host(s)], "destination": destination});
                if self.probed.contains(&s) {
                    service["probe"] = json!({"path": "/healthz"});
                }
                service
            })
            .collect();
        let mut fences = json!({});
        let mut rules = Vec::new();
        for (number, rule) in self.rules[..self.rules.len() - 1].iter().enumerate() {
            let mut written = json!({
                "name": format!("rule-{number}"),
                "match": {"pathPrefix": path(number)},
                "timeout": time(rule.timeout),
                "whenExhausted": if rule.fails { "fail" } else { "preferred" },
                "onUnknownRegion": if rule.rejects { "reject" } else { "ignore" },
            });
            if let Some(fence) = &rule.fence {
                fences[format!("f{number}")] = json!(names(fence));
                written["fence"] = json!(format!("f{number}"));
            }
            if !rule.failover.is_empty() {
                let entry = |(from, to): &(usize, Vec<usize>)| json!({"from": name(from), "to": names(to)});
                written["failover"] = rule.failover.iter().map(entry).collect();
            }
            if !rule.distribute.is_empty() {
                written["distribute"] =
                    rule.distribute.iter().map(|(region, percent)| (name(region), json!(percent))).collect();
            }
            if let Some(rescue) = rule.rescue {
                written["rescue"] = json!({"attempts": rescue.attempts, "perTryTimeout": time(rescue.per_try)});
            }
            rules.push(written);
        }
        let drills: Vec<Value> = self
            .drills
            .iter()
            .enumerate()
            .map(|(number, drill)| {
                let services: Vec<String> = drill.services.iter().map(|service| format!("s{service}")).collect();
                json!({"name": format!("drill-{number}"), "region": name(&drill.region), "services": services,
                       "percent": drill.percent, "from": date(drill.from), "until": date(drill.until)})
            })
            .collect();
        json!({
            "apiVersion": "meridian/v1", "role": "gateway", "regions": regions, "services": services, "fences": fences,
            "rules": rules, "drills": drills, "table": if self.full_table { "full" } else { "plans" },
            "outlierDetection": {
                "consecutiveGatewayErrors": self.health.gateway_errors, "consecutive5xxErrors": self.health.server_errors,
                "interval": time(self.health.interval), "baseEjectionTime": time(self.health.base),
                "maxEjectionTime": time(self.health.longest), "maxEjectionPercent": self.health.most,
                "failurePercentage": {"threshold": self.health.threshold, "requestVolume": self.health.volume},
                "stallTimeout": time(self.health.stall),
            },
            "activeHealthCheck": {
                "interval": time(self.probes.interval), "timeout": time(self.probes.timeout),
                "unhealthyThreshold": self.probes.unhealthy, "healthyThreshold": self.probes.healthy,
            },
            "warmup": {
                "duration": if self.health.ramp == 0 { "0s".to_owned() } else { time(self.health.ramp) },
                "minimumPercent": self.health.minimum, "aggression": self.health.aggression as f64 / 100.0,
                "halfOpenRequests": self.health.tokens,
            },
        })
    }
}

fn time(millis: u64) -> String {
    format!("{millis}ms")
}

/// So many seconds after the beginning, as drills are written.
fn date(seconds: u64) -> String {
    let seconds = BEGIN / 1_000 + seconds;
    let (day, rest) = (seconds / 86_400 + 1, seconds % 86_400);
    format!("1970-01-{day:02}T{:02}:{:02}:{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60)
}
