//! What had to hold, and whether it did.

use super::{Arm, Row, Way};

/// A slow or lost region may cost the others this much more than what was sent.
const MOST_LOAD: f64 = 1.2;

/// One goal for one outage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goal {
    /// The outage.
    pub way: &'static str,
    /// What had to hold.
    pub what: &'static str,
    /// What was seen.
    pub seen: String,
    /// Whether it held.
    pub held: bool,
}

/// The goals of an outage, as far as the arms that were played can tell.
#[must_use]
pub fn goals(way: Way, rows: &[(Arm, Row)]) -> Vec<Goal> {
    let Some((_, ours)) = rows.iter().find(|(arm, _)| *arm == Arm::Meridian) else { return Vec::new() };
    let goal = |what, held, seen| Goal { way: way.name(), what, seen, held };
    let others = rows.iter().filter(|(arm, _)| *arm != Arm::Meridian);
    let smallest = others.map(|(_, row)| row.jump).reduce(f64::min);
    let mut goals = vec![
        goal("no GET fails", ours.failed == 0, format!("{} of {}", ours.failed, ours.sent)),
        goal("nothing leaves the fence", ours.outside == 0, ours.outside.to_string()),
        goal(
            "the survivor gets at most 1.2 for each request sent",
            ours.survivor_load <= MOST_LOAD,
            format!("{:.2}", ours.survivor_load),
        ),
    ];
    goals.extend(smallest.map(|smallest| {
        let seen = format!("{:.0} points, the others {:.0} or more", 100.0 * ours.jump, 100.0 * smallest);
        goal("the smallest jump at the return", ours.jump < smallest, seen)
    }));
    goals
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(failed: usize, outside: u64, jump: f64) -> Row {
        Row { failed, outside, jump, sent: 100, survivor_load: 1.0, ..Row::default() }
    }

    fn missed(rows: &[(Arm, Row)]) -> Vec<&'static str> {
        goals(Way::Frozen, rows).into_iter().filter(|goal| !goal.held).map(|goal| goal.what).collect()
    }

    #[test]
    fn what_others_do_is_nobodys_goal() {
        assert!(missed(&[(Arm::Lua, row(50, 20, 1.0)), (Arm::Meridian, row(0, 0, 0.2))]).is_empty());
        assert!(goals(Way::Frozen, &[(Arm::Lua, row(50, 20, 1.0))]).is_empty());
    }

    #[test]
    fn a_failure_a_leak_and_a_step_are_missed_goals() {
        let rows = [(Arm::Native, row(0, 0, 0.5)), (Arm::Meridian, row(1, 1, 0.5))];
        assert_eq!(missed(&rows), ["no GET fails", "nothing leaves the fence", "the smallest jump at the return"]);
    }
}
