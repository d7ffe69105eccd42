//! The two policies of the demo, and what each of them promises.

/// A policy of the demo.
pub(super) struct Policy {
    /// What it is called.
    pub(super) name: &'static str,
    /// The same in as few words as a strip of the drawing holds.
    pub(super) short: &'static str,
    /// Its document.
    pub(super) yaml: &'static str,
    /// Whether requests in flight are rescued.
    rescues: bool,
}

/// With rescue.
pub(super) const RESCUE: Policy =
    Policy { name: "with rescue", short: "rescue", yaml: include_str!("../../demo/policy.yaml"), rescues: true };

/// Without it.
pub(super) const NO_RESCUE: Policy = Policy {
    name: "without rescue",
    short: "no rescue",
    yaml: include_str!("../../demo/policy-without-rescue.yaml"),
    rescues: false,
};

/// `consecutiveGatewayErrors` of both.
const EJECTS_AFTER: usize = 5;

impl Policy {
    /// The most requests that may fail when a region is lost, and why so many.
    pub(super) fn allowed_failures(&self, workers: u32) -> (usize, String) {
        if self.rescues {
            return (0, "every request is rescued".to_owned());
        }
        (EJECTS_AFTER + workers as usize, format!("{EJECTS_AFTER} in a row to eject, 1 for each of {workers} workers"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policies_differ_in_rescue_and_in_nothing_else() {
        let lines = |policy: &Policy| -> Vec<&'static str> {
            let lines = policy.yaml.lines().map(|line| line.split('#').next().unwrap_or_default().trim_end());
            lines.filter(|line| !line.is_empty() && !line.contains("rescue:")).collect()
        };
        assert_eq!(lines(&RESCUE), lines(&NO_RESCUE));
        assert!(RESCUE.yaml.contains("  rescue: ") && !NO_RESCUE.yaml.contains("  rescue: "));
    }

    #[test]
    fn the_promise_is_what_the_policy_says() {
        assert!(NO_RESCUE.yaml.contains(&format!("consecutiveGatewayErrors: {EJECTS_AFTER}\n")));
        assert_eq!((RESCUE.allowed_failures(4).0, NO_RESCUE.allowed_failures(4).0), (0, 9));
    }
}
