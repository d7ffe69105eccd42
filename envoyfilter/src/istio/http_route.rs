//! One http route of a user's, expanded into the routes of the rules.
//!
//! Plain routes, for a service without a `VirtualService`, are the same thing made from the smallest route there is: a destination. So
//! there is one way a route comes about, and what a user wrote is on every route made from it: a rewrite, CORS, faults, mirrors,
//! weights, timeouts. Only for the methods that a rule rescues, its retries stand in place of the user's. The last rule of a host
//! matches everything, so the routes made from one of the user's catch exactly what it caught, and the next are reached as before.

use super::complaint::{Complaints, Place};
use super::matching::{Conditions, combine};
use super::needs::Needs;
use super::table::{self, Entry, Half, Header};
use meridian_core::{Plan, Policy, Rule};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// What Envoy retries for a rescued method; the same as on a static Envoy.
const RETRY_ON: &str = "connect-failure,refused-stream,unavailable,cancelled,gateway-error,reset";

/// Expands routes of one host of the policy.
pub(super) struct Expansion<'a> {
    pub(super) policy: &'a Policy,
    /// The host's rules, in order.
    pub(super) rules: Vec<&'a Rule>,
    /// The namespace short names are resolved in.
    pub(super) namespace: &'a str,
    pub(super) complaints: &'a Complaints,
}

impl Expansion<'_> {
    /// The routes made from `user`, which is left alone if it leads to nothing of the policy's.
    pub(super) fn expand(&self, user: &Map<String, Value>, at: &Place, needs: &mut Needs) -> Vec<Value> {
        if user.contains_key("delegate") {
            self.complaints.note(
                &at.key("delegate"),
                "a delegate's routes cannot be expanded from here",
                "write its routes into this VirtualService",
            );
            return Vec::new();
        }
        let destinations = list(user, "route");
        if destinations.is_empty() {
            return vec![Value::Object(user.clone())];
        }
        let known = destinations.iter().filter(|share| self.is_known(share.get("destination"))).count();
        if known == 0 && !self.rules.iter().any(|rule| rule.fenced) {
            return vec![Value::Object(user.clone())];
        }
        if known < destinations.len() {
            for (index, share) in destinations.iter().enumerate() {
                if !self.is_known(share.get("destination")) {
                    let place = at.key("route").item(index).key("destination").key("host");
                    let suggestion = "add it to the policy's `services`, or give it a route of its own";
                    self.complaints.note(
                        &place,
                        "is no service of the policy, so no rule would hold for it",
                        suggestion,
                    );
                }
            }
            return Vec::new();
        }
        let mut routes = Vec::new();
        for rule in &self.rules {
            let halves = table::halves(rule);
            for entry in table::entries(self.policy, rule) {
                for half in &halves {
                    routes.extend(self.route(user, rule, &entry, half, at, needs));
                }
            }
        }
        routes
    }

    /// One route; `None` where the user's match and the rule's have nothing in common.
    fn route(
        &self,
        user: &Map<String, Value>,
        rule: &Rule,
        entry: &Entry,
        half: &Half,
        at: &Place,
        needs: &mut Needs,
    ) -> Option<Value> {
        let matches = self.matches(user, rule, entry, half, at)?;
        let mut route = user.clone();
        route.insert("name".to_owned(), json!(name(user, entry)));
        if matches.is_empty() {
            route.remove("match")
        } else {
            route.insert("match".to_owned(), json!(matches))
        };
        route.insert("route".to_owned(), self.shares(user, entry, at, needs));
        self.mirrors(&mut route, rule, entry, at, needs);
        route.entry("timeout").or_insert_with(|| json!(duration(rule.timeout)));
        if let Some(rescue) = rule.rescue.as_ref().filter(|_| half.rescued) {
            let retries = json!({
                "attempts": rescue.attempts,
                "perTryTimeout": duration(rescue.per_try_timeout),
                "retryOn": RETRY_ON,
                "retryRemoteLocalities": true,
            });
            route.insert("retries".to_owned(), retries);
        }
        let plan_header = &self.policy.headers().route;
        // To take out what a route is not taken with would cost each request a quarter of a microsecond.
        if !entry.headers.contains(&Header::Absent(plan_header.clone())) {
            without_header(&mut route, plan_header);
        }
        Some(Value::Object(route))
    }

    /// The user's matches, each narrowed; an empty list is a route that matches everything.
    fn matches(
        &self,
        user: &Map<String, Value>,
        rule: &Rule,
        entry: &Entry,
        half: &Half,
        at: &Place,
    ) -> Option<Vec<Map<String, Value>>> {
        let theirs: Vec<Map<String, Value>> =
            list(user, "match").iter().filter_map(Value::as_object).cloned().collect();
        let theirs = if theirs.is_empty() { vec![Map::new()] } else { theirs };
        let conditions = Conditions {
            rule: &rule.matches,
            headers: &entry.headers,
            methods: &half.methods,
            rewrites_prefix: user.get("rewrite").is_some_and(|rewrite| rewrite.get("uri").is_some()),
        };
        let narrow = |(index, user): (usize, &Map<String, Value>)| {
            combine(user, &conditions, &at.key("match").item(index), self.complaints)
        };
        let matches: Vec<_> = theirs.iter().enumerate().filter_map(narrow).collect();
        match matches.as_slice() {
            [] => None,
            [everything] if everything.is_empty() => Some(Vec::new()),
            _ => Some(matches),
        }
    }

    /// The user's weights times the rule's.
    fn shares(&self, user: &Map<String, Value>, entry: &Entry, at: &Place, needs: &mut Needs) -> Value {
        let theirs = list(user, "route");
        let alone = theirs.len() == 1 && entry.targets.len() == 1;
        let mut shares = Vec::new();
        for (index, share) in theirs.iter().enumerate() {
            let place = at.key("route").item(index).key("destination");
            for (plan, weight) in &entry.targets {
                let mut share = share.as_object().cloned().unwrap_or_default();
                let given = share.get("weight").and_then(Value::as_u64);
                if !alone {
                    // Istio takes no weight for 1 only where there is nothing else to weigh against.
                    let given = given.unwrap_or(u64::from(theirs.len() == 1));
                    share.insert("weight".to_owned(), json!(given * weight));
                }
                if let Some(destination) = share.get_mut("destination") {
                    self.plan(destination, *plan, &place, needs);
                }
                shares.push(Value::Object(share));
            }
        }
        Value::Array(shares)
    }

    /// A mirrored request is as much a request as the one that is answered, so it stays inside as well.
    fn mirrors(&self, route: &mut Map<String, Value>, rule: &Rule, entry: &Entry, at: &Place, needs: &mut Needs) {
        let Some((plan, _)) = entry.targets.first() else { return };
        let mut mirror = |destination: &mut Value, place: Place| {
            if self.is_known(Some(destination)) {
                self.plan(destination, *plan, &place, needs);
            } else if rule.fenced {
                let wrong = format!("mirrors requests of the rule `{}` out of its fence", rule.name);
                self.complaints.note(&place.key("host"), wrong, "add it to the policy's `services`, or do not mirror");
            }
        };
        if let Some(destination) = route.get_mut("mirror") {
            mirror(destination, at.key("mirror"));
        }
        let several = route.get_mut("mirrors").and_then(Value::as_array_mut);
        for (index, policy) in several.into_iter().flatten().enumerate() {
            if let Some(destination) = policy.get_mut("destination") {
                mirror(destination, at.key("mirrors").item(index).key("destination"));
            }
        }
    }

    /// Sends a destination to a plan: its subset becomes the plan's, or the user's crossed with it.
    fn plan(&self, destination: &mut Value, plan: Plan, at: &Place, needs: &mut Needs) {
        let Some(plan_name) = self.policy.plan_name(plan) else { return };
        let Some(host) = self.host(Some(destination)) else { return };
        let user = destination.get("subset").and_then(Value::as_str).filter(|subset| !subset.is_empty());
        let name = user.map_or_else(|| plan_name.to_owned(), |user| format!("{user}-{plan_name}"));
        if name.len() > 63 {
            let wrong = format!("together with a plan its name is `{name}`, longer than the 63 characters Istio takes");
            self.complaints.note(&at.key("subset"), wrong, "give the subset, the region or the fence a shorter name");
        }
        needs.add(&host, user, plan, at);
        if let Some(destination) = destination.as_object_mut() {
            destination.insert("subset".to_owned(), json!(name));
        }
    }

    fn is_known(&self, destination: Option<&Value>) -> bool {
        let host = self.host(destination);
        host.is_some_and(|host| self.policy.services().iter().any(|service| service.destination.host == host))
    }

    fn host(&self, destination: Option<&Value>) -> Option<String> {
        Some(full_name(destination?.get("host")?.as_str()?, self.namespace))
    }
}

