//! What would have been different: a decision held against what was done.
//!
//! Rules can be tried before they act (`shadow`), and so can a whole policy (`stage: observe`, `stage: native`). Both come down to one
//! question for each request: would it have gone elsewhere? Which region serves is all that counts; two rules that reach the same
//! region for two reasons agree, and the reason of the one that is tried says under which heading to look where they do not.

use crate::decide::{Decision, Verdict, decide};
use crate::health::Health;
use crate::ids::RegionId;
use crate::policy::{Policy, Timestamp};
use crate::request::RequestFacts;

/// How what is tried compares with what was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Agreement {
    /// The same.
    Agree,
    /// Another region, or a refusal on one side.
    Differ,
    /// Nobody knows which region answered.
    Unknown,
}

impl Agreement {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Agree, Self::Differ, Self::Unknown];

    /// The name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agree => "agree",
            Self::Differ => "differ",
            Self::Unknown => "unknown",
        }
    }
}

/// What the shadow rules would have decided for the same request with the same random number, and how that compares with the decision.
/// `None`: there are none.
#[must_use]
pub fn try_shadow(
    policy: &Policy,
    health: &Health,
    request: &RequestFacts<'_>,
    now: Timestamp,
    random: u32,
    done: &Decision,
) -> Option<(Agreement, Decision)> {
    let tried = decide(policy.shadow()?, health, request, now, random)?;
    let same = outcome(&tried) == outcome(done);
    Some((if same { Agreement::Agree } else { Agreement::Differ }, tried))
}

/// Where a decision sends its request, or the status it refuses it with. Shares drawn by one number fall alike where they are alike.
fn outcome(decision: &Decision) -> Result<RegionId, u16> {
    match decision.verdict {
        Verdict::Route { plan, .. } => Ok(plan.first),
        Verdict::Split { .. } => Ok(decision.want),
        Verdict::Refuse { status, .. } => Err(status),
    }
}

