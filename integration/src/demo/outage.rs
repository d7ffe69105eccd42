//! Proof 3: the primary's productpage is lost under load and comes back; the traffic moves, and returns.

use std::time::Duration;

use anyhow::Result;

use super::judge::{ASKS_PRIMARY, ASKS_SECONDARY, NO_HEADER, Outage, served_by, wants_primary};
use super::narrator::Narrator;
use super::options::Options;
use super::policy::Policy;
use super::scene::Scene;
use super::stage::Stage;
use super::{PRIMARY, REGION_PRIMARY, REGION_SECONDARY};
use crate::clock::Clock;
use crate::load::{Kind, Load, Plan, Recording};
use crate::mesh::Ingress;
use crate::timeline::{Check, EventKind, Sample};

/// Long enough to see that all is well.
const BEFORE: Duration = Duration::from_secs(4);
/// Shorter than an ejection with the start of a pod: a region that is still lost when it is tried again costs a request,
/// and what such a trial costs is not what is proven here.
const LOST: Duration = Duration::from_secs(4);
/// The longest wait for the traffic to be back.
const BACK: Duration = Duration::from_secs(25);
/// How long all of it must be back.
const STAYS: Duration = Duration::from_millis(1500);

/// Plays the outage on `stage` and judges it.
///
/// # Errors
/// When the mesh cannot be handled; what it does wrong is in the checks.
pub(super) async fn prove(
    stage: &Stage,
    ingress: &Ingress,
    policy: &Policy,
    options: &Options,
    clock: Clock,
    narrator: Narrator,
) -> Result<(Recording, Vec<Check>)> {
    narrator.part(&format!("Proof 3 · A region is lost under load: {}", policy.name));
    narrator.step(&format!("{} requests per second: {NO_HEADER}, {ASKS_PRIMARY}, {ASKS_SECONDARY}", options.rate));
    let kinds = vec![
        Kind::new(NO_HEADER),
        Kind::new(ASKS_PRIMARY).header("region", REGION_PRIMARY)?,
        Kind::new(ASKS_SECONDARY).header("region", REGION_SECONDARY)?,
    ];
    let load = Load::start(Plan::new(ingress.address(), kinds).rate(options.rate), clock)?;
    load.mark(&format!("{}: both up", policy.short));
    let mut scene = Scene::new(ingress, narrator, load, clock);
    scene.wait(BEFORE).await;

    let stopped = scene.act(
        &format!("{}: lost", policy.short),
        EventKind::Stopped,
        "productpage stopped, in the primary cluster",
    );
    stage.stop_productpage()?;
    scene.wait(LOST).await;

    scene.during(stage.start_productpage()).await?;
    let returned = scene.act(
        &format!("{}: back", policy.short),
        EventKind::Returned,
        "productpage started, in the primary cluster",
    );
    scene.until(BACK, |samples| settled(samples, returned)).await;

    let recording = scene.end().await?;
    let allowed = policy.allowed_failures(options.workers);
    let checks = Outage { policy: policy.name, allowed, stopped, returned, recording: &recording }.judge();
    checks.iter().for_each(|check| narrator.check(check));
    Ok((recording, checks))
}

/// Whether the primary has had all of its traffic for a while.
fn settled(samples: &[Sample], returned: Duration) -> bool {
    let latest = samples.iter().map(|sample| sample.at).max().unwrap_or_default();
    let since = latest.saturating_sub(STAYS);
    let late = || samples.iter().filter(|sample| sample.at >= since && wants_primary(sample));
    since > returned && late().next().is_some() && late().all(|sample| served_by(sample, PRIMARY))
}
