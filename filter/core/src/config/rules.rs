//! `rules`, and the implied last one.

use super::builder::Builder;
use super::near::closest;
use super::reader::{Node, Object};
use super::{headers, services};
use crate::claim::ClaimMatch;
use crate::ids::{RegionId, ScopeId};
use crate::plan::{Scope, ScopeName};
use crate::rule::{Applies, HeaderMatch, Method, OnUnknownRegion, Rescue, Rule, RuleMatch, Split, WhenExhausted};
use std::time::Duration;

/// Every rendered route has a timeout: a frozen region must end. Istio's is off, Envoy's is this.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15);

const KNOWN: &[&str] =
    &["name", "match", "fence", "failover", "distribute", "timeout", "rescue", "onUnknownRegion", "whenExhausted"];

/// Reads `rules` and appends the implied last one.
pub(super) fn read(root: &Object<'_>, builder: &mut Builder, local: Option<RegionId>) {
    let Some(all) = ScopeId::at(0) else { return };
    for item in root.get("rules").and_then(|node| node.list()).unwrap_or_default() {
        if let Some(rule) = rule(&item, builder, all, local) {
            builder.rules.push(rule);
        }
    }
    let Some(home) = home(builder, all, local) else { return };
    builder.rules.push(Rule {
        name: "default".to_owned(),
        matches: RuleMatch::default(),
        applies: Applies::default(),
        fenced: false,
        scope: all,
        home,
        restricted: Box::default(),
        singles: Box::default(),
        split: None,
        timeout: DEFAULT_TIMEOUT,
        rescue: None,
        on_unknown_region: OnUnknownRegion::default(),
        when_exhausted: WhenExhausted::default(),
    });
}

/// The local region if it is inside, else the scope's first.
fn home(builder: &Builder, scope: ScopeId, local: Option<RegionId>) -> Option<RegionId> {
    let scope = builder.scopes.get(scope.index())?;
    local.filter(|region| scope.contains(*region)).or_else(|| scope.order().first().copied())
}

fn rule(item: &Node<'_>, builder: &mut Builder, all: ScopeId, local: Option<RegionId>) -> Option<Rule> {
    let object = item.object(KNOWN)?;
    let name = name(&object, builder);
    let fence = object.get("fence");
    let fenced = fence.is_some();
    let scope = match &fence {
        Some(node) => builder.fence(node),
        None => Some(all),
    };
    let (matches, applies) = match object.get("match") {
        Some(node) => read_match(&node, builder, fenced),
        None => (RuleMatch::default(), Applies::default()),
    };
    let rule_name = name.clone().unwrap_or_else(|| "unnamed".to_owned());
    let restricted = object.get("failover").map(|node| failover(&node, builder, scope, &rule_name)).unwrap_or_default();
    let split = object.get("distribute").and_then(|node| distribute(&node, builder, scope));
    let timeout = object.get("timeout").map_or(Some(DEFAULT_TIMEOUT), |node| node.duration());
    let rescue = object.get("rescue").map(|node| rescue(&node));
    let on_unknown_region = object
        .get("onUnknownRegion")
        .and_then(|node| node.choice(&[("ignore", OnUnknownRegion::Ignore), ("reject", OnUnknownRegion::Reject)]));
    let when_exhausted = object
        .get("whenExhausted")
        .and_then(|node| node.choice(&[("preferred", WhenExhausted::Preferred), ("fail", WhenExhausted::Fail)]));
    let scope = scope?;
    Some(Rule {
        name: name?,
        matches,
        applies,
        fenced,
        scope,
        home: home(builder, scope, local)?,
        restricted: restricted.into(),
        singles: Box::default(),
        split,
        timeout: timeout?,
        rescue: rescue.flatten(),
        on_unknown_region: on_unknown_region.unwrap_or_default(),
        when_exhausted: when_exhausted.unwrap_or_default(),
    })
}

