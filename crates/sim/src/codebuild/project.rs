//! Projects.

use super::invalid;
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use serde_json::{Value, json};

/// Kinds of machines, sources and sizes (CodeBuild API reference, ProjectEnvironment and ProjectSource).
const MACHINES: [&str; 7] = [
    "WINDOWS_CONTAINER",
    "LINUX_CONTAINER",
    "LINUX_GPU_CONTAINER",
    "ARM_CONTAINER",
    "WINDOWS_SERVER_2019_CONTAINER",
    "LINUX_LAMBDA_CONTAINER",
    "ARM_LAMBDA_CONTAINER",
];
const SOURCES: [&str; 8] =
    ["CODECOMMIT", "CODEPIPELINE", "GITHUB", "GITLAB", "S3", "BITBUCKET", "GITHUB_ENTERPRISE", "NO_SOURCE"];

/// CreateProject.
pub(super) fn create(region: &mut Region, input: &Value) -> Answer {
    let name = input.text("name").unwrap_or_default();
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let known = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !begins || !(2..=255).contains(&name.len()) || !name.chars().all(known) {
        return Err(invalid(format!("Invalid project name: {name}")));
    }
    for part in ["source", "artifacts", "environment"] {
        if !input.get(part).is_some_and(Value::is_object) {
            return Err(invalid(format!("Invalid project {part}: {part} is required")));
        }
    }
    if input.text("serviceRole").is_none_or(|role| !role.starts_with("arn:")) {
        return Err(invalid("Invalid service role: Service role account ID does not match caller's account"));
    }
    source(input.get("source").unwrap_or(&Value::Null))?;
    machine(input.get("environment").and_then(|environment| environment.text("type")))?;
    if region.codebuild.projects.contains_key(name) {
        let arn = region.arn("codebuild", &format!("project/{name}"));
        return Err(Refusal::new("ResourceAlreadyExistsException", format!("Project already exists: {arn}")));
    }
    let now = region.timestamp();
    let mut body = input.clone();
    body.put("arn", json!(region.arn("codebuild", &format!("project/{name}"))));
    for (member, value) in [
        ("created", json!(now)),
        ("lastModified", json!(now)),
        ("timeoutInMinutes", json!(60)),
        ("queuedTimeoutInMinutes", json!(480)),
        ("cache", json!({"type": "NO_CACHE"})),
        ("encryptionKey", json!(region.arn("kms", "alias/aws/s3"))),
        ("badge", json!({"badgeEnabled": false})),
    ] {
        body.fill(member, value);
    }
    region.codebuild.projects.insert(name.to_owned(), body.clone());
    Ok(json!({"project": body}))
}

/// Refuses a source that CodeBuild does not know.
pub(super) fn source(source: &Value) -> Result<(), Refusal> {
    let kind = source.text("type").unwrap_or_default();
    if !SOURCES.contains(&kind) {
        return Err(invalid(format!("Invalid source type: {kind}")));
    }
    let location = source.text("location").unwrap_or_default();
    if kind == "S3" && !location.contains('/') {
        return Err(invalid("Invalid project source: location must be a valid S3 source"));
    }
    Ok(())
}

/// Refuses a kind of machine that CodeBuild does not know.
pub(super) fn machine(kind: Option<&str>) -> Result<(), Refusal> {
    match kind {
        Some(kind) if MACHINES.contains(&kind) => Ok(()),
        other => Err(invalid(format!("Invalid environment type: {}", other.unwrap_or_default()))),
    }
}

/// BatchGetProjects: those that are not there are named apart.
pub(super) fn batch_get(region: &Region, input: &Value) -> Answer {
    let names = input.texts("names");
    if !(1..=100).contains(&names.len()) {
        return Err(invalid("Invalid names: must have between 1 and 100 items"));
    }
    // An ARN will do, too.
    let plain = |name: &String| name.rsplit_once(":project/").map_or(name.clone(), |(_, name)| name.to_owned());
    let known = |name: &String| region.codebuild.projects.get(&plain(name));
    let missing: Vec<&String> = names.iter().filter(|name| known(name).is_none()).collect();
    Ok(json!({"projects": names.iter().filter_map(known).collect::<Vec<_>>(), "projectsNotFound": missing}))
}

/// Puts a project in place that builds what lies in a bucket of this region. What is there stays.
pub(crate) fn plant(region: &mut Region, name: &str, bucket: &str) {
    let role = format!("arn:aws:iam::{}:role/{name}", region.account);
    let environment = json!({"type": "LINUX_CONTAINER", "image": "aws/codebuild/amazonlinux-x86_64-standard:5.0",
        "computeType": "BUILD_GENERAL1_SMALL", "privilegedMode": true, "environmentVariables": []});
    let source = json!({"type": "S3", "location": format!("{bucket}/fargateer/contexts/")});
    let input = json!({"name": name, "source": source, "artifacts": {"type": "NO_ARTIFACTS"},
        "environment": environment, "serviceRole": role});
    // One that is there already is what was wanted.
    let _ = create(region, &input);
}
