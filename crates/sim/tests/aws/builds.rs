//! CodeBuild: builds go through their phases, push what their Dockerfile makes, or say why not.

use crate::place::{Place, REGION};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fargateer_sim::Seed;
use serde_json::{Value, json};
use std::io::{Cursor, Write as _};
use std::time::Duration;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const REPOSITORY: &str = "111122223333.dkr.ecr.us-east-1.amazonaws.com/agents/bot";
const BUCKET: &str = "images-111122223333-us-east-1";
const SPEC: &str = "version: 0.2\nphases:\n  build:\n    commands:\n      - docker build --file Dockerfile --tag \"$REPO:$TAG\" .\n      \
                    - docker push \"$REPO:$TAG\"\n";

fn place() -> Place {
    let place = Place::new();
    place.aws.seed(Seed { region: REGION.to_owned(), build_projects: vec!["images".to_owned()], ..Seed::default() });
    place.call("ecr", "CreateRepository", json!({"repositoryName": "agents/bot", "imageTagMutability": "IMMUTABLE"}));
    place
}

/// A context with this Dockerfile, in the project's bucket.
fn context(place: &Place, key: &str, dockerfile: &str) {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("Dockerfile", SimpleFileOptions::default()).unwrap();
    zip.write_all(dockerfile.as_bytes()).unwrap();
    let body = STANDARD.encode(zip.finish().unwrap().into_inner());
    place.call("s3", "PutObject", json!({"Bucket": BUCKET, "Key": key, "Body": body}));
}

fn request(key: &str, repository: &str) -> Value {
    json!({
        "projectName": "images",
        "sourceTypeOverride": "S3",
        "sourceLocationOverride": format!("{BUCKET}/{key}"),
        "buildspecOverride": SPEC,
        "environmentVariablesOverride": [{"name": "REPO", "value": repository}, {"name": "TAG", "value": "c-1"}],
    })
}

fn id(place: &Place, request: Value) -> String {
    place.call("codebuild", "StartBuild", request)["build"]["id"].as_str().unwrap().to_owned()
}

fn build(place: &Place, id: &str) -> Value {
    place.call("codebuild", "BatchGetBuilds", json!({"ids": [id]}))["builds"][0].clone()
}

/// The build as it ends, with what its log said.
fn ended(place: &Place, request: Value) -> (Value, String) {
    let id = id(place, request);
    place.aws.leap(Duration::from_mins(5));
    let build = build(place, &id);
    let input = json!({"logGroupName": build["logs"]["groupName"], "logStreamName": build["logs"]["streamName"]});
    let events = place.aws.call(REGION, "logs", "GetLogEvents", input).unwrap_or_default();
    let lines = events["events"].as_array().cloned().unwrap_or_default();
    let text: Vec<String> = lines.iter().filter_map(|line| line["message"].as_str().map(str::to_owned)).collect();
    (build, text.join("\n"))
}

#[tokio::test(start_paused = true)]
async fn a_build_takes_its_time_and_pushes_an_image() {
    let place = place();
    context(&place, "a.zip", "FROM scratch\nCOPY . /app\n");
    let id = id(&place, request("a.zip", REPOSITORY));
    let phase = |build: &Value| build["currentPhase"].as_str().unwrap().to_owned();
    assert_eq!(build(&place, &id)["buildStatus"], "IN_PROGRESS");
    let mut seen = vec![phase(&build(&place, &id))];
    for _ in 0..60 {
        place.aws.leap(Duration::from_secs(1));
        let now = phase(&build(&place, &id));
        if seen.last() != Some(&now) {
            seen.push(now);
        }
    }
    assert_eq!(seen, ["PROVISIONING", "DOWNLOAD_SOURCE", "PRE_BUILD", "BUILD", "COMPLETED"]);
    let build = build(&place, &id);
    assert_eq!((&build["buildStatus"], &build["buildComplete"]), (&json!("SUCCEEDED"), &json!(true)));
    assert_eq!(build["phases"].as_array().unwrap().len(), 11);
    let ids = json!({"repositoryName": "agents/bot", "imageIds": [{"imageTag": "c-1"}]});
    let image = place.call("ecr", "DescribeImages", ids)["imageDetails"][0].clone();
    assert!(image["imageDigest"].as_str().unwrap().starts_with("sha256:"), "{image}");
}

