//! Images in the simulated ECR, the way there and back.

use std::collections::BTreeMap;
use std::fs;

use fargateer_api::spec::Architecture;
use fargateer_image::{Destination, Moved, Reference};
use serde_json::json;

use crate::fixture::{self, Agent};
use crate::install::no_tools;
use crate::world::{HOST, REPOSITORY, World, destination};

fn there(present: usize, mounted: usize, sent: usize) -> impl Fn(Moved) -> bool {
    move |moved| (moved.present, moved.mounted, moved.sent) == (present, mounted, sent)
}

#[tokio::test]
async fn an_image_says_how_it_runs_and_where_it_comes_from() {
    let world = World::open().await;
    let agent = Agent::greeting(&World::base_name("3.11"));
    let bench = world.builder(fixture::tools());
    let (digest, moved) = bench.push(&agent).await.unwrap();
    assert!(there(0, 0, 4)(moved), "{moved:?}");
    let config = world.config(REPOSITORY, &digest).await;
    let running = &config["config"];
    assert_eq!(running["User"], "65532:65532");
    assert_eq!(running["Cmd"], json!(["/opt/agent/venv/bin/python", "/app/agent_server.py"]));
    assert_eq!(running["StopSignal"], "SIGTERM");
    assert_eq!(running["Volumes"], json!({"/tmp": {}}));
    assert_eq!(running["WorkingDir"], "/app");
    assert_eq!((running.get("Entrypoint"), running.get("Healthcheck")), (None, None));
    assert_eq!(config["created"], "1970-01-01T00:00:00Z");
    let env = running["Env"].as_array().unwrap();
    assert!(env.contains(&json!("PATH=/opt/agent/venv/bin:/usr/local/bin:/usr/bin:/bin")), "{env:?}");
    assert!(env.contains(&json!("LANG=C.UTF-8")) && env.contains(&json!("HOME=/tmp")), "{env:?}");
    assert_eq!(running["Labels"]["org.opencontainers.image.base.name"], World::base_name("3.11"));
    let image = Reference::parse(&format!("{HOST}/{REPOSITORY}@{digest}")).unwrap();
    let inspected = bench.builder.inspect(&image).await.unwrap();
    assert_eq!(
        inspected.layers.iter().map(|layer| layer.holds).collect::<Vec<_>>(),
        ["dependencies", "runtime", "code"]
    );
    assert_eq!((inspected.python.as_str(), inspected.architecture.as_str()), ("3.11", "amd64"));
}

