//! Everything the lint can find, in one table: what `meridian lint --explain CODE` prints, and what every finding refers to.

use serde::Serialize;

/// One kind of finding.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Code {
    /// E.g. `MER001`; never given to another kind.
    pub name: &'static str,
    /// `error`: a fence or a plan does not hold. `warning`: it holds less well than it looks.
    pub severity: &'static str,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// What comes of it.
    pub why: &'static str,
    /// What to do.
    pub instead: &'static str,
}

const ERROR: &str = "error";
const WARNING: &str = "warning";

macro_rules! codes {
    ($($name:ident $severity:ident $title:literal $why:literal $instead:literal)*) => {
        $(pub(super) static $name: Code =
            Code { name: stringify!($name), severity: $severity, title: $title, why: $why, instead: $instead };)*
        /// Every code, in order.
        pub static CODES: &[&Code] = &[$(&$name),*];
    };
}

codes! {
MER001 ERROR "a plan has no subset"
    "A route to a subset that no DestinationRule defines is answered with 503 (NC). An east-west gateway knows a subset only from the \
     DestinationRules of its own cluster, so one that is missing there resets the connection."
    "Apply the DestinationRules that `meridian render istio` writes, in every cluster, before the routes."
MER002 ERROR "maxEjectionPercent keeps a lost region in use"
    "The hosts of a lost region are all bad at once, and across networks they are one host, the gateway. Istio's default of 10 % leaves \
     most of them in use, so that requests keep failing where the plan should have moved on."
    "maxEjectionPercent: 100"
MER003 ERROR "no outlierDetection, so no failover"
    "Without outlier detection Istio writes no priorities at all: a plan's preference means nothing, and requests go to every region."
    "outlierDetection: {consecutiveGatewayErrors: 5, interval: 10s, baseEjectionTime: 30s, maxEjectionPercent: 100}"
MER004 ERROR "portLevelSettings hide outlierDetection"
    "Settings for a port are taken in place of all the others, and inherit nothing. An entry for the service's port without outlier \
     detection switches it off, whatever stands beside it."
    "Repeat outlierDetection in the entry of portLevelSettings, or delete the entry."
MER005 ERROR "a fence's subset without the fence's label"
    "The label is the fence: a plan's endpoints are the pods that carry it. Without it the subset is every pod in every region, and the \
     plan leaves the fence as soon as its first region fails."
    "labels: {fence.meridian/<fence>: \"true\"}; for an only- plan the cluster or the region of its pods."
MER006 ERROR "a retry leaves the fence"
    "retryRemoteLocalities sends a retry to the next region of the subset. Where the subset is not held by a fence's label that can be \
     any region."
    "Route to a plan of the fence, whose subset carries the fence's label, or take retryRemoteLocalities out."
MER007 WARNING "a route without a timeout"
    "Istio's default is none. A region that is frozen, rather than gone, then holds its requests for ever: nothing fails, so nothing is \
     retried, counted or moved."
    "timeout: 15s"
MER008 ERROR "a routing header is not stripped at the edge"
    "A client could choose its plan, or pretend to be what a trusted header says. Nothing leaves a fence that way, but a rule with a \
     trusted header would be chosen by the client."
    "Remove the header by early header mutation in an EnvoyFilter for the gateways; `meridian render istio` writes one."
MER009 ERROR "a pod is in a fence, and its node is outside"
    "The label puts the pod behind every plan of the fence. Its node is in a region that the fence does not hold, so requests leave."
    "Delete the label, or move the pod to a node of a region of the fence."
MER010 WARNING "a pod inside a fence lacks its label"
    "The pod serves a service that a fence is about, in a region of the fence, and no plan of the fence will use it."
    "labels: {fence.meridian/<fence>: \"true\"} on the pod, or on the template of its workload."
MER011 ERROR "a node without a region"
    "Istio takes a pod's region from topology.kubernetes.io/region on its node. Without it every endpoint has the same priority, and no \
     region is preferred to another."
    "metadata: {labels: {topology.kubernetes.io/region: <region>}}"
MER012 WARNING "a node in a region the policy does not know"
    "No plan prefers its pods, and no fence can hold them."
    "The name of a region of the policy, or a region in the policy for it."
MER013 ERROR "the native table is over its limits"
    "Envoy scans a host's routes in order at about 33 ns each, and istiod builds a cluster for every subset of every service on every \
     proxy."
    "`table: plans` in the policy, fences with fewer regions, or fewer routes and versions."
MER014 ERROR "cluster_header is in use"
    "A header then names the Envoy cluster a request goes to, any cluster: out of every fence, and to the proxy's own admin interface."
    "Routes to subsets by exact value; that is what a plan's routes are."
MER015 ERROR "failoverPriority names a key twice"
    "Istio keeps one value for a key, the last one: of two clusters it prefers the second."
    "One entry for each key. A plan names its first region; the filter keeps the order of the others."
MER016 WARNING "a namespace whose pods have no sidecar"
    "Meridian needs a sidecar at the serving side: it sets the tag, and only there can an AuthorizationPolicy refuse. Pods without \
     one, and ambient mode, have neither."
    "labels: {istio-injection: enabled}, or istio.io/rev with the revision."
MER017 ERROR "a route leads out of the fence"
    "Every rule of this host has a fence, and this route goes to endpoints that the fence does not hold."
    "subset: <a plan of the fence>; `meridian render istio` writes these routes."
MER018 WARNING "a label of a fence that does not exist"
    "No plan asks for it: the pod is in no fence by it, which may be a slip of the pen."
    "The name of a fence of the policy, with the value \"true\"."
MER019 ERROR "a client's header steps around a fence"
    "The first rule that matches decides. This one matches by a header that a client may send, has no fence, and stands above a rule that \
     has one: whoever sends the header is no longer in the fence."
    "Rules with a fence first, or `trusted: true` for a header that the mesh sets and the edge strips."
MER020 WARNING "a fence that another spelling of a path leaves"
    "A fence by pathPrefix holds for paths that begin with it as they are matched. `//eu` or `/x%2f..%2feu` does not, gets another rule \
     that has no fence, and may be the same page to the application."
    "Fence by host; or pathNormalization: {normalization: DECODE_AND_MERGE_SLASHES} in the mesh's configuration, among the manifests."
MER021 ERROR "the mesh does not normalize paths, and a fence depends on them"
    "Istio's default is BASE, which resolves dots and leaves `//` and `%2f`. Routes are matched on what is left, so a client chooses by \
     its spelling whether a fenced rule is found."
    "pathNormalization: {normalization: DECODE_AND_MERGE_SLASHES}"
MER022 ERROR "clients see the tag that the policy keeps from them"
    "With `tag: {public: false}` a gateway takes the tag out of answers, by the filter and, where it is missing, by a filter of Envoy's own. \
     Without the latter clients see which cluster serves them whenever the former is not there."
    "Remove the header by `response_mutations` of a header_mutation filter, first in the gateways' chains; `meridian render istio` writes one."
}

/// The code with this name, in any case.
#[must_use]
pub fn code(name: &str) -> Option<&'static Code> {
    CODES.iter().copied().find(|code| code.name.eq_ignore_ascii_case(name))
}