#[tokio::test(start_paused = true)]
async fn what_fails_says_where_and_why() {
    let place = place();
    context(&place, "a.zip", "FROM scratch\nRUN exit 3\n");
    let (build, log) = ended(&place, request("a.zip", REPOSITORY));
    assert_eq!(build["buildStatus"], "FAILED");
    let failed = build["phases"].as_array().unwrap().iter().find(|phase| phase["phaseStatus"] == "FAILED").unwrap();
    assert_eq!(failed["phaseType"], "BUILD");
    assert!(failed["contexts"][0]["message"].as_str().unwrap().contains("exit status 1"), "{failed}");
    assert!(log.contains("exit code: 3"), "{log}");
    let (build, _) = ended(&place, request("missing.zip", REPOSITORY));
    assert!(build["phases"].to_string().contains("NoSuchKey"), "{build}");
    context(&place, "b.zip", "FROM scratch\n");
    let (_, log) = ended(&place, request("b.zip", &REPOSITORY.replace("bot", "nobody")));
    assert!(log.contains("name unknown"), "{log}");
    let (_, log) = ended(&place, request("b.zip", "999999999999.dkr.ecr.us-east-1.amazonaws.com/agents/bot"));
    assert!(log.contains("not authorized to perform: ecr:InitiateLayerUpload"), "{log}");
    let arm = json!("ARM_CONTAINER");
    let mut machine = request("b.zip", REPOSITORY);
    machine["environmentTypeOverride"] = arm;
    let (build, _) = ended(&place, machine);
    assert!(build["phases"].to_string().contains("BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE"), "{build}");
    let mut rootless = request("b.zip", REPOSITORY);
    rootless["privilegedModeOverride"] = json!(false);
    assert!(ended(&place, rootless).1.contains("Cannot connect to the Docker daemon"));
}

#[tokio::test(start_paused = true)]
async fn a_token_means_one_build_for_five_minutes() {
    let place = place();
    context(&place, "a.zip", "FROM scratch\n");
    let mut asked = request("a.zip", REPOSITORY);
    asked["idempotencyToken"] = json!("t");
    let first = id(&place, asked.clone());
    assert_eq!(id(&place, asked.clone()), first);
    let mut other = asked.clone();
    other["timeoutInMinutesOverride"] = json!(10);
    let refused = place.aws.call(REGION, "codebuild", "StartBuild", other).unwrap_err();
    assert_eq!(refused.0, "InvalidInputException");
    place.aws.leap(Duration::from_mins(6));
    let second = id(&place, asked);
    assert_ne!(second, first);
    let listed = place.call("codebuild", "ListBuildsForProject", json!({"projectName": "images"}));
    assert_eq!(listed["ids"], json!([second, first]), "the newest first");
}

#[tokio::test(start_paused = true)]
async fn a_build_that_is_stopped_pushes_nothing() {
    let place = place();
    context(&place, "a.zip", "FROM scratch\n");
    let id = id(&place, request("a.zip", REPOSITORY));
    place.call("codebuild", "StopBuild", json!({"id": id}));
    place.aws.leap(Duration::from_mins(5));
    let build = build(&place, &id);
    assert_eq!((&build["buildStatus"], &build["currentPhase"]), (&json!("STOPPED"), &json!("COMPLETED")));
    assert_eq!(place.call("ecr", "ListImages", json!({"repositoryName": "agents/bot"}))["imageIds"], json!([]));
}

#[test]
fn projects_are_checked_and_found() {
    let place = place();
    let call = |operation: &str, input: Value| place.aws.call(REGION, "codebuild", operation, input);
    let found = call("BatchGetProjects", json!({"names": ["images", "nobody"]})).unwrap();
    assert_eq!(found["projects"][0]["source"]["type"], "S3");
    assert_eq!(found["projectsNotFound"], json!(["nobody"]));
    let project = found["projects"][0].clone();
    assert_eq!(call("CreateProject", project.clone()).unwrap_err().0, "ResourceAlreadyExistsException");
    for (member, value) in
        [("name", json!("no spaces")), ("source", json!({"type": "FTP"})), ("serviceRole", json!("me"))]
    {
        let mut wrong = project.clone();
        wrong["name"] = json!("other");
        wrong[member] = value;
        assert_eq!(call("CreateProject", wrong).unwrap_err().0, "InvalidInputException", "{member}");
    }
    let mut nobody = request("a.zip", REPOSITORY);
    nobody["projectName"] = json!("nobody");
    assert_eq!(call("StartBuild", nobody).unwrap_err().0, "ResourceNotFoundException");
}