#[tokio::test]
async fn a_bill_of_materials_and_its_provenance_are_attached_before_the_tag() {
    let world = World::open().await;
    let agent = Agent::greeting(&World::base_name("3.11"));
    let bench = world.builder(fixture::tools());
    world.requests();
    let (digest, _) = bench.push(&agent).await.unwrap();
    let puts = world.puts();
    let ends: Vec<&str> = puts.iter().map(|path| path.split(['-', ':']).next().unwrap()).collect();
    // Dependencies, the image by its digest, two artifacts, their list; the tag last of all.
    assert_eq!(ends, ["d", "sha256", "sha256", "sha256", "sha256", "b"], "{puts:?}");
    assert_eq!(puts[1], digest);
    let image = Reference::parse(&format!("{HOST}/{REPOSITORY}@{digest}")).unwrap();
    let bill = bench.builder.sbom(&image).await.unwrap();
    let names: Vec<&str> =
        bill["components"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    assert!(
        names.contains(&"greeting") && names.contains(&"native") && names.contains(&"fargateer-runtime"),
        "{names:?}"
    );
    let native = bill["components"].as_array().unwrap().iter().find(|one| one["name"] == "native").unwrap();
    assert_eq!(native["purl"], "pkg:pypi/native@2.0");
    assert!(native["externalReferences"][0]["hashes"][0]["content"].as_str().unwrap().len() == 64);
    let provenance = bench.builder.provenance(&image).await.unwrap();
    assert_eq!(provenance["subject"][0]["digest"]["sha256"], digest.trim_start_matches("sha256:"));
    assert_eq!(provenance["predicateType"], "https://slsa.dev/provenance/v1");
}

#[tokio::test]
async fn the_same_sources_in_another_folder_are_the_same_image_and_nothing_is_sent() {
    let world = World::open().await;
    let (one, other) = (Agent::greeting(&World::base_name("3.11")), Agent::greeting(&World::base_name("3.11")));
    let (digest, _) = world.builder(fixture::tools()).push(&one).await.unwrap();
    world.requests();
    // Whoever knows nothing, has no uv and stands in another folder comes to the same tag, and asks for no more than that.
    let (again, moved) = world.builder(no_tools()).push(&other).await.unwrap();
    assert_eq!((again, moved), (digest.clone(), Moved::default()));
    assert_eq!(world.requests(), ["GetManifest", "GetManifest", "GetBlob", "GetManifest"]);
    // And made anew from nothing, it is the same to the byte.
    world.repository("agents/second", "IMMUTABLE");
    let bench = world.builder(fixture::tools());
    let (anew, moved) = bench.push_to(&other, &destination("agents/second")).await.unwrap();
    assert_eq!(anew, digest);
    assert!(there(0, 0, 4)(moved), "{moved:?}");
    // With everything at hand and a pinned base the tag is all that is asked for.
    let mut pinned = Agent::greeting(&World::base_name("3.11"));
    let prepared = bench.builder.prepare(&other.recipe, &fargateer_image::Progress::silent()).await.unwrap();
    pinned.recipe.base_digest = Some(prepared.base_digest().to_owned());
    world.requests();
    assert_eq!(bench.push_to(&pinned, &destination("agents/second")).await.unwrap().0, digest);
    assert_eq!(world.requests(), ["GetManifest"]);
}

#[tokio::test]
async fn of_a_change_of_code_only_the_code_is_sent() {
    let world = World::open().await;
    let agent = Agent::greeting(&World::base_name("3.11"));
    let bench = world.builder(fixture::tools());
    let (before, _) = bench.push(&agent).await.unwrap();
    agent.write("generated_agent.py", "agent = print\n");
    let (after, moved) = bench.push(&agent).await.unwrap();
    assert_ne!(after, before);
    assert!(there(3, 0, 1)(moved) && moved.bytes < 1000, "{moved:?}");
    // A machine that never saw it needs no uv, and resolves nothing: the repository remembers.
    agent.write("generated_agent.py", "agent = repr\n");
    let (_, moved) = world.builder(no_tools()).push(&agent).await.unwrap();
    assert!(there(3, 0, 1)(moved), "{moved:?}");
}

#[tokio::test]
async fn what_the_requirements_leave_open_is_not_resolved_again_while_they_stand() {
    let world = World::open().await;
    let mut agent = Agent::greeting(&World::base_name("3.11"));
    let bench = world.builder(fixture::tools());
    bench.push(&agent).await.unwrap();
    agent.write("generated_agent.py", "agent = 1\n");
    world.builder(no_tools()).push(&agent).await.unwrap();
    // Another line, another question.
    agent.write("requirements.txt", "greeting>=1\n");
    let error = world.builder(no_tools()).push(&agent).await.unwrap_err();
    assert_eq!(error.cause.name(), "ToolMissing");
    // So is another date.
    agent.write("requirements.txt", "greeting\n");
    agent.recipe.build.exclude_newer = Some("2026-01-01".to_owned());
    assert_eq!(world.builder(no_tools()).push(&agent).await.unwrap_err().cause.name(), "ToolMissing");
}

#[tokio::test]
async fn a_project_is_as_good_as_a_list() {
    let world = World::open().await;
    let agent = Agent::greeting(&World::base_name("3.11"));
    let bench = world.builder(fixture::tools());
    fs::remove_file(agent.folder.path().join("requirements.txt")).unwrap();
    let project =
        "[project]\nname = 'greeter'\nversion = '1'\nrequires-python = '>=3.11'\ndependencies = ['greeting']\n";
    agent.write("pyproject.toml", project);
    let (digest, _) = bench.push(&agent).await.unwrap();
    let image = Reference::parse(&format!("{HOST}/{REPOSITORY}@{digest}")).unwrap();
    assert!(bench.builder.sbom(&image).await.unwrap().to_string().contains("pkg:pypi/native@2.0"));
    // One whose facts have to be computed would run code of its own.
    agent.write("pyproject.toml", &project.replace("dependencies = ['greeting']", "dynamic = ['dependencies']"));
    assert_eq!(bench.push(&agent).await.unwrap_err().cause.name(), "DependenciesUnresolvable");
}

#[tokio::test]
async fn an_image_for_arm_is_made_on_any_machine() {
    let world = World::open().await;
    let mut agent = Agent::greeting(&World::base_name("3.11"));
    agent.recipe.architecture = Architecture::Arm64;
    let (digest, _) = world.builder(fixture::tools()).push(&agent).await.unwrap();
    let config = world.config(REPOSITORY, &digest).await;
    assert_eq!(config["architecture"], "arm64");
    let manifest = world.hand().get(REPOSITORY, &format!("manifests/{digest}")).await.unwrap();
    let layer = world.hand().bytes(REPOSITORY, manifest["layers"][1]["digest"].as_str().unwrap()).await;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(layer.as_slice()));
    let mut texts = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let (path, mut text) = (entry.path().unwrap().display().to_string(), String::new());
        std::io::Read::read_to_string(&mut entry, &mut text).unwrap();
        texts.insert(path, text);
    }
    let packages = "opt/agent/venv/lib/python3.11/site-packages";
    assert_eq!(texts[&format!("{packages}/native.py")], "MACHINE = 'aarch64'\n");
    // Programs run with the Python of the image, wherever uv unpacked them.
    assert!(texts["opt/agent/venv/bin/greet"].starts_with("#!/opt/agent/venv/bin/python\n"));
    assert!(texts[&format!("{packages}/greeting-1.0.dist-info/RECORD")].contains("../../../bin/greet,sha256="));
}

