//! Mistakes made on purpose, to see that the checks bite: each of them has to break the check that is there for it.

use serde_json::{Value, json};

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// Every fence holds every region, in the table and in the filter.
    OpenFences,
    /// The same, in the filter alone: what the native table is there for.
    OpenFencesInTheFilter,
    /// The first worker of each gateway never ticks.
    NoTicks,
    /// No worker hears of another's news before its tick.
    NoRings,
    /// Nobody sends a probe.
    NoProbes,
    /// A region that comes back gets everything at once.
    NoRamp,
    /// A half-open region is tried by everybody.
    ManyTokens,
    /// An ejection is over as soon as it began.
    ShortEjections,
    /// An ejection does not end.
    EndlessEjections,
    /// `whenExhausted` the other way round.
    WrongExhaustion,
    /// Nothing that fails ejects.
    NoEjections,
    /// Every order of failover is reversed.
    WrongOrder,
    /// A success is now and then told as an unsigned failure.
    Slander,
    /// The filter believes to be in the last region.
    WrongHome,
    /// The filter knows of no drill.
    NoDrills,
    /// Envoy retries nothing.
    NoRetries,
    /// Envoy sends every try that may be repeated to all regions of the plan.
    Storm,
}

impl Sabotage {
    /// Every one, with the check that has to break; `None`: nothing may.
    pub(crate) const ALL: [(Self, Option<&'static str>); 17] = [
        (Self::OpenFences, Some("fence")),
        (Self::OpenFencesInTheFilter, None),
        (Self::NoTicks, Some("agreement")),
        (Self::NoRings, Some("agreement")),
        (Self::NoProbes, Some("probe")),
        (Self::NoRamp, Some("ramp")),
        (Self::ManyTokens, Some("half-open")),
        (Self::ShortEjections, Some("flapping")),
        (Self::EndlessEjections, Some("return")),
        (Self::WrongExhaustion, Some("exhaustion")),
        (Self::NoEjections, Some("notice")),
        (Self::WrongOrder, Some("order")),
        (Self::Slander, Some("blame")),
        (Self::WrongHome, Some("native")),
        (Self::NoDrills, Some("drill")),
        (Self::NoRetries, Some("rescue")),
        (Self::Storm, Some("load")),
    ];

    /// What it does to the document of the native table.
    pub(crate) fn spoil_table(self, document: &mut Value) {
        if self == Self::OpenFences {
            open(document);
        }
    }

    /// What it does to the document of the filter.
    pub(crate) fn spoil_filter(self, document: &mut Value, sketch: &crate::sketch::Sketch) {
        match self {
            Self::OpenFences | Self::OpenFencesInTheFilter => open(document),
            Self::NoRamp => document["warmup"]["duration"] = json!("0s"),
            Self::ManyTokens => document["warmup"]["halfOpenRequests"] = json!(1_000),
            Self::ShortEjections => {
                document["outlierDetection"]["baseEjectionTime"] = json!("1ms");
                document["outlierDetection"]["maxEjectionTime"] = json!("1ms");
            }
            Self::EndlessEjections => {
                document["outlierDetection"]["baseEjectionTime"] = json!("1h");
                document["outlierDetection"]["maxEjectionTime"] = json!("1h");
            }
            Self::WrongExhaustion => rules(document, |rule| {
                let other = if rule["whenExhausted"] == "fail" { "preferred" } else { "fail" };
                rule["whenExhausted"] = json!(other);
            }),
            Self::NoEjections => {
                document["outlierDetection"]["consecutiveGatewayErrors"] = json!(0);
                document["outlierDetection"]["consecutive5xxErrors"] = json!(0);
                document["outlierDetection"]["failurePercentage"]["threshold"] = json!(0);
            }
            Self::WrongOrder => {
                let lists = document["fences"].as_object_mut().into_iter().flat_map(|fences| fences.values_mut());
                lists.filter_map(Value::as_array_mut).for_each(|list| list.reverse());
                rules(document, |rule| {
                    let entries = rule.get_mut("failover").and_then(Value::as_array_mut).into_iter().flatten();
                    entries.filter_map(|entry| entry["to"].as_array_mut()).for_each(|list| list.reverse());
                });
            }
            Self::WrongHome => document["local"] = json!(format!("r{}", sketch.regions - 1)),
            Self::NoDrills => document["drills"] = json!([]),
            Self::NoTicks | Self::NoRings | Self::NoProbes | Self::Slander | Self::NoRetries | Self::Storm => {}
        }
    }
}

fn open(document: &mut Value) {
    let all: Vec<Value> = document["regions"].as_array().unwrap().iter().map(|region| region["name"].clone()).collect();
    document["fences"].as_object_mut().unwrap().values_mut().for_each(|fence| {
        // The order inside stays as it is.
        let list = fence.as_array_mut().unwrap();
        let others: Vec<Value> = all.iter().filter(|region| !list.contains(region)).cloned().collect();
        list.extend(others);
    });
}

fn rules(document: &mut Value, change: impl FnMut(&mut Value)) {
    document["rules"].as_array_mut().unwrap().iter_mut().for_each(change);
}
