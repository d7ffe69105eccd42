//! The examples, each held to what its README says: the policy is right, its tests pass, the command renders what is kept beside it, and
//! what was refused before is still refused in the words that are quoted.
//!
//! A folder that lacks one of the files fails. To write what is kept anew: `MERIDIAN_BLESS=1 cargo test -p meridian --test examples`, then
//! read the difference. To keep one more file of what is rendered, make an empty one in `rendered/` and bless; an empty `rendered/` keeps
//! all of them.

// What the tests share may fail them as they may themselves.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// For a static Envoy: it has a site and no manifests, and the tests of the command are about it.
const STATIC: &str = "static";
const REQUIRED: [&str; 4] = ["policy.yaml", "policy-test.yaml", "README.md", "rendered"];
const OPTIONAL: [&str; 2] = ["manifests", "before"];
/// What the README's command writes to; here it is a temporary folder.
const OUT: &str = "out";

/// One folder.
struct Example {
    name: String,
    folder: PathBuf,
}

fn examples() -> Vec<Example> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut names: Vec<String> =
        fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != STATIC);
    names.sort();
    assert!(names.len() >= 12, "there are only {names:?}");
    names.into_iter().map(|name| Example { folder: root.join(&name), name }).collect()
}

impl Example {
    /// Runs `meridian` in the example's folder, as its reader does.
    fn meridian(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meridian"));
        command.args(arguments).current_dir(&self.folder).output().expect("the command runs")
    }

    fn readme(&self) -> String {
        fs::read_to_string(self.folder.join("README.md")).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// The one command of the README that begins with these words, without the first.
    fn command(&self, words: &str) -> Vec<String> {
        let readme = self.readme();
        let lines: Vec<&str> = readme.lines().filter(|line| line.starts_with(words)).collect();
        let [line] = lines.as_slice() else { panic!("{}/README.md has {} lines `{words}`", self.name, lines.len()) };
        line.split_whitespace().skip(1).map(str::to_owned).collect()
    }

    /// Runs the README's rendering with another output and, if need be, other manifests.
    fn render(&self, out: &Path, from: Option<&str>) -> Output {
        let mut arguments = self.command("meridian render istio ");
        let last = arguments.pop();
        assert_eq!(last.as_deref(), Some(OUT), "{}: the command ends in `-o {OUT}`", self.name);
        arguments.push(out.display().to_string());
        if let Some(from) = from {
            let at = arguments.iter().position(|argument| argument == "--from").expect("`--from`");
            arguments.splice(at + 1..at + 2, [from.to_owned()]);
        }
        self.meridian(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// What the README's command writes.
    fn rendered(&self) -> (TempDir, BTreeMap<String, String>) {
        let out = tempfile::tempdir().unwrap();
        let output = self.render(out.path(), None);
        assert!(output.status.success(), "{}: {}", self.name, stderr(&output));
        let files = read(out.path());
        assert!(!files.is_empty(), "{}: nothing is rendered", self.name);
        (out, files)
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Every file below a folder, by its path there.
fn read(root: &Path) -> BTreeMap<String, String> {
    fn below(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below(root, &path, files);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut files = BTreeMap::new();
    below(root, root, &mut files);
    files
}

/// Writes what is kept anew: the files that are there, or all of them.
fn bless(folder: &Path, rendered: &BTreeMap<String, String>) {
    let kept = read(folder);
    for (name, text) in rendered.iter().filter(|(name, _)| kept.is_empty() || kept.contains_key(*name)) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    for stale in kept.keys().filter(|name| !rendered.contains_key(*name)) {
        fs::remove_file(folder.join(stale)).unwrap();
    }
}

#[test]
fn no_folder_lacks_a_file_or_holds_one_that_nobody_looks_at() {
    for Example { name, folder } in examples() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{name}: {error}"));
        let there: BTreeSet<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        for required in REQUIRED {
            assert!(there.contains(required), "{name} has no {required}");
        }
        let known = |file: &&String| REQUIRED.contains(&file.as_str()) || OPTIONAL.contains(&file.as_str());
        let unknown: Vec<_> = there.iter().filter(|file| !known(file)).collect();
        assert!(unknown.is_empty(), "{name} holds {unknown:?}");
    }
}

#[test]
fn every_policy_is_valid_and_its_own_tests_pass() {
    for example in examples() {
        let name = &example.name;
        let validated = example.meridian(&["validate", "policy.yaml"]);
        assert!(validated.status.success(), "{name}: {}", stderr(&validated));
        let command = example.command("meridian test ");
        let tested = example.meridian(&command.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(tested.status.success(), "{name}: {}{}", stdout(&tested), stderr(&tested));
        assert!(!stdout(&tested).starts_with("0 passed"), "{name} has no tests");
    }
}

#[test]
fn what_is_rendered_is_what_is_kept() {
    for example in examples() {
        let (name, kept) = (&example.name, example.folder.join("rendered"));
        let (_, rendered) = example.rendered();
        if std::env::var_os("MERIDIAN_BLESS").is_some() {
            bless(&kept, &rendered);
        }
        let kept = read(&kept);
        assert!(!kept.is_empty(), "{name}/rendered is empty; MERIDIAN_BLESS=1 writes it");
        for (path, text) in kept {
            let now = rendered.get(&path);
            assert!(now.is_some(), "{name}/rendered/{path} is not rendered any more; MERIDIAN_BLESS=1 removes it");
            assert!(now == Some(&text), "{name}/rendered/{path} is not what is rendered; MERIDIAN_BLESS=1 rewrites it");
        }
    }
}

#[test]
fn rendering_twice_is_rendering_once() {
    for example in examples() {
        let (out, first) = example.rendered();
        assert_eq!(first, example.rendered().1, "{}: the same input, other bytes", example.name);
        assert!(example.render(out.path(), None).status.success(), "{}", example.name);
        assert_eq!(first, read(out.path()), "{}: over itself, other bytes", example.name);
    }
}

#[test]
fn the_lint_finds_nothing_in_what_is_rendered() {
    for example in examples() {
        let (out, _) = example.rendered();
        let output = example.meridian(&["lint", "policy.yaml", "--manifests", &out.path().display().to_string()]);
        assert!(output.status.success(), "{}: {}{}", example.name, stdout(&output), stderr(&output));
    }
}

#[test]
fn manifests_that_cannot_be_kept_are_refused_in_the_words_of_the_readme() {
    let mut count = 0;
    for example in examples().into_iter().filter(|example| example.folder.join("before").is_dir()) {
        let out = tempfile::tempdir().unwrap();
        let output = example.render(out.path(), Some("before"));
        let (said, name) = (stderr(&output), &example.name);
        assert_eq!(output.status.code(), Some(2), "{name}: {said}");
        assert!(example.readme().contains(&format!("```\n{said}```\n")), "{name}/README.md does not quote:\n{said}");
        assert!(read(out.path()).is_empty(), "{name}: something was written all the same");
        count += 1;
    }
    assert_eq!(count, 3, "the manifests that users brought");
}
