//! The house rules, checked: rings, who may depend on what, where things are found, how long things may be.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use toml::Table;

use crate::binary::repository;

/// A file may have so many lines that are not blank.
const FILE_LINES: usize = 600;
/// The ten-second test: a question, and the file and function that answer it.
const PLACES: &[(&str, &str, &str)] = &[
    ("where is the ECS service diff?", "crates/plan/src/service.rs", "pub fn diff("),
    ("where do we call UpdateService?", "crates/aws/src/service.rs", "async fn apply("),
    ("which default has cpu?", "crates/api/src/default.rs", "pub const CPU:"),
    ("in what order are things made?", "crates/plan/src/waves.rs", "fn waves("),
    ("why was my service not deleted?", "crates/plan/src/guard.rs", "pub fn not_ours("),
    ("and why not yet?", "crates/plan/src/prune.rs", "pub fn decide("),
    ("when is it retried?", "crates/controller/src/next.rs", "pub fn after("),
    ("how long does it wait?", "crates/controller/src/backoff.rs", "pub fn wait("),
    ("what is throttling to us?", "crates/aws/src/error.rs", "const TABLE:"),
    ("how hard may we press AWS?", "crates/aws/src/quota.rs", "fn published("),
    ("how is Ready computed?", "crates/plan/src/status.rs", "pub fn report("),
    ("where do specs come from?", "crates/store/src/source/dir.rs", "impl Source for DirectorySource"),
    ("when is an image another one?", "crates/image/src/inputs.rs", "pub(crate) fn tag("),
    ("what may Fargateer do in AWS?", "crates/aws/src/lib.rs", "pub fn permissions("),
];

struct Crate {
    name: String,
    folder: PathBuf,
    dependencies: Vec<String>,
}

fn manifest(path: &Path) -> Table {
    fs::read_to_string(path).expect("a manifest").parse().expect("a manifest is TOML")
}

fn crates() -> Vec<Crate> {
    let folders =
        fs::read_dir(repository().join("crates")).expect("crates").map(|entry| entry.expect("an entry").path());
    let read = |folder: PathBuf| {
        let data = manifest(&folder.join("Cargo.toml"));
        let dependencies = data.get("dependencies").and_then(|table| table.as_table()).cloned().unwrap_or_default();
        let name = data["package"]["name"].as_str().expect("a name").to_owned();
        Crate { name, folder, dependencies: dependencies.keys().cloned().collect() }
    };
    folders.map(read).collect()
}

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source");
                found.push((path, text));
            }
        }
    }
    found
}

fn metadata(key: &str) -> Table {
    let root = manifest(&repository().join("Cargo.toml"));
    root["workspace"]["metadata"][key].as_table().expect("rules stand as data in Cargo.toml").clone()
}

#[test]
fn a_crate_imports_only_what_lies_nearer_the_centre() {
    let rings: BTreeMap<String, i64> =
        metadata("rings").into_iter().map(|(name, ring)| (name, ring.as_integer().expect("a number"))).collect();
    for Crate { name, dependencies, .. } in crates() {
        let ring = rings.get(&name).unwrap_or_else(|| panic!("{name} stands in no ring"));
        for dependency in dependencies.iter().filter(|dependency| rings.contains_key(*dependency)) {
            assert!(rings[dependency] < *ring, "{name} -> {dependency} points outward or to a sibling");
        }
    }
}

#[test]
fn a_library_is_used_only_where_it_belongs() {
    for (pattern, homes) in metadata("only-in") {
        let homes: Vec<&str> = homes.as_array().expect("a list").iter().filter_map(|home| home.as_str()).collect();
        let fits = |dependency: &str| match pattern.strip_suffix('*') {
            Some(prefix) => dependency.starts_with(prefix),
            None => dependency == pattern,
        };
        for Crate { name, dependencies, .. } in crates() {
            let uses = dependencies.iter().any(|dependency| fits(dependency));
            assert!(!uses || homes.contains(&name.as_str()), "{name} uses {pattern}; only {homes:?} may");
        }
    }
}

#[test]
fn serde_yaml_is_one_file_and_backoff_another() {
    for (word, home) in [("serde_yaml::", "yaml.rs"), ("use backoff::", "backoff.rs"), ("std::env::var", "config.rs")] {
        for Crate { name, folder, .. } in crates().into_iter().filter(|one| one.name != "xtask") {
            for (path, text) in sources(&folder) {
                let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
                let uses = code.filter(|line| line.contains(word)).count();
                assert!(uses == 0 || path.ends_with(home), "{name}: {} uses {word}", path.display());
            }
        }
    }
}

#[test]
fn every_question_is_answered_where_one_looks_first() {
    for (question, file, text) in PLACES {
        let source =
            fs::read_to_string(repository().join(file)).unwrap_or_else(|_| panic!("{question} {file} is not there"));
        assert!(source.contains(text), "{question} {file} has no `{text}`");
    }
}

#[test]
fn no_file_is_longer_than_a_person_can_hold_in_mind() {
    for Crate { folder, .. } in crates() {
        for (path, text) in sources(&folder) {
            let lines = text.lines().filter(|line| !line.trim().is_empty()).count();
            assert!(lines <= FILE_LINES, "{} has {lines} lines", path.display());
        }
    }
}

#[test]
fn the_central_function_stays_small() {
    let text = fs::read_to_string(repository().join("crates/controller/src/reconcile.rs")).expect("the file");
    for (name, most) in [("pub async fn reconcile(", 12), ("async fn converge(", 18)] {
        let body = text.split_once(name).expect("the function").1;
        let lines = body.lines().take_while(|line| *line != "    }").count() + 1;
        assert!(lines <= most, "{name}..) has {lines} lines");
    }
}

/// The README's first command is `cargo run -- ...`: cargo must know which of the binaries is meant.
#[test]
fn cargo_run_runs_the_product() {
    let root = manifest(&repository().join("Cargo.toml"));
    let members = root["workspace"]["default-members"].as_array().expect("default members");
    let names: Vec<&str> = members.iter().filter_map(|member| member.as_str()).collect();
    assert_eq!(names, ["crates/fargateer"]);
}

#[test]
fn plan_is_pure() {
    let plan = crates().into_iter().find(|one| one.name == "fargateer-plan").expect("plan");
    let impure = ["tokio", "aws", "reqwest", "axum", "tracing", "futures"];
    for dependency in &plan.dependencies {
        assert!(!impure.iter().any(|word| dependency.starts_with(word)), "plan depends on {dependency}");
    }
    for (path, text) in sources(&plan.folder) {
        assert!(!text.contains("async fn"), "{} is not plain data", path.display());
    }
}
