//! What goes wrong, and what is said about it; nothing half done ever has a tag.

use std::path::Path;
use std::time::Duration;

use fargateer_image::{Cause, Destination, Error};
use fargateer_sim::{Fault, FaultKind};

use crate::fixture::{self, Agent};
use crate::install;
use crate::world::{BASE, REPOSITORY, World, destination};

fn fault(operation: &str, times: Option<u32>, kind: FaultKind) -> Fault {
    let (service, operation) = (Some("registry".to_owned()), Some(operation.to_owned()));
    Fault { service, operation, times, ..Fault::once(kind) }
}

/// What building `agent` says.
async fn refused(world: &World, agent: &Agent) -> Error {
    let error = world.builder(fixture::tools()).push(agent).await.unwrap_err();
    assert!(!world.tags(REPOSITORY).iter().any(|tag| tag.starts_with("b-")), "{error}");
    error
}

/// Whether time may help is part of the answer.
fn assert_cause(error: &Error, cause: Cause, passing: bool, words: &str) {
    assert_eq!((error.cause, error.is_passing()), (cause, passing), "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

#[tokio::test]
async fn bad_input_is_told_with_what_would_be_right() {
    let world = World::open().await;
    let base = World::base_name("3.11");
    let with = |path: &str, text: &str| {
        let agent = Agent::plain(&base);
        agent.write(path, text);
        agent
    };
    let cases = [
        (with("generated_agent.py", "bot = 1\n"), Cause::ContextInvalid, "defines none of create_agent"),
        (with("requirements.txt", "greeting==9\n"), Cause::DependenciesUnresolvable, "greeting==9"),
        (with("requirements.txt", "sourceonly\n"), Cause::DependenciesUnresolvable, "sourceonly"),
        (with("requirements.txt", "-e .\n"), Cause::ContextInvalid, "requirements.txt:1: the option `-e`"),
        (with(".env", "A=1\n"), Cause::ContextInvalid, "no secrets go into an image: .env"),
        (Agent::plain(&World::base_name("9.9")), Cause::BaseImageUnusable, "there is no such image"),
        (Agent::plain("nowhere.example.com/python:3"), Cause::BaseImageUnavailable, "nobody knows"),
    ];
    for (agent, cause, words) in cases {
        let error = refused(&world, &agent).await;
        assert_cause(&error, cause, cause == Cause::BaseImageUnavailable, words);
    }
    let agent = Agent::plain(&base);
    std::os::unix::fs::symlink("/etc/passwd", agent.folder.path().join("link")).unwrap();
    assert_cause(&refused(&world, &agent).await, Cause::ContextInvalid, false, "outside of the context");
}

#[tokio::test]
async fn a_wheel_for_a_newer_c_library_is_taken_where_there_is_no_other() {
    let world = World::open().await;
    let agent = Agent::plain(&World::base_name("3.11"));
    agent.write("requirements.txt", "newer\n");
    assert!(world.builder(fixture::tools()).push(&agent).await.is_ok());
}

#[tokio::test]
async fn an_index_that_is_away_is_another_matter_than_a_package_that_is_not() {
    let world = World::open().await;
    let agent = Agent::greeting(&World::base_name("3.11"));
    let away = Path::new("http://127.0.0.1:9/simple");
    let tools = install::tools(&[("UV_DEFAULT_INDEX", away), ("UV_HTTP_RETRIES", Path::new("0"))]);
    let error = world.builder(tools).push(&agent).await.unwrap_err();
    assert_cause(&error, Cause::PackageIndexUnavailable, true, "127.0.0.1:9");
}

#[tokio::test]
async fn requirements_are_resolved_without_this_machines_secrets() {
    let world = World::open().await;
    let agent = Agent::greeting(&World::base_name("3.11"));
    agent.write("requirements.txt", "--index-url https://${HOME}.example.com\ngreeting\n");
    assert_cause(&refused(&world, &agent).await, Cause::ContextInvalid, false, "environment");
}

#[tokio::test]
async fn a_registry_that_refuses_us_is_told_at_once() {
    let world = World::open().await;
    let agent = Agent::plain(&World::base_name("3.11"));
    let bench = world.builder(fixture::tools());
    world.requests();
    let error = bench.push_to(&agent, &destination("agents/nowhere")).await.unwrap_err();
    assert_cause(&error, Cause::RepositoryMissing, true, "agents/nowhere");
    // Before anything was made for it in vain: the base, and the one tag.
    assert_eq!(world.requests(), ["GetManifest", "GetManifest", "GetBlob", "GetManifest"]);
    world.aws.fault(fault("StartUpload", None, FaultKind::AccessDenied));
    let error = bench.push(&agent).await.unwrap_err();
    assert_cause(&error, Cause::RegistryDenied, true, "not authorized");
}

#[tokio::test]
async fn a_registry_that_goes_away_in_the_middle_has_no_tag_and_keeps_what_arrived() {
    let world = World::open().await;
    let agent = Agent::greeting(&World::base_name("3.11"));
    let bench = world.builder(fixture::tools());
    world.aws.fault(Fault { skip: 2, ..fault("UploadBlob", None, FaultKind::ResetBefore) });
    let error = bench.push(&agent).await.unwrap_err();
    assert_cause(&error, Cause::RegistryUnavailable, true, "registry 111122223333");
    assert!(!world.tags(REPOSITORY).iter().any(|tag| tag.starts_with("b-")));
    world.aws.clear_faults();
    let (_, moved) = bench.push(&agent).await.unwrap();
    assert!(moved.present >= 1 && moved.sent <= 3, "{moved:?}");
}

#[tokio::test]
async fn any_request_may_fail_once_in_any_way() {
    let operations = ["GetManifest", "GetBlob", "StartUpload", "UploadBlob", "PutManifest"];
    let kinds = [FaultKind::Throttle, FaultKind::ServerError, FaultKind::ResetBefore, FaultKind::ResetAfter];
    let mut digests = Vec::new();
    for operation in operations {
        for kind in &kinds {
            for skip in [0, 2] {
                let world = World::open().await;
                let agent = Agent::serving_itself(&World::base_name("3.11"));
                world.aws.fault(Fault { skip, ..fault(operation, Some(1), kind.clone()) });
                let pushed = world.builder(fixture::tools()).push(&agent).await;
                digests.push(pushed.unwrap_or_else(|error| panic!("{operation} {kind:?} {skip}: {error}")).0);
            }
        }
    }
    digests.dedup();
    assert_eq!(digests.len(), 1);
}

#[tokio::test]
async fn a_manifest_whose_answer_is_lost_is_not_taken_for_another_ones() {
    let mut digests = Vec::new();
    // Each of them: dependencies, image, artifacts and their list, the tag, a further tag. None may move.
    for skip in 0..7 {
        let world = World::open().await;
        let agent = Agent::serving_itself(&World::base_name("3.11"));
        let tagged = Destination { tags: vec!["v1".to_owned()], ..destination(REPOSITORY) };
        world.aws.fault(Fault { skip, ..fault("PutManifest", Some(1), FaultKind::ResetAfter) });
        digests.push(world.builder(fixture::tools()).push_to(&agent, &tagged).await.unwrap().0);
        assert!(world.tags(REPOSITORY).contains(&"v1".to_owned()));
    }
    digests.dedup();
    assert_eq!(digests.len(), 1);
}

#[tokio::test]
async fn a_token_that_has_expired_is_replaced() {
    let world = World::open().await;
    let agent = Agent::plain(&World::base_name("3.11"));
    let bench = world.builder_with_token_of_now(fixture::tools());
    world.aws.leap(Duration::from_hours(13));
    bench.push(&agent).await.unwrap();
    // And one that expires while the builder lives.
    world.aws.leap(Duration::from_hours(13));
    agent.write("generated_agent.py", "agent = 1\n");
    bench.push(&agent).await.unwrap();
}

#[tokio::test]
async fn a_token_whose_end_is_told_as_a_lack_of_permissions_is_replaced() {
    let world = World::open().await;
    let agent = Agent::plain(&World::base_name("3.11"));
    let bench = world.builder_with_token_of_now(fixture::tools());
    world.aws.leap(Duration::from_mins(1));
    world.aws.fault(fault("StartUpload", Some(1), FaultKind::AccessDenied));
    bench.push(&agent).await.unwrap();
}

#[tokio::test]
async fn who_is_slower_with_the_same_inputs_takes_the_image_of_who_was_quicker() {
    let world = World::open().await;
    let agent = Agent::greeting(&World::base_name("3.11"));
    // The index has a new version for one of them.
    let (one, other) = (world.builder(fixture::tools()), world.builder(fixture::newer_tools()));
    let (one, other) = futures::join!(one.push(&agent), other.push(&agent));
    assert_eq!(one.unwrap().0, other.unwrap().0);
    assert_eq!(world.tags(REPOSITORY).iter().filter(|tag| tag.starts_with("b-")).count(), 1);
}

#[tokio::test]
async fn a_push_that_is_dropped_leaves_no_tag_and_can_be_made_again() {
    let world = World::open().await;
    let agent = Agent::greeting(&World::base_name("3.11"));
    let bench = world.builder(fixture::tools());
    for operation in ["StartUpload", "UploadBlob", "PutManifest"] {
        world.aws.fault(fault(operation, Some(1), FaultKind::HangBefore));
        let given_up = tokio::time::timeout(Duration::from_secs(2), bench.push(&agent)).await;
        assert!(given_up.is_err(), "{operation}");
        world.aws.clear_faults();
        assert!(!world.tags(REPOSITORY).iter().any(|tag| tag.starts_with("b-")), "{operation}");
    }
    bench.push(&agent).await.unwrap();
}

#[tokio::test]
async fn a_base_image_whose_parts_are_gone_is_told_as_such() {
    let world = World::open().await;
    let agent = Agent::plain(&World::base_name("3.11"));
    world.aws.fault(Fault {
        resource: Some(BASE.to_owned()),
        ..fault("GetBlob", None, FaultKind::Error { code: "BLOB_UNKNOWN".to_owned(), message: "gone".to_owned() })
    });
    assert_cause(&refused(&world, &agent).await, Cause::BaseImageUnusable, false, "gone");
}
