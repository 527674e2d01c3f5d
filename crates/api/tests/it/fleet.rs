//! The files we hand out: the demo fleet, the examples and the schema must be what the code says.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use fargateer_api::{schema, yaml};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The spec files below a folder of the repository, by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let kind = path.extension().map(|kind| kind.to_string_lossy().into_owned());
        if path.is_dir() {
            found.extend(files(&path));
        } else if ["yaml", "json"].map(Some).contains(&kind.as_deref()) && !name.ends_with(".schema.json") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The agents of a folder, all of whose files are without fault.
fn agents(folder: &str) -> Vec<String> {
    let mut names = Vec::new();
    for path in files(&root().join(folder)) {
        let parsed = yaml::parse_bytes(&path.to_string_lossy(), &fs::read(&path).unwrap());
        assert_eq!(parsed.faults, [], "{}", path.display());
        names.extend(parsed.agents.iter().map(|located| located.agent.metadata.name.clone()));
    }
    names
}

#[test]
fn the_demo_fleet_is_twelve_agents_without_a_fault() {
    let names = agents("manifests");
    assert_eq!(names.len(), 12);
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), 12, "{names:?}");
}

#[test]
fn every_example_is_without_a_fault() {
    assert_eq!(agents("examples").len(), files(&root().join("examples")).len());
}

#[test]
fn every_example_stands_in_its_table() {
    let table = fs::read_to_string(root().join("examples/README.md")).unwrap();
    for path in files(&root().join("examples")) {
        let name = path.strip_prefix(root().join("examples")).unwrap().to_string_lossy().into_owned();
        assert!(table.contains(&format!("[{name}]({name})")), "{name} is missing in examples/README.md");
    }
}

#[test]
fn the_full_example_shows_every_field_of_the_schema_that_is_supported() {
    let full = fs::read_to_string(root().join("examples/full.yaml")).unwrap();
    let later = "build listener deregistrationDelay Build Listener TargetHealthCheck";
    let later = later.split(' ').collect::<Vec<_>>();
    let schema = schema::json_schema();
    let defs = schema["$defs"].as_object().unwrap();
    let mut missing = Vec::new();
    for (_, record) in defs.iter().filter(|(name, _)| !later.contains(&name.as_str())) {
        let fields = record.get("properties").and_then(|fields| fields.as_object());
        for field in fields.into_iter().flatten().map(|(field, _)| field) {
            if !later.contains(&field.as_str()) && !full.contains(&format!("{field}:")) {
                missing.push(field.clone());
            }
        }
    }
    assert_eq!(missing, [] as [String; 0]);
}

#[test]
fn every_spec_file_names_the_schema_for_editors() {
    for folder in ["manifests", "examples"] {
        for path in files(&root().join(folder)).iter().filter(|path| path.extension().unwrap() == "yaml") {
            let text = fs::read_to_string(path).unwrap();
            let first = text.lines().next().unwrap();
            let schema =
                first.strip_prefix("# yaml-language-server: $schema=").unwrap_or_else(|| panic!("{}", path.display()));
            assert!(path.parent().unwrap().join(schema).is_file(), "{}: {schema}", path.display());
        }
    }
}

#[test]
fn the_schema_file_is_the_one_the_types_generate() {
    let file = fs::read_to_string(root().join("manifests/agentdeployment.schema.json")).unwrap_or_default();
    assert!(file == schema::file(), "manifests/agentdeployment.schema.json is stale: run `cargo xtask generate`");
}
