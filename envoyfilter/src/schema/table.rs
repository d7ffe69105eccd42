//! Every key of a policy document: its name, its shape, and a sentence.

use super::{Form, Key, Named, Shape};
use Shape::{Boolean, Keys, List, Names, Text, True, Whole, Word};

pub(super) const LABEL_FORM: Form = form("^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", 63, "eu-west-1");
const LABEL: Shape = Shape::Form(LABEL_FORM);
const REGION_NAME: Shape = Shape::Name(Named::Region);
const DURATION: Shape = Shape::Form(form(r"^[0-9]+(\.[0-9]{1,6})?(ms|s|m|h)$", 64, "10s"));
const HOST: Shape = Shape::Form(form(r"^(\*|(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*)$", 255, "bookinfo.example.com"));
const ONE_HOST: Shape =
    Shape::Form(form(r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$", 253, "productpage.bookinfo.svc.cluster.local"));
const HEADER_NAME: Shape = Shape::Form(form(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", 256, "x-tenant"));
const HEADER_VALUE: Shape = Shape::Form(form("^[!-~]([ -~]*[!-~])?$", 256, "acme"));
const TIME: Shape = Shape::Form(form(
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}([Zz]|[+-][0-9]{2}:[0-9]{2})$",
    25,
    "2026-11-20T10:00:00Z",
));
const METHOD: Shape = Shape::Form(form("^[A-Z-]+$", 32, "GET"));
const PATH: Shape = Shape::Form(form("^/[^?#]*$", 8192, "/api"));

const fn form(pattern: &'static str, longest: usize, example: &'static str) -> Form {
    Form { pattern, longest, example }
}

const fn required(name: &'static str, shape: Shape, says: &'static str) -> Key {
    Key { name, required: true, shape, says }
}

const fn optional(name: &'static str, shape: Shape, says: &'static str) -> Key {
    Key { name, required: false, shape, says }
}

pub(super) const POLICY: &[Key] = &[
    required("apiVersion", Word(&["meridian/v1"]), "The version of this document."),
    required(
        "role",
        Word(&["gateway", "outbound", "inbound"]),
        "Where the filter sits: an edge proxy, a sidecar's calls, or a sidecar's answers (which it only tags).",
    ),
    optional(
        "local",
        REGION_NAME,
        "The region this Envoy runs in. Absent: by its CLUSTER_ID, else by its locality, else none.",
    ),
    optional("regionHeader", HEADER_NAME, "The header a client may ask with. Default: region."),
    required("regions", List(1, &Keys(REGION)), "The units of routing and health, in order of preference."),
    optional(
        "fences",
        Names(LABEL_FORM, &List(1, &REGION_NAME)),
        "Named sets of regions, in order, that a rule may not leave.",
    ),
    required("services", List(1, &Keys(SERVICE)), "The scope of health, and what native routes are made for."),
    optional(
        "rules",
        List(0, &Keys(RULE)),
        "The first that matches decides. None: asked, else local, else the first region.",
    ),
    optional("outlierDetection", Keys(OUTLIER_DETECTION), "When a region is ejected for a service, and for how long."),
    optional("warmup", Keys(WARMUP), "How a region comes back."),
    optional(
        "table",
        Word(&["full", "plans"]),
        "How much of the policy the native table holds: rules, spellings and plans, or plans only (for many regions or spellings).",
    ),
    optional("stage", Word(&["enforce"]), "Whether the policy acts."),
    optional("headers", Keys(HEADERS), "Other names for the mesh's own headers, which no client may bring."),
    optional("tag", Keys(TAG), "Who may see which cluster served a request."),
    optional("drills", List(0, &Keys(DRILL)), "Regions that are taken away on purpose, to see that nobody notices."),
    optional("critical", List(0, &Text), "Keys that a filter too old to know them must refuse."),
];

const REGION: &[Key] = &[
    required("name", LABEL, "The region, as its nodes name it in topology.kubernetes.io/region."),
    required("clusters", List(1, &HEADER_VALUE), "The Istio clusters (CLUSTER_ID) that make up the region."),
    optional("displayName", HEADER_VALUE, "What responses are tagged with. Default: the name."),
    optional("aliases", List(0, &HEADER_VALUE), "Other spellings a client may ask with, in any case."),
];

const SERVICE: &[Key] = &[
    required("name", LABEL, "Unique in the policy."),
    required("hosts", List(1, &HOST), "The hosts it answers for: a DNS name, `*.` and a DNS name, or `*`."),
    required("destination", Keys(DESTINATION), "Where its requests go natively."),
];

const DESTINATION: &[Key] = &[
    required("host", ONE_HOST, "A host of the service registry, e.g. productpage.bookinfo.svc.cluster.local."),
    required("port", Whole(1, 65_535), "Its port."),
];

const RULE: &[Key] = &[
    required("name", LABEL, "Unique in the policy; `default` is the implied last rule."),
    optional("match", Keys(MATCH), "Which requests it is about. Absent: all."),
    optional("fence", Shape::Name(Named::Fence), "No route of this rule leads out of these regions."),
    optional(
        "failover",
        List(0, &Keys(FAILOVER)),
        "Where to go instead. Absent: the other regions of the fence, in order.",
    ),
    optional(
        "distribute",
        Names(LABEL_FORM, &Whole(1, 100)),
        "Shares in percent, adding up to 100, for requests that ask for no region.",
    ),
    optional("timeout", DURATION, "The whole request ends by then. Default: 15s."),
    optional(
        "rescue",
        Keys(RESCUE),
        "What Envoy tries again by itself, inside the fence. Absent: the user's own retries.",
    ),
    optional(
        "onUnknownRegion",
        Word(&["ignore", "reject"]),
        "A request for a region that does not exist: as if none were asked for, or 400.",
    ),
    optional("whenExhausted", Word(&["preferred", "fail"]), "No region is usable: try the wanted one anyway, or 503."),
];

const MATCH: &[Key] = &[
    optional("services", List(0, &Shape::Name(Named::Service)), "One of these services. Empty: all."),
    optional("hosts", List(0, &HOST), "One of these hosts. Empty: all."),
    optional("pathPrefix", PATH, "The path begins with this, byte for byte."),
    optional("methods", List(0, &METHOD), "One of these methods. Empty: all."),
    optional("headers", List(0, &Keys(HEADER)), "All of these headers."),
];

const HEADER: &[Key] = &[
    required("name", HEADER_NAME, "The header."),
    required("exact", HEADER_VALUE, "Its one value."),
    optional("trusted", Boolean, "The mesh sets it and the edge strips it; a rule with a fence asks for this."),
];

const FAILOVER: &[Key] = &[
    required("from", REGION_NAME, "The wanted region."),
    required("to", List(0, &REGION_NAME), "Where to go instead, in order. Empty: nowhere."),
];

const RESCUE: &[Key] = &[
    optional("attempts", Whole(1, 10), "Tries after the first. Default: 2."),
    optional("perTryTimeout", DURATION, "One try ends by then. Default: 1s."),
    optional("methods", List(1, &METHOD), "Requests that may be sent twice. Default: GET and HEAD."),
];

const OUTLIER_DETECTION: &[Key] = &[
    optional(
        "consecutiveGatewayErrors",
        Whole(0, 1_000),
        "502, 503, 504 or no answer, in a row; 0 is off. Default: 5.",
    ),
    optional("consecutive5xxErrors", Whole(0, 1_000), "Any 5xx in a row; 0 is off, and the default."),
    optional(
        "interval",
        DURATION,
        "The window of failurePercentage, how long a region may answer nothing while others do, and how long without an ejection takes one off the multiplier. Default: 10s.",
    ),
    optional("baseEjectionTime", DURATION, "The n-th ejection in a row lasts n times this. Default: 30s."),
    optional("maxEjectionTime", DURATION, "No ejection lasts longer. Default: 300s."),
    optional(
        "maxEjectionPercent",
        Whole(0, 100),
        "How many regions of a service may be ejected at once. Default: 100.",
    ),
    optional(
        "failurePercentage",
        Keys(FAILURE_PERCENTAGE),
        "The share of failures, any 5xx among them, that ejects; never the last region in use.",
    ),
    optional("stallTimeout", DURATION, "Requests that nobody answers for so long eject. Default: 5s."),
];

const FAILURE_PERCENTAGE: &[Key] = &[
    optional("threshold", Whole(0, 100), "In percent; 0 is off. Default: 50."),
    optional("requestVolume", Whole(1, 1_000_000), "Fewer requests in an interval say nothing. Default: 100."),
];

const WARMUP: &[Key] = &[
    optional("duration", DURATION, "How long until it has all its requests again; 0s is at once. Default: 60s."),
    optional("minimumPercent", Whole(0, 100), "What it gets at first, in percent of its requests. Default: 10."),
    optional(
        "aggression",
        Shape::Number(10, 1_000),
        "The share grows with (elapsed / duration) ^ (1 / aggression), as in Envoy's slow start. Default: 1.0, a straight line.",
    ),
    optional("halfOpenRequests", Whole(1, 1_000), "How many requests at once may try a half-open region. Default: 1."),
];

const DRILL: &[Key] = &[
    required("name", LABEL, "Unique in the policy."),
    required("region", REGION_NAME, "The region that is taken away."),
    optional("services", List(0, &Shape::Name(Named::Service)), "From these services. Empty: all."),
    required("percent", Whole(1, 100), "From how many of their requests, in percent."),
    required("from", TIME, "From then on."),
    required("until", TIME, "Until then."),
];

const HEADERS: &[Key] = &[
    optional(
        "servedBy",
        HEADER_NAME,
        "On answers: the displayName of the cluster that served it. Default: x-served-by-cluster.",
    ),
    optional("decision", HEADER_NAME, "On answers: what was decided, and why. Default: x-region-decision."),
    optional("route", HEADER_NAME, "Inside the gateway: the plan. Default: x-region-route."),
    optional("explain", HEADER_NAME, "On requests: the key of who may ask why. Default: x-region-explain."),
];

const TAG: &[Key] = &[optional("public", True, "Whether clients see the tag. Default: true.")];