/// How a decision that was not acted on compares with the region that answered (`None`: nobody knows) or with a refusal.
#[must_use]
pub fn compare(policy: &Policy, decision: &Decision, answered: bool, served: Option<RegionId>) -> Agreement {
    let agrees = match (decision.verdict, served) {
        (Verdict::Refuse { .. }, _) => !answered,
        (_, None) if answered => return Agreement::Unknown,
        (_, None) => false,
        (Verdict::Route { plan, .. }, Some(served)) => plan.first == served,
        (Verdict::Split { .. }, Some(served)) => {
            let split = policy.rule(decision.rule).and_then(|rule| rule.split());
            split.is_some_and(|split| split.shares().iter().any(|(region, _)| *region == served))
        }
    };
    if agrees { Agreement::Agree } else { Agreement::Differ }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use crate::testing::test;
    use crate::testing::{NOW, decided, document, ejected, get, policy, problems, with_rules};
    use serde_json::{Value, json};

    /// The three regions with these rules in force and those in the shadow.
    fn with_shadow(rules: Value, shadow: Value) -> Policy {
        let mut document = with_rules(rules);
        document["shadow"] = json!({"rules": shadow});
        policy(&document)
    }

    fn tried(policy: &Policy, health: &Health, headers: &[(&str, &str)], random: u32) -> (Agreement, &'static str) {
        let lines = get(headers);
        let request = RequestFacts::new(&lines);
        let done = decide(policy, health, &request, NOW, random).unwrap();
        let (agreement, tried) = try_shadow(policy, health, &request, NOW, random, &done).unwrap();
        (agreement, tried.reason().as_str())
    }

    #[test]
    fn the_same_rules_agree_about_everything() {
        let rules = json!([{"name": "a", "fence": "eu", "distribute": {"eu-west-1": 60, "eu-central-1": 40}}]);
        let policy = with_shadow(rules.clone(), rules);
        let sick = ejected(&policy, &["eu-west-1"]);
        for random in 0..200 {
            for health in [&Health::default(), &sick] {
                for headers in [&[][..], &[("region", "us")], &[("region", "eu")], &[("region", "mars")]] {
                    assert_eq!(tried(&policy, health, headers, random).0, Agreement::Agree);
                }
            }
        }
    }

    #[test]
    fn a_fence_that_is_tried_tells_whom_it_would_move() {
        let policy = with_shadow(json!([]), json!([{"name": "a", "fence": "eu"}]));
        let health = Health::default();
        assert_eq!(tried(&policy, &health, &[("region", "us")], 0), (Agreement::Differ, "fenced"));
        assert_eq!(tried(&policy, &health, &[("region", "eu")], 0), (Agreement::Agree, "asked"));
    }

    #[test]
    fn a_refusal_that_is_tried_differs_from_an_answer() {
        let policy = with_shadow(json!([]), json!([{"name": "a", "onUnknownRegion": "reject"}]));
        assert_eq!(tried(&policy, &Health::default(), &[("region", "mars")], 0), (Agreement::Differ, "unknown_region"));
    }

    #[test]
    fn shadow_rules_change_no_decision() {
        let plain = policy(&document());
        let shadowed = with_shadow(json!([]), json!([{"name": "a", "fence": "eu"}]));
        let health = ejected(&plain, &["us-east-1"]);
        for headers in [&[][..], &[("region", "us")], &[("region", "mars")]] {
            assert_eq!(decided(&plain, &health, &get(headers)), decided(&shadowed, &health, &get(headers)));
        }
    }

    #[test]
    fn shadow_rules_are_read_as_strictly_as_the_others() {
        let mut document = document();
        document["shadow"] = json!({"rules": [{"name": "a", "fence": "eus"}]});
        assert_eq!(problems(&document), ["shadow.rules[0].fence: unknown fence `eus`, did you mean `eu`?"]);
    }

    #[test]
    fn what_is_wrong_with_both_kinds_of_rules_is_said_once() {
        let mut document = document();
        let region = |name: &str| json!({"name": name, "clusters": [name]});
        document["regions"] = json!([region("a"), region("a-in-eu"), region("b")]);
        document["fences"] = json!({"eu": ["a", "b"]});
        let alone = problems(&document);
        document["shadow"] = json!({"rules": []});
        assert_eq!(problems(&document), alone);
        assert!(!alone.is_empty());
    }

    #[test]
    fn a_policy_that_does_not_act_has_no_shadow() {
        let mut document = document();
        document["stage"] = json!("observe");
        document["shadow"] = json!({"rules": []});
        assert!(problems(&document)[0].starts_with("shadow: has nothing to be held against"));
    }

    #[test]
    fn what_is_observed_agrees_if_the_chosen_region_answered() {
        let policy = policy(&document());
        let region = |name| policy.region_named(name);
        let decision = decided(&policy, &Health::default(), &get(&[("region", "eu")]));
        let against = |answered, served| compare(&policy, &decision, answered, served);
        assert_eq!(against(true, region("eu-west-1")), Agreement::Agree);
        assert_eq!(against(true, region("us-east-1")), Agreement::Differ);
        assert_eq!(against(true, None), Agreement::Unknown);
        assert_eq!(against(false, None), Agreement::Differ);
    }

    #[test]
    fn what_would_be_shared_out_agrees_with_any_region_that_has_a_share() {
        let policy = policy(&with_rules(json!([{"name": "a", "distribute": {"eu-west-1": 60, "eu-central-1": 40}}])));
        let decision = decided(&policy, &Health::default(), &get(&[]));
        assert_eq!(compare(&policy, &decision, true, policy.region_named("eu-central-1")), Agreement::Agree);
        assert_eq!(compare(&policy, &decision, true, policy.region_named("us-east-1")), Agreement::Differ);
    }

    #[test]
    fn what_would_be_refused_agrees_with_no_answer() {
        let policy = policy(&with_rules(json!([{"name": "a", "onUnknownRegion": "reject"}])));
        let decision = decided(&policy, &Health::default(), &get(&[("region", "mars")]));
        assert_eq!(compare(&policy, &decision, true, policy.region_named("us-east-1")), Agreement::Differ);
        assert_eq!(compare(&policy, &decision, false, None), Agreement::Agree);
    }
}
