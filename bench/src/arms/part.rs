//! Meridian's native table for the policy that has everything, without a part of it.

use serde_json::{Map, Value};

/// What is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// The retries of rules that rescue.
    Retries,
    /// The two plug-ins by which a retry leaves the region and the host that failed.
    Plugins,
    /// The count of attempts in the response.
    Attempts,
    /// Headers that clients, services and other gateways may not bring.
    Removals,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 4] = [Self::Retries, Self::Plugins, Self::Attempts, Self::Removals];

    /// For people.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Retries => "its table without retries",
            Self::Plugins => "its table, whose retries leave neither region nor host",
            Self::Attempts => "its table without the count of attempts",
            Self::Removals => "its table without taking headers out",
        }
    }

    /// Takes it out of the connection manager's configuration.
    pub(super) fn take_out(self, manager: &mut Value) {
        match self {
            Self::Retries => actions(manager, |action| drop(action.remove("retry_policy"))),
            Self::Plugins => actions(manager, |action| {
                if let Some(retries) = action.get_mut("retry_policy") {
                    take(retries, &["retry_priority", "retry_host_predicate", "host_selection_retry_max_attempts"]);
                }
            }),
            Self::Attempts => each(manager, "/route_config/virtual_hosts", |host| {
                take(host, &["include_attempt_count_in_response"]);
            }),
            Self::Removals => {
                take(manager, &["early_header_mutation_extensions"]);
                if let Some(table) = manager.get_mut("route_config") {
                    take(table, &["request_headers_to_remove"]);
                }
                routes(manager, |route| take(route, &["request_headers_to_remove", "response_headers_to_remove"]));
            }
        }
    }
}

fn take(value: &mut Value, names: &[&str]) {
    if let Some(members) = value.as_object_mut() {
        names.iter().for_each(|name| drop(members.remove(*name)));
    }
}

fn each(value: &mut Value, list: &str, change: impl FnMut(&mut Value)) {
    value.pointer_mut(list).and_then(Value::as_array_mut).into_iter().flatten().for_each(change);
}

fn routes(manager: &mut Value, mut change: impl FnMut(&mut Value)) {
    each(manager, "/route_config/virtual_hosts", |host| each(host, "/routes", &mut change));
}

fn actions(manager: &mut Value, mut change: impl FnMut(&mut Map<String, Value>)) {
    routes(manager, |route| route.get_mut("route").and_then(Value::as_object_mut).into_iter().for_each(&mut change));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_part_is_taken_out_and_nothing_else() {
        let retries = json!({"num_retries": 2, "retry_priority": {}, "retry_host_predicate": []});
        let manager = json!({
            "early_header_mutation_extensions": [1],
            "route_config": {"request_headers_to_remove": ["a"], "virtual_hosts": [{
                "include_attempt_count_in_response": true,
                "routes": [{"response_headers_to_remove": ["b"], "route": {"cluster": "c", "retry_policy": retries}}],
            }]},
        });
        let left = |part: Part| {
            let mut manager = manager.clone();
            part.take_out(&mut manager);
            manager
        };
        let host = "/route_config/virtual_hosts/0";
        assert_eq!(left(Part::Retries).pointer(&format!("{host}/routes/0/route")), Some(&json!({"cluster": "c"})));
        let plain = left(Part::Plugins);
        assert_eq!(plain.pointer(&format!("{host}/routes/0/route/retry_policy")), Some(&json!({"num_retries": 2})));
        assert_eq!(left(Part::Attempts).pointer(host).and_then(|host| host.as_object()).map(Map::len), Some(1));
        let bare = left(Part::Removals);
        assert_eq!(bare.as_object().map(Map::len), Some(1));
        assert_eq!(bare["route_config"].as_object().map(Map::len), Some(1));
        assert_eq!(
            bare.pointer(&format!("{host}/routes/0")).and_then(|route| route.as_object()).map(Map::len),
            Some(1)
        );
    }
}