/// A host as Istio resolves it: a name without dots belongs to the namespace of the resource it stands in.
pub(super) fn full_name(host: &str, namespace: &str) -> String {
    let host = host.to_ascii_lowercase();
    if host.contains('.') || host == "*" { host } else { format!("{host}.{namespace}.svc.cluster.local") }
}

/// `1.5s`, the one form that Go, protobuf and Kubernetes all read.
pub(super) fn duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let text = format!("{}.{:03}", millis / 1000, millis % 1000);
    format!("{}s", text.trim_end_matches('0').trim_end_matches('.'))
}

/// The name of the table's route, then the user's: the filter reads the first, people look for the second.
fn name(user: &Map<String, Value>, entry: &Entry) -> String {
    let theirs = user.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
    let named_match = list(user, "match").iter().any(|user| user.get("name").is_some());
    match theirs {
        Some(theirs) => format!("{}/{theirs}", entry.name),
        // Istio appends `.<name>` of the match, which must not stand behind a word that the filter reads.
        None if named_match => format!("{}/route", entry.name),
        None => entry.name.clone(),
    }
}

/// The plan is between the filter and the table; the service has no business with it.
fn without_header(route: &mut Map<String, Value>, header: &str) {
    let headers = route.entry("headers").or_insert_with(|| json!({}));
    let Some(headers) = headers.as_object_mut() else { return };
    let Some(request) = headers.entry("request").or_insert_with(|| json!({})).as_object_mut() else { return };
    let Some(remove) = request.entry("remove").or_insert_with(|| json!([])).as_array_mut() else { return };
    if !remove.iter().any(|name| name == header) {
        remove.push(json!(header));
    }
}

fn list<'a>(map: &'a Map<String, Value>, key: &str) -> &'a [Value] {
    map.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