fn name(object: &Object<'_>, builder: &Builder) -> Option<String> {
    let node = object.required("name")?;
    let name = node.label()?;
    if name == "default" {
        node.error_with("`default` is the implied last rule", "another name");
    } else if builder.rules.iter().any(|rule| rule.name == name) {
        node.error_with(format!("there is a rule `{name}` already"), "another name");
    }
    Some(name)
}

fn read_match(node: &Node<'_>, builder: &Builder, fenced: bool) -> (RuleMatch, Applies) {
    let (mut matches, mut applies) = (RuleMatch::default(), Applies::default());
    let known = ["services", "hosts", "pathPrefix", "methods", "headers", "claims"];
    let Some(object) = node.object(&known) else { return (matches, applies) };
    let items = |key: &str| object.get(key).and_then(|node| node.list()).unwrap_or_default();

    applies.services = items("services").iter().filter_map(|node| builder.service(node)).collect();
    for node in items("hosts") {
        let Some(pattern) = services::host(&node) else { continue };
        if builder.service_covering(&pattern).is_none() {
            let hosts = builder.hosts.iter().map(|(host, _)| host.to_string());
            let near = closest(&pattern.to_string(), hosts);
            let message = format!("no service answers for `{pattern}`");
            match near {
                Some(near) => node.error_near(message, Some(near)),
                None => node.error_with(message, "a host of one of the `services`"),
            }
        }
        applies.hosts.push(pattern);
    }
    if let Some(node) = object.get("pathPrefix")
        && let Some(prefix) = node.text()
    {
        if prefix.starts_with('/') && !prefix.contains(['?', '#']) {
            prefix.clone_into(&mut matches.path_prefix);
        } else {
            node.error_with(format!("`{prefix}` is not a path"), "a path that begins with `/`, without a query");
        }
    }
    matches.methods = items("methods").iter().filter_map(method).collect();
    matches.headers = items("headers").iter().filter_map(|node| header_match(node, builder, fenced)).collect();
    for node in items("claims") {
        let Some(claim) = claim_match(&node) else { continue };
        // The native table has one place for each.
        if matches.claims.iter().any(|known| known.claim().eq_ignore_ascii_case(claim.claim())) {
            node.error_with("this claim stands twice", "each claim once");
        }
        matches.claims.push(claim);
    }
    (matches, applies)
}

fn method(node: &Node<'_>) -> Option<Method> {
    let text = node.text()?;
    let method = Method::parse(text);
    if method.is_none() {
        let meant = text.to_ascii_uppercase();
        let message = format!("`{text}` is not a method");
        match Method::parse(&meant) {
            Some(_) => node.error_near(message, Some(meant)),
            None => node.error_with(message, "one method, e.g. `GET`"),
        }
    }
    method
}

fn header_match(node: &Node<'_>, builder: &Builder, fenced: bool) -> Option<HeaderMatch> {
    let object = node.object(&["name", "exact", "trusted"])?;
    let name = object.required("name").and_then(|node| headers::others(&node, &builder.headers));
    let exact = object.required("exact").and_then(|node| node.header_value());
    let trusted = object.get("trusted").and_then(|node| node.boolean()).unwrap_or(false);
    if fenced && !trusted {
        let message = "a rule with a fence must not let a client choose by header";
        node.error_with(message, "`trusted: true`, for a header that the mesh sets and the edge strips");
    }
    Some(HeaderMatch { name: name?, exact: exact?, trusted })
}

/// What a checked token says is nobody's wish, so a fence may hang on it.
fn claim_match(node: &Node<'_>) -> Option<ClaimMatch> {
    let object = node.object(&["claim", "value"])?;
    let (claim, value) = (object.required("claim"), object.required("value"));
    let value = value.and_then(|node| node.header_value());
    let claim = claim?;
    let text = claim.text()?;
    let matches = ClaimMatch::new(text, value.as_deref().unwrap_or_default());
    if matches.is_none() {
        claim.error_with(
            format!("`{text}` is not a claim's name"),
            "e.g. `tenant`, or `realm.tenant` for one inside another",
        );
    }
    value.and(matches)
}