#[tokio::test]
async fn another_base_is_put_under_an_image_without_its_sources() {
    let world = World::open().await;
    let agent = Agent::greeting(&World::base_name("3.11"));
    let bench = world.builder(fixture::tools());
    let (before, _) = bench.push(&agent).await.unwrap();
    world.base("3.11", "a base with a hole less").await;
    let image = Reference::parse(&format!("{HOST}/{REPOSITORY}@{before}")).unwrap();
    // A builder without uv, without the sources.
    let other = world.builder(no_tools());
    let base = World::base_name("3.11");
    let built = other.builder.rebase(&image, (&base, None), &destination(REPOSITORY)).await.unwrap();
    assert!(there(3, 0, 1)(built.moved), "{:?}", built.moved);
    assert!(other.builder.sbom(&built.image).await.is_ok());
    // It is what a build from the sources gives on that base.
    let (anew, moved) = bench.push(&agent).await.unwrap();
    assert_eq!((Some(anew), moved), (built.image.digest.clone(), Moved::default()));
    let again = other.builder.rebase(&built.image, (&base, None), &destination(REPOSITORY)).await.unwrap();
    assert_eq!((again.image, again.moved), (built.image, Moved::default()));
}

#[tokio::test]
async fn dependencies_are_sent_once_for_all_agents_of_a_registry() {
    let world = World::open().await;
    world.repository("agents/layer-cache", "IMMUTABLE");
    world.repository("agents/second", "IMMUTABLE");
    let setting = json!({"name": "BLOB_MOUNTING", "value": "ENABLED"});
    world.aws.call("us-east-1", "ecr", "PutAccountSetting", setting).unwrap();
    let cached = |repository| Destination { cache: Some("agents/layer-cache".to_owned()), ..destination(repository) };
    let agent = Agent::greeting(&World::base_name("3.11"));
    let (_, moved) = world.builder(fixture::tools()).push_to(&agent, &cached(REPOSITORY)).await.unwrap();
    // The base and the dependencies are mounted, once the latter are where they are kept.
    assert!(there(0, 2, 3)(moved), "{moved:?}");
    agent.write("generated_agent.py", "agent = 1\n");
    let (_, moved) = world.builder(no_tools()).push_to(&agent, &cached("agents/second")).await.unwrap();
    assert!(there(0, 2, 2)(moved), "{moved:?}");
}

#[tokio::test]
async fn a_further_tag_moves_with_the_image_where_it_may() {
    let world = World::open().await;
    world.repository("agents/loose", "MUTABLE");
    let agent = Agent::plain(&World::base_name("3.11"));
    let bench = world.builder(fixture::tools());
    let latest = Destination { tags: vec!["latest".to_owned()], ..destination("agents/loose") };
    let (first, _) = bench.push_to(&agent, &latest).await.unwrap();
    agent.write("generated_agent.py", "agent = 1\n");
    let (second, _) = bench.push_to(&agent, &latest).await.unwrap();
    let tagged = || async { world.hand().get("agents/loose", "manifests/latest").await.unwrap() };
    assert_eq!(crate::registry::digest(&canonical(&tagged().await)), second);
    // Back again: there is nothing to build, and the tag moves all the same.
    agent.write("generated_agent.py", "def agent(prompt):\n    return prompt\n");
    let (third, moved) = bench.push_to(&agent, &latest).await.unwrap();
    assert_eq!((&third, moved), (&first, Moved::default()));
    assert_eq!(crate::registry::digest(&canonical(&tagged().await)), first);
}

/// A manifest of ours is written with sorted keys, and so does serde_json write it.
fn canonical(manifest: &serde_json::Value) -> Vec<u8> {
    manifest.to_string().into_bytes()
}
