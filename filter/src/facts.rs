//! The facts of a response: the cheap ones from its headers, the dear ones from the host's attributes.

use crate::abi;
use crate::metrics::Metrics;
use meridian_core::decide::Decision;
use meridian_core::judge::{ResponseFacts, UpstreamFacts};
use meridian_core::request::Lines;
use meridian_core::{ClaimMatch, Claims, HeaderMap, Plan, Policy, RegionId, ServiceId};

/// The decision in the stream's filter state, for access logs and traces.
pub(crate) const STATE: &str = "meridian_decision";
/// The router's own count of tries, switched on by the renderer.
const ATTEMPTS: &str = "x-envoy-attempt-count";

/// What the headers of a response say.
pub(crate) struct Answer {
    /// What is judged.
    pub(crate) response: ResponseFacts,
    /// Its gRPC status may come after its body. gRPC-Web's comes inside it, where nobody here looks.
    pub(crate) is_grpc: bool,
    /// There is a tag, or several.
    pub(crate) is_tagged: bool,
    /// Somebody upstream explained it.
    pub(crate) is_explained: bool,
}

/// Reads the headers of a response, once.
pub(crate) fn answer(headers: &HeaderMap, policy: &Policy) -> Answer {
    let names = policy.headers();
    let [status, grpc_status, attempts, tag, kind, why] =
        headers.several([":status", "grpc-status", ATTEMPTS, &names.served_by, "content-type", &names.decision]);
    let response = ResponseFacts {
        status: number(status).and_then(|status| u16::try_from(status).ok()).unwrap_or(0),
        grpc_status: number(grpc_status),
        attempts: number(attempts).unwrap_or(1),
        tagged: match tag {
            Lines::One(tag) => policy.region_tagged(tag),
            Lines::None | Lines::Several => None,
        },
    };
    let is_grpc = matches!(kind, Lines::One(kind) if is_grpc(kind));
    Answer { response, is_grpc, is_tagged: tag != Lines::None, is_explained: why != Lines::None }
}

/// What the host keeps of a request's token, read where a rule asks: about a microsecond a claim.
pub(crate) struct Token<'a>(pub(crate) &'a Metrics);

impl Claims for Token<'_> {
    fn holds(&self, claim: &ClaimMatch) -> bool {
        let value = self.0.checked("get_property", abi::property(claim.property())).flatten();
        value.is_some_and(|value| claim.is_in(value))
    }
}

fn is_grpc(kind: &[u8]) -> bool {
    kind.strip_prefix(b"application/grpc").is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

fn number(lines: Lines<'_>) -> Option<u32> {
    match lines {
        Lines::One(value) => digits(value),
        Lines::None | Lines::Several => None,
    }
}

/// A whole number.
pub(crate) fn digits(value: &[u8]) -> Option<u32> {
    let digit = |byte: &u8| Some(u32::from(byte.checked_sub(b'0').filter(|digit| *digit < 10)?));
    // Nine of them are no more than 32 bits hold, and nothing here is longer.
    let fits = (1..=9).contains(&value.len());
    value.iter().filter(|_| fits).try_fold(0, |number, byte| Some(number * 10 + digit(byte)?)).filter(|_| fits)
}

/// What the host knows beyond the headers. Six attributes at most, each about a microsecond: only for responses that are not plain.
pub(crate) fn upstream(policy: &Policy, metrics: &Metrics) -> UpstreamFacts {
    let read = |path: &[u8]| metrics.checked("get_property", abi::property(path)).flatten();
    // Istio's `workload;namespace;canonical-name;canonical-revision;cluster`, as istiod sends it with the endpoint.
    let workload = read(b"xds\0upstream_host_metadata\0filter_metadata\0istio\0workload");
    let cluster = workload.as_deref().and_then(|workload| workload.rsplit(|byte| *byte == b';').next());
    let by_cluster = cluster.and_then(|cluster| policy.region_of_cluster(cluster));
    let region = by_cluster.or_else(|| {
        let locality = read(b"upstream\0locality\0region")?;
        policy.region_named(std::str::from_utf8(&locality).ok()?)
    });
    let tried =
        region.is_some() || workload.is_some() || read(b"upstream\0address").is_some_and(|address| !address.is_empty());
    let answered = read(b"response\0code_details").is_some_and(|details| details == b"via_upstream");
    let planned = planned(policy, metrics);
    UpstreamFacts { tried, answered, region, planned }
}

/// The service and the plan that was used.
pub(crate) fn planned(policy: &Policy, metrics: &Metrics) -> Option<(ServiceId, Plan)> {
    let cluster = metrics.checked("get_property", abi::property(b"xds\0cluster_name")).flatten()?;
    policy.plan_of_cluster(&cluster)
}

/// The facts of a request that no plan was made for, because the policy is not acted on: whichever region was tried was the one it was
/// sent to.
pub(crate) fn observed(
    policy: &Policy,
    facts: UpstreamFacts,
    decision: Option<&Decision>,
    tagged: Option<RegionId>,
) -> UpstreamFacts {
    let sent = decision.zip(facts.region.or(tagged));
    let sent = sent.map(|(decision, region)| (decision.service, policy.everywhere(region)));
    UpstreamFacts { planned: facts.planned.or(sent), ..facts }
}

/// The name of the native route that was taken.
pub(crate) fn route_name(metrics: &Metrics) -> Option<Vec<u8>> {
    metrics.checked("get_property", abi::property(b"xds\0route_name")).flatten()
}
