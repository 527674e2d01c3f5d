//! How to build an image, read from specs that may not be whole yet.

use fargateer_api::spec::Architecture;
use fargateer_api::yaml::parse_builds;

#[test]
fn a_build_is_read_from_a_spec_that_is_not_whole() {
    let text = "kind: AgentDeployment\nmetadata: {name: a}\nspec:\n  image: {build: {context: ./a, entrypoint: \"b:c\"}}\n\
                ---\nmetadata: {name: b}\nspec: {resources: {architecture: ARM64}, image: {build: {context: .}}}\n\
                ---\nspec: {image: {uri: \"x:1\"}}\n";
    let (builds, faults) = parse_builds("x.yaml", text);
    assert_eq!(faults, []);
    let told: Vec<_> =
        builds.iter().map(|one| (one.name.as_str(), one.build.context.as_str(), one.architecture)).collect();
    assert_eq!(told, [("a", "./a", Architecture::X86_64), ("b", ".", Architecture::Arm64)]);
    assert_eq!(builds[0].build.entrypoint.as_deref(), Some("b:c"));
}

#[test]
fn what_is_wrong_with_a_build_is_told_with_its_place() {
    for text in [
        "a: 1\nspec:\n  image:\n    build: {contxt: .}\n",
        "a: 1\nspec:\n  image:\n    build: {context: 7}\n",
        "a: 1\nspec:\n  resources: {architecture: arm}\n  image: {build: {context: .}}\n",
        "a: [\n",
    ] {
        let (builds, faults) = parse_builds("x.yaml", text);
        assert!(builds.is_empty() && faults.len() == 1 && faults[0].line >= 1, "{text}: {faults:?}");
        assert!(faults[0].to_string().starts_with("x.yaml:"), "{}", faults[0]);
    }
}
