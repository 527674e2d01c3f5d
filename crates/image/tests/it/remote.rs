//! Images that CodeBuild builds: sent once, started once, found again, and what is told of those that fail.

use std::time::Duration;

use fargateer_api::spec::{Architecture, Build, BuildStrategy, Packing};
use fargateer_api::status::Reason;
use fargateer_controller::port::Images as _;
use fargateer_plan::build::{Live, Order, Work};
use fargateer_plan::desired::Place;
use fargateer_plan::failure::Class;
use fargateer_plan::remote::{Complaint, End};
use serde_json::json;

use crate::cloud::{BUCKET, Cloud, failure};
use crate::fixture::{self, Agent};
use crate::works::{Process, order};
use crate::world::{REPOSITORY, World};

/// An agent with a Dockerfile, and the order to build it.
fn contained() -> (Agent, Order) {
    let agent = Agent::plain("unused");
    agent.write("Dockerfile", "FROM scratch\n");
    let order = order(&agent);
    let build = Build { strategy: BuildStrategy::CodeBuild, base: None, ..order.build.clone() };
    (agent, Order { build, ..order })
}

/// Begins the build and waits until CodeBuild has it.
async fn begun(process: &Process, order: &Order) -> Live {
    let live = process.works.build(&Place::default(), order).await.expect("a build");
    assert!(matches!(live.work, Work::UnderWay(_)), "{live:?}");
    tokio::time::timeout(Duration::from_secs(20), process.woken.notified()).await.expect("it is woken");
    process.look(order).await
}

fn words(live: &Live) -> String {
    match &live.work {
        Work::UnderWay(progress) => progress.to_string(),
        Work::Failed(failure) => failure.to_string(),
        Work::Missing | Work::Done(_) => format!("{live:?}"),
    }
}

#[tokio::test]
async fn a_context_is_sent_once_and_its_image_is_what_codebuild_pushed() {
    let world = World::open().await;
    let (agent, order) = contained();
    let process = Process::start(&world, &agent, fixture::tools());
    let cloud = process.cloud.clone();
    let unmade = Order { repository: None, ..order.clone() };
    assert_eq!(process.look(&unmade).await.work, Work::Missing);
    assert!(cloud.asked().is_empty(), "nothing is built into a repository that is not made");
    let live = begun(&process, &order).await;
    assert!(words(&live).contains("CodeBuild runs docker build and docker push"), "{live:?}");
    assert_eq!(cloud.asked(), ["latest", "project", "find", "put", "latest", "start", "run"]);
    let job = cloud.jobs().remove(0);
    assert_eq!((job.tag.as_str(), job.source.bucket.as_str(), job.other_machine), (live.tag.as_str(), BUCKET, false));
    assert!(job.source.key.starts_with("fargateer/contexts/"), "{job:?}");
    assert_eq!(job.source.packing(), Some(Packing::Zip));

    world.aws.call("us-east-1", "ecr", "PutImage", image(&live.tag)).expect("an image");
    cloud.end(End::Succeeded);
    let done = process.look(&order).await;
    assert!(done.digest().is_some(), "{done:?}");
    assert_eq!((done.base_digest.as_str(), done.runtime.as_str()), ("", ""));
    cloud.asked();
    let again = process.works.build(&Place::default(), &order).await.expect("it is there");
    assert_eq!(again, done);
    assert!(cloud.asked().is_empty(), "what is there is not asked for");
}

/// An image with this tag, as a push makes it.
fn image(tag: &str) -> serde_json::Value {
    let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json"});
    json!({"repositoryName": REPOSITORY, "imageTag": tag, "imageManifest": manifest.to_string(),
        "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json"})
}

#[tokio::test]
async fn another_process_finds_the_build_and_starts_no_second_one() {
    let world = World::open().await;
    let (agent, order) = contained();
    let cloud = Cloud::default();
    let first = Process::beside(&world, &agent, fixture::tools(), cloud.clone());
    begun(&first, &order).await;
    let second = Process::beside(&world, &agent, fixture::tools(), cloud.clone());
    let live = second.works.build(&Place::default(), &order).await.expect("a build");
    assert!(matches!(live.work, Work::UnderWay(_)), "{live:?}");
    assert_eq!(cloud.jobs().len(), 1);
}