fn rescue(node: &Node<'_>) -> Option<Rescue> {
    let object = node.object(&["attempts", "perTryTimeout", "methods"])?;
    let attempts = object.get("attempts").map_or(Some(2), |node| node.integer(1, 10));
    let per_try = object.get("perTryTimeout").map_or(Some(Duration::from_secs(1)), |node| node.duration());
    let methods = match object.get("methods") {
        Some(node) => {
            let items = node.list()?;
            if items.is_empty() {
                node.error_with("is empty", "the methods that may be sent twice, e.g. `[GET, HEAD]`");
            }
            items.iter().filter_map(method).collect()
        }
        None => ["GET", "HEAD"].into_iter().filter_map(Method::parse).collect(),
    };
    Some(Rescue { attempts: attempts?, per_try_timeout: per_try?, methods })
}

/// Shares of requests by region, in percent.
fn distribute(node: &Node<'_>, builder: &Builder, scope: Option<ScopeId>) -> Option<Split> {
    let mut shares = Vec::new();
    let mut whole = 0;
    for (name, share) in node.names()?.entries() {
        let percent = share.integer(1, 100)?;
        whole += percent;
        let region = builder.region_of(&share, name).and_then(|region| inside(region, &share, builder, scope))?;
        shares.push((region, u8::try_from(percent).ok()?));
    }
    let split = Split::new(shares);
    if split.is_none() {
        node.error_with(format!("adds up to {whole}"), "shares in percent that add up to 100");
    }
    split
}

/// A wanted region whose failover is restricted or ordered otherwise gets a scope of its own.
fn failover(node: &Node<'_>, builder: &mut Builder, scope: Option<ScopeId>, rule: &str) -> Vec<(RegionId, ScopeId)> {
    let (mut restricted, mut seen) = (Vec::<(RegionId, ScopeId)>::new(), Vec::new());
    for item in node.list().unwrap_or_default() {
        let Some(object) = item.object(&["from", "to"]) else { continue };
        let from_node = object.required("from");
        let from = from_node.as_ref().and_then(|node| region_inside(node, builder, scope));
        let mut order: Vec<RegionId> = from.into_iter().collect();
        for node in object.required("to").and_then(|node| node.list()).unwrap_or_default() {
            let Some(region) = region_inside(&node, builder, scope) else { continue };
            if order.contains(&region) {
                node.error_with("stands twice in this order", "each region once");
            } else {
                order.push(region);
            }
        }
        let (Some(from), Some(node), Some(scope)) = (from, from_node, scope) else { continue };
        if seen.contains(&from) {
            node.error_with("has a failover already", "one entry, with all of `to`");
            continue;
        }
        seen.push(from);
        let usual =
            builder.scopes.get(scope.index()).is_some_and(|scope| scope.order_from(from).eq(order.iter().copied()));
        if usual {
            continue;
        }
        let region = builder.regions.get(from.index()).map_or("", |region| &region.name);
        let named = ScopeName::Named(format!("{rule}-{region}"));
        if let Some(scope) = builder.add_scope(&named, order) {
            let place = restricted.partition_point(|(region, _)| *region < from);
            restricted.insert(place, (from, scope));
        }
    }
    restricted
}

/// The region a node names, which must be inside the rule's fence.
fn region_inside(node: &Node<'_>, builder: &Builder, scope: Option<ScopeId>) -> Option<RegionId> {
    inside(builder.region(node)?, node, builder, scope)
}

/// The region, if it is inside the rule's fence, as far as that is known.
fn inside(region: RegionId, node: &Node<'_>, builder: &Builder, scope: Option<ScopeId>) -> Option<RegionId> {
    let fence = scope.and_then(|scope| builder.scopes.get(scope.index()));
    let contained = fence.is_none_or(|scope: &Scope| scope.contains(region));
    if !contained {
        node.error_with("is outside the fence of this rule", "a region of the fence");
    }
    contained.then_some(region)
}
