//! The rendered files are kept beside their policies, so that a change of what is rendered is seen where it is reviewed.
//!
//! To refresh them: `UPDATE_FIXTURES=1 cargo test -p meridian --test render_istio`, then read the difference.

use crate::manifests::{fixture, rendered};
use std::collections::BTreeMap;
use std::path::Path;

/// Each case with the one cluster that is kept.
const CASES: [(&str, &str); 2] = [("plain", "west"), ("helloworld", "primary")];

#[test]
fn what_is_rendered_is_what_was_reviewed() {
    for (case, cluster) in CASES {
        let expected = fixture(case).join("expected");
        let files = rendered(case, cluster);
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            files.write(&expected).unwrap();
        }
        let rendered: BTreeMap<String, String> =
            files.iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect();
        let mut kept = BTreeMap::new();
        read(&expected, &expected, &mut kept);
        assert_eq!(kept.keys().collect::<Vec<_>>(), rendered.keys().collect::<Vec<_>>(), "{case}: other files");
        for (path, text) in rendered {
            assert!(
                kept[&path] == text,
                "{case}/expected/{path} is not what is rendered; UPDATE_FIXTURES=1 refreshes it"
            );
        }
    }
}

#[test]
fn the_same_input_is_the_same_bytes_and_a_second_time_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (case, cluster) in CASES {
        let (first, second) = (rendered(case, cluster), rendered(case, cluster));
        assert_eq!(first, second);
        let out = folder.path().join(case);
        first.write(&out).unwrap();
        let changed = |path: &Path| std::fs::metadata(path).unwrap().modified().unwrap();
        let times: Vec<_> = second.write(&out).unwrap().iter().map(|path| changed(path)).collect();
        assert_eq!(times, second.write(&out).unwrap().iter().map(|path| changed(path)).collect::<Vec<_>>());
    }
}

#[test]
fn what_was_rendered_is_no_input() {
    let folder = tempfile::tempdir().unwrap();
    rendered("bookinfo", "west").write(folder.path()).unwrap();
    let sources = format!("{:?}", meridian::istio::Sources::read(folder.path()).unwrap());
    assert!(!sources.contains("prefer-"), "{sources}");
}

fn read(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn the_command_writes_a_folder_for_each_cluster_and_says_what_it_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let run = |more: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_meridian"));
        command.args(["render", "istio"]).arg(fixture("plain/policy.yaml")).arg("-o").arg(&out).args(more);
        command.output().unwrap()
    };
    let output = run(&["--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let written = answer["written"].as_array().unwrap();
    for cluster in ["primary", "west", "central"] {
        let routes = out.join(cluster).join("routes/virtualservice.bank.accounts.yaml").display().to_string();
        assert!(written.iter().any(|path| *path == routes.as_str()), "{routes}");
    }
    // Of three folders one is left: what was rendered before and is not now is gone.
    assert_eq!(run(&["--cluster", "west"]).status.code(), Some(0));
    assert!(out.join("west/kustomization.yaml").exists() && !out.join("central/kustomization.yaml").exists());
    for wrong in [["--cluster", "mars"], ["--module", "no-such.wasm"], ["--gateway", "gateway"]] {
        assert_eq!(run(&wrong).status.code(), Some(2), "{wrong:?}");
    }
}