#[tokio::test]
async fn an_answer_that_was_lost_is_the_same_build() {
    let world = World::open().await;
    let (agent, order) = contained();
    let process = Process::start(&world, &agent, fixture::tools());
    process.cloud.fail("start", failure(Class::Transient, "Timeout"));
    let Work::Failed(told) = begun(&process, &order).await.work else { panic!("the answer was lost") };
    assert_eq!((told.class, told.reason), (Class::Transient, Reason::Unavailable));
    // Found among the builds; and by its token, where the list does not have it yet.
    assert!(matches!(process.look(&order).await.work, Work::UnderWay(_)));
    assert_eq!(process.cloud.jobs().len(), 1);
}

#[tokio::test]
async fn a_build_that_fails_is_told_once_and_then_tried_again_by_a_new_build() {
    let world = World::open().await;
    let (agent, order) = contained();
    let process = Process::start(&world, &agent, fixture::tools());
    begun(&process, &order).await;
    let complaint = Complaint { status: "FAILED".to_owned(), phase: "BUILD".to_owned(), ..Complaint::default() };
    process.cloud.end(End::Failed(complaint.clone()));
    let Work::Failed(told) = process.look(&order).await.work else { panic!("it failed") };
    assert_eq!((told.class, told.reason), (Class::Denied, Reason::BuilderFailed));
    assert!(told.message.contains("the build failed in phase BUILD"), "{told}");
    assert_eq!(process.look(&order).await.work, Work::Missing);
    begun(&process, &order).await;
    let jobs = process.cloud.jobs();
    assert_eq!(jobs.len(), 2);
    assert_ne!(jobs[0].token(), jobs[1].token(), "CodeBuild would answer with the one that failed");
    let denied = "denied: User: x is not authorized to perform: ecr:InitiateLayerUpload".to_owned();
    process.cloud.end(End::Failed(Complaint { lines: vec![denied], ..complaint }));
    let Work::Failed(told) = process.look(&order).await.work else { panic!("it failed") };
    assert_eq!(told.reason, Reason::RegistryDenied);
    begun(&process, &order).await;
    process.cloud.end(End::Succeeded);
    let Work::Failed(told) = process.look(&order).await.work else { panic!("nothing was pushed") };
    assert!(told.message.contains("succeeded, and there is no"), "{told}");
}

#[tokio::test]
async fn what_is_missing_or_denied_is_told_with_what_would_help() {
    let world = World::open().await;
    let (agent, order) = contained();
    let process = Process::start(&world, &agent, fixture::tools());
    let cloud = &process.cloud;
    let mut told = Vec::new();
    for (operation, class, code) in [
        ("project", Class::Denied, "ProjectNotFound"),
        ("find", Class::Denied, "NoSuchBucket"),
        ("put", Class::Denied, "AccessDenied"),
        ("start", Class::Denied, "AccessDeniedException"),
    ] {
        cloud.fail(operation, failure(class, code));
        if operation == "find" {
            cloud.fail("put", failure(class, code));
        }
        let live = begun(&process, &order).await;
        let Work::Failed(failure) = live.work else { panic!("{operation}: {live:?}") };
        assert_eq!(failure.reason, Reason::BuilderFailed, "{failure}");
        told.push(failure.message);
        cloud.end_all();
    }
    assert!(told[0].contains("there is no CodeBuild project fargateer-images"), "{told:?}");
    assert!(told[1].contains("there is no bucket contexts"), "{told:?}");
    assert!(told[2].contains("s3:PutObject on arn:aws:s3:::contexts/fargateer/contexts/*"), "{told:?}");
    assert!(told[3].contains("codebuild actions of deploy/iam-policy.json"), "{told:?}");
}

#[tokio::test]
async fn another_processor_is_another_image_on_another_machine() {
    let world = World::open().await;
    let (agent, order) = contained();
    let process = Process::start(&world, &agent, fixture::tools());
    let plain = process.look(&order).await.tag;
    let arm = Order { architecture: Architecture::Arm64, ..order };
    let live = begun(&process, &arm).await;
    assert_ne!(live.tag, plain);
    assert!(process.cloud.jobs()[0].other_machine);
}
