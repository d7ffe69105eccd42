//! What the scenarios share: one mesh under many ingresses, waiting that ends, and chance that can be repeated.

#![allow(dead_code, reason = "each file of tests uses its own part of this")]

use std::fmt::{Display, Formatter};
use std::future::{Future, poll_fn};
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, ensure};
use integration::client::{Request, Response};
use integration::envoy::EnvoyVersion;
use integration::mesh::{Ingress, Mesh, Tag, Workload};
use tokio::sync::Mutex;

/// The host of the policies here.
pub(crate) const HOST: &str = "bookinfo.example.com";
/// The region of the cluster `primary`, where the ingresses are.
pub(crate) const SANJOSE: &str = "us-sanjose-1";
/// The region of the cluster `secondary`.
pub(crate) const CHICAGO: &str = "us-chicago-1";

/// What a region tags its answers with.
pub(crate) fn tag_of(region: &str) -> &'static str {
    if region == SANJOSE { "PRIMARY (San Jose)" } else { "SECONDARY (Chicago)" }
}

/// The policy of a gateway before productpage in both regions, and `rest`, whose first lines may go on about the service.
pub(crate) fn policy_with(rest: &str) -> String {
    format!(
        "
apiVersion: meridian/v1
role: gateway
regions:
- {{name: {SANJOSE}, clusters: [primary], displayName: {}}}
- {{name: {CHICAGO}, clusters: [secondary], displayName: {}}}
services:
- name: productpage
  hosts: [{HOST}]
  destination: {{host: productpage.bookinfo.svc.cluster.local, port: 9080}}
{rest}
",
        tag_of(SANJOSE),
        tag_of(CHICAGO),
    )
}

/// One way to run an ingress.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// Which Envoy.
    pub(crate) version: EnvoyVersion,
    /// How many workers.
    pub(crate) workers: u32,
    /// `full` or `plans`.
    pub(crate) table: &'static str,
    /// Whether the filter is in.
    pub(crate) filter: bool,
}

impl Setting {
    /// Every pinned Envoy with each of `workers` and of `tables`, with the filter.
    pub(crate) fn each(workers: &[u32], tables: &[&'static str]) -> Vec<Self> {
        let mut settings = Vec::new();
        for version in EnvoyVersion::pinned() {
            for &workers in workers {
                for &table in tables {
                    settings.push(Self { version: version.clone(), workers, table, filter: true });
                }
            }
        }
        settings
    }
}

impl Display for Setting {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        let (version, filter) = (self.version.as_str(), if self.filter { "with the filter" } else { "without it" });
        write!(out, "Envoy {version}, {} workers, table {}, {filter}", self.workers, self.table)
    }
}

/// An ingress, and how it is run.
#[derive(Debug)]
pub(crate) struct Edge {
    /// How it is run.
    pub(crate) setting: Setting,
    /// The ingress.
    pub(crate) ingress: Ingress,
}

impl Edge {
    /// Sends a request, of which every complete answer is one.
    pub(crate) async fn send(&self, request: &Request) -> Result<Response> {
        request.send(self.ingress.address()).await
    }

    /// A GET of `path` that may ask for a region.
    pub(crate) async fn ask(&self, path: &str, region: Option<&str>) -> Result<Response> {
        let request = Request::get(path).host(HOST);
        self.send(&region.into_iter().fold(request, |request, region| request.header("region", region))).await
    }
}

/// A mesh of productpages, and ingresses in front of its primary cluster.
#[derive(Debug)]
pub(crate) struct World {
    /// The ingresses.
    pub(crate) edges: Vec<Arc<Edge>>,
    /// The mesh.
    pub(crate) mesh: Arc<Mesh>,
}

impl World {
    /// Starts one: an ingress for each of `settings`, with the policy that `policy` writes for it.
    pub(crate) async fn start(settings: Vec<Setting>, policy: impl Fn(&Setting) -> String) -> Result<Self> {
        let mesh = Mesh::builder().workloads(Workload::productpage()).tag(Tag::Native).start().await?;
        Self::over(Arc::new(mesh), settings, policy).await
    }

    /// The same over a mesh that runs.
    pub(crate) async fn over(
        mesh: Arc<Mesh>,
        settings: Vec<Setting>,
        policy: impl Fn(&Setting) -> String,
    ) -> Result<Self> {
        let starts = settings.into_iter().map(|setting| {
            let (mesh, policy) = (Arc::clone(&mesh), policy(&setting));
            async move {
                let ingress = mesh.ingress("primary").policy(&policy).filter(setting.filter).workers(setting.workers);
                let ingress = ingress.envoy(setting.version.clone()).start().await?;
                anyhow::Ok(Arc::new(Edge { setting, ingress }))
            }
        });
        let edges = side_by_side(starts).await.into_iter().collect::<Result<_>>()?;
        Ok(Self { edges, mesh })
    }

    /// Does the same at every ingress at once; what fails says at which.
    pub(crate) async fn each_edge<F: Future<Output = Result<()>>>(&self, act: impl Fn(Arc<Edge>) -> F) -> Result<()> {
        let settings = self.edges.iter().map(|edge| edge.setting.to_string());
        let results = side_by_side(self.edges.iter().map(|edge| act(Arc::clone(edge)))).await;
        let failed = settings.zip(results).filter_map(|(setting, result)| Some((setting, result.err()?)));
        let failed: Vec<String> = failed.map(|(setting, error)| format!("{setting}: {error:#}")).collect();
        ensure!(failed.is_empty(), "{}", failed.join("\n"));
        Ok(())
    }
}

/// Something dear that tests of one file share while any of them runs; the last one ends it.
pub(crate) struct Shared<T>(Mutex<Weak<T>>);

impl<T> Shared<T> {
    /// Nothing yet.
    pub(crate) const fn new() -> Self {
        Self(Mutex::const_new(Weak::new()))
    }

    /// What another test has, or a new one.
    pub(crate) async fn get(&self, make: impl Future<Output = Result<T>>) -> Result<Arc<T>> {
        let mut kept = self.0.lock().await;
        if let Some(there) = kept.upgrade() {
            return Ok(there);
        }
        let made = Arc::new(make.await?);
        *kept = Arc::downgrade(&made);
        Ok(made)
    }
}

/// Runs all of them at once; the results are in order.
pub(crate) async fn side_by_side<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    poll_fn(|context| {
        for (future, result) in &mut running {
            if result.is_none()
                && let Poll::Ready(output) = future.as_mut().poll(context)
            {
                *result = Some(output);
            }
        }
        if running.iter().all(|(_, result)| result.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    running.into_iter().filter_map(|(_, result)| result).collect()
}

/// Looks until it holds, for at most fifteen seconds.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(15);
    while !holds().await? {
        ensure!(Instant::now() < deadline, "it never came to be that {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Chance: the same seed, the same run.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The seed in `MERIDIAN_SEED`, or one of this moment; it is printed, and a test that fails shows it.
    pub(crate) fn new() -> Self {
        let given = std::env::var("MERIDIAN_SEED").ok().and_then(|seed| seed.parse().ok());
        let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let seed = given.unwrap_or_else(now);
        println!("MERIDIAN_SEED={seed}");
        Self(seed)
    }

    /// The next number, by SplitMix64.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap_or_default()
    }

    /// True once in `n`.
    pub(crate) fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of these, which are not none.
    pub(crate) fn one_of<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        let index = self.below(items.len());
        items.get(index).copied().unwrap_or_else(|| unreachable!("the index is below the length"))
    }
}
