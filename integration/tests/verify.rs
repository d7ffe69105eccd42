//! The list of assertions, asked of the meshes of this machine: that it holds there, and that it can fail.

use integration::istio::Programs;
use integration::mesh::{Mesh, Workload};
use integration::prometheus::Tools;
use integration::verify::{LocalTarget, POLICY, Verdict, verify, verify_this_machine};

/// What needs Istio's control plane, which needs Go; 10 and 14 are asked in part without it.
const UNDER_ISTIO: [u8; 3] = [7, 11, 13];
/// What needs a Prometheus.
const ALERTS: u8 = 12;

#[tokio::test(flavor = "multi_thread")]
async fn all_of_it_holds_on_this_machine() {
    let (istio, prometheus) = (Programs::get().await.unwrap().is_some(), Tools::get().await.unwrap().is_some());
    let report = verify_this_machine(&[], |finding| println!("{finding}")).await.unwrap();
    assert!(report.passed(), "{}", report.summary());
    for finding in &report.findings {
        let here = (istio || !UNDER_ISTIO.contains(&finding.number)) && (prometheus || finding.number != ALERTS);
        assert_eq!(matches!(finding.verdict, Verdict::Held(_)), here, "{finding}");
        assert_eq!(matches!(finding.verdict, Verdict::NotAsked(_)), !here, "{finding}");
    }
    assert_eq!(report.findings.len(), 14);
}

/// A verification that cannot fail says nothing: each of these takes away what an assertion is about.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_hold_is_found() {
    let on_productpage = async |policy: &str, numbers: &[u8]| {
        let mesh = Mesh::builder().workloads(Workload::productpage()).start().await.unwrap();
        let target = LocalTarget::over(mesh, policy).await.unwrap();
        verify(&target, numbers, |_| {}).await.unwrap()
    };
    let sound = on_productpage(POLICY, &[2, 4, 9]).await;
    assert!(sound.passed() && sound.findings.len() == 3, "{sound:?}");
    let broken = [
        (4, "  rescue: {attempts: 3, perTryTimeout: 1s, methods: [GET, HEAD]}\n", "requests failed, the first: "),
        (9, "  fence: chicago-only\n", "a fenced page was answered "),
        (2, "  onUnknownRegion: reject\n", "a rule that rejects unknown regions answered "),
    ];
    for (number, line, expected) in broken {
        assert!(POLICY.contains(line), "the policy still holds {line:?}");
        let report = on_productpage(&POLICY.replacen(line, "", 1), &[number]).await;
        let found = report.findings.first().map(|finding| finding.verdict.clone());
        let said = matches!(&found, Some(Verdict::Failed(why)) if why.contains(expected));
        assert!(said && !report.passed(), "without {line:?}: {found:?}");
    }
}
