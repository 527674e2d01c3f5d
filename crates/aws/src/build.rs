//! Builds in CodeBuild: started, looked at, and what is told of those that failed.

use async_trait::async_trait;
use fargateer_api::Reason;
use fargateer_api::spec::Architecture;
use fargateer_controller::port::Builds;
use fargateer_plan::desired::Place;
use fargateer_plan::failure::{Class, Failure};
use fargateer_plan::remote::{Complaint, End, Job, NO_PROJECT, Project, Run};
use serde_json::{Value, json};

use crate::caller::{Caller, Operation, items, text};
use crate::cloud::Aws;
use crate::error;
use crate::quota::Group;
use crate::task;

/// What this file calls.
pub(crate) const PERMISSIONS: &[&str] = &[
    "codebuild:BatchGetBuilds",
    "codebuild:BatchGetProjects",
    "codebuild:ListBuildsForProject",
    "codebuild:StartBuild",
];

const PROJECTS: Operation = Operation::new("codebuild.BatchGetProjects", Group::Builds);
const LIST: Operation = Operation::new("codebuild.ListBuildsForProject", Group::Builds);
const BUILDS: Operation = Operation::new("codebuild.BatchGetBuilds", Group::Builds);
const START: Operation = Operation::new("codebuild.StartBuild", Group::Builds);

/// A build is ended after so many minutes; so is its waiting in the queue. Both are said with each build, whatever its project
/// says: an agent waits for it.
const MINUTES: u32 = 60;
/// So many of the latest builds are looked at for one that is under way, at most: a list comes in pages of a hundred.
const PAGES: usize = 5;

/// The variables a build is given.
const REPOSITORY: &str = "FARGATEER_REPOSITORY";
const TAG: &str = "FARGATEER_TAG";

/// Machines and images of CodeBuild, where a project's own are for the other kind of processor (CodeBuild user guide, "Docker
/// images provided by CodeBuild").
const X86: (&str, &str) = ("LINUX_CONTAINER", "aws/codebuild/amazonlinux-x86_64-standard:5.0");
const ARM: (&str, &str) = ("ARM_CONTAINER", "aws/codebuild/amazonlinux-aarch64-standard:3.0");

/// What a build does. Both commands stand in one phase: a later one would run although the build failed. An attestation beside
/// the image would make an index of it, which ECS takes for another image.
const BUILDSPEC: &str = r#"version: 0.2
env:
  variables:
    BUILDX_NO_DEFAULT_ATTESTATIONS: "1"
phases:
  pre_build:
    commands:
      - aws ecr get-login-password --region "$AWS_DEFAULT_REGION" | docker login --username AWS --password-stdin "${FARGATEER_REPOSITORY%%/*}"
  build:
    commands:
      - docker build --platform "$FARGATEER_PLATFORM" --file "$FARGATEER_DOCKERFILE" --tag "$FARGATEER_REPOSITORY:$FARGATEER_TAG" .
      - docker push "$FARGATEER_REPOSITORY:$FARGATEER_TAG"
"#;

#[async_trait]
impl Builds for Aws {
    async fn project(&self, place: &Place, name: &str) -> Result<Project, Failure> {
        let caller = self.caller(place);
        let request = json!({"names": [name]});
        let send = |exchange| caller.clients.codebuild.batch_get_projects().customize().interceptor(exchange).send();
        let answer = caller.json(PROJECTS, &request, send).await?;
        let Some(project) = items(&answer, "projects").first() else {
            return Err(error::of(
                PROJECTS.name,
                Class::Denied,
                Reason::BuilderFailed,
                (NO_PROJECT, "no such project"),
            ));
        };
        let part = |pointer: &str| project.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (source, location, environment) =
            (part("/source/type"), part("/source/location"), part("/environment/type"));
        Ok(Project { source, location, environment })
    }

    async fn latest(&self, place: &Place, project: &str) -> Result<Vec<Run>, Failure> {
        let caller = self.caller(place);
        let (mut runs, mut next) = (Vec::new(), Value::Null);
        for _ in 0..PAGES {
            let mut request = json!({"projectName": project, "sortOrder": "DESCENDING"});
            if let (Value::String(_), Some(members)) = (&next, request.as_object_mut()) {
                members.insert("nextToken".to_owned(), next.clone());
            }
            let codebuild = &caller.clients.codebuild;
            let send = |exchange| codebuild.list_builds_for_project().customize().interceptor(exchange).send();
            let listed = caller.json(LIST, &request, send).await?;
            let page = described(&caller, items(&listed, "ids")).await?;
            // The builds of a page that has ended whole are older than any that is under way.
            let all_ended = page.iter().all(|build| text(build, "buildStatus") != "IN_PROGRESS");
            runs.extend(page.iter().map(run));
            next = listed.get("nextToken").cloned().unwrap_or_default();
            if all_ended || next.is_null() {
                break;
            }
        }
        Ok(runs)
    }

    async fn run(&self, place: &Place, id: &str) -> Result<Option<Run>, Failure> {
        let caller = self.caller(place);
        let builds = described(&caller, &[json!(id)]).await?;
        let Some(build) = builds.first() else { return Ok(None) };
        let mut run = run(build);
        if let Some(End::Failed(complaint)) = &mut run.end {
            let log = |name: &str| build.pointer(&format!("/logs/{name}")).and_then(Value::as_str).unwrap_or_default();
            if !log("streamName").is_empty() {
                complaint.lines = task::log_lines(&caller, log("groupName"), log("streamName")).await;
            }
        }
        Ok(Some(run))
    }

    async fn start(&self, place: &Place, job: &Job) -> Result<Run, Failure> {
        let caller = self.caller(place);
        let request = request(job);
        let send = |exchange| caller.clients.codebuild_writes.start_build().customize().interceptor(exchange).send();
        let answer = caller.json(START, &request, send).await?;
        Ok(run(answer.get("build").unwrap_or(&Value::Null)))
    }
}

/// The builds of these ids, in the order of the ids.
async fn described(caller: &Caller<'_>, ids: &[Value]) -> Result<Vec<Value>, Failure> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let request = json!({"ids": ids});
    let send = |exchange| caller.clients.codebuild.batch_get_builds().customize().interceptor(exchange).send();
    let mut builds = items(&caller.json(BUILDS, &request, send).await?, "builds").to_vec();
    builds.sort_by_key(|build| ids.iter().position(|id| id.as_str() == Some(text(build, "id"))));
    Ok(builds)
}

fn request(job: &Job) -> Value {
    let Job { project, source, dockerfile, repository, tag, architecture, other_machine, after: _ } = job;
    let (platform, (machine, image)) = match architecture {
        Architecture::X86_64 => ("linux/amd64", X86),
        Architecture::Arm64 => ("linux/arm64", ARM),
    };
    let variables = [
        (REPOSITORY, repository.as_str()),
        (TAG, tag),
        ("FARGATEER_DOCKERFILE", dockerfile),
        ("FARGATEER_PLATFORM", platform),
    ];
    let variables: Vec<Value> =
        variables.iter().map(|(name, value)| json!({"name": name, "value": value, "type": "PLAINTEXT"})).collect();
    let mut request = json!({
        "projectName": project,
        "sourceTypeOverride": "S3",
        "sourceLocationOverride": format!("{}/{}", source.bucket, source.key),
        "buildspecOverride": BUILDSPEC,
        "environmentVariablesOverride": variables,
        "artifactsOverride": {"type": "NO_ARTIFACTS"},
        "privilegedModeOverride": true,
        "timeoutInMinutesOverride": MINUTES,
        "queuedTimeoutInMinutesOverride": MINUTES,
        "idempotencyToken": job.token(),
    });
    if let (true, Some(members)) = (*other_machine, request.as_object_mut()) {
        members.insert("environmentTypeOverride".to_owned(), json!(machine));
        members.insert("imageOverride".to_owned(), json!(image));
    }
    request
}

/// A build, as far as it matters here.
fn run(build: &Value) -> Run {
    let variables = build.pointer("/environment/environmentVariables").and_then(Value::as_array);
    let variable = |name: &str| {
        let found = variables.into_iter().flatten().find(|variable| text(variable, "name") == name);
        found.map(|variable| text(variable, "value").to_owned()).unwrap_or_default()
    };
    let end = match text(build, "buildStatus") {
        "SUCCEEDED" => Some(End::Succeeded),
        // An answer without it says nothing of an end.
        "IN_PROGRESS" | "" => None,
        status => Some(End::Failed(complaint(build, status))),
    };
    Run {
        id: text(build, "id").to_owned(),
        repository: variable(REPOSITORY),
        tag: variable(TAG),
        phase: text(build, "currentPhase").to_owned(),
        end,
    }
}

/// What is told of a build that ended with `status`, but for its log.
fn complaint(build: &Value, status: &str) -> Complaint {
    let failed = |phase: &&Value| !["", "SUCCEEDED", "IN_PROGRESS"].contains(&text(phase, "phaseStatus"));
    let phase = items(build, "phases").iter().find(failed);
    let said = phase.into_iter().flat_map(|phase| items(phase, "contexts")).map(|context| text(context, "message"));
    Complaint {
        status: status.to_owned(),
        phase: phase.map(|phase| text(phase, "phaseType").to_owned()).unwrap_or_default(),
        message: said.filter(|message| !message.is_empty()).collect::<Vec<_>>().join("; "),
        lines: Vec::new(),
        link: build.pointer("/logs/deepLink").and_then(Value::as_str).unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fargateer_plan::object::Address;

    fn job() -> Job {
        Job {
            project: "fargateer-images".to_owned(),
            source: Address { bucket: "contexts".to_owned(), key: "fargateer/contexts/1.zip".to_owned() },
            dockerfile: "Dockerfile".to_owned(),
            repository: "111122223333.dkr.ecr.us-east-1.amazonaws.com/agents/bot".to_owned(),
            tag: "c-1".to_owned(),
            architecture: Architecture::X86_64,
            other_machine: false,
            after: None,
        }
    }

    #[test]
    fn a_build_is_told_by_its_variables_what_to_push() {
        let asked = request(&job());
        assert_eq!(asked["sourceLocationOverride"], "contexts/fargateer/contexts/1.zip");
        assert_eq!(asked.get("environmentTypeOverride"), None, "the project's own machine will do");
        let build = json!({"id": "p:1", "buildStatus": "IN_PROGRESS", "currentPhase": "BUILD",
            "environment": {"environmentVariables": asked["environmentVariablesOverride"]}});
        let run = run(&build);
        assert_eq!((run.repository, run.tag, run.phase), (job().repository, "c-1".to_owned(), "BUILD".to_owned()));
        assert_eq!(run.end, None);
    }

    #[test]
    fn another_processor_takes_another_machine() {
        let arm = Job { architecture: Architecture::Arm64, other_machine: true, ..job() };
        let asked = request(&arm);
        assert_eq!(asked["environmentTypeOverride"], "ARM_CONTAINER");
        assert!(asked["imageOverride"].as_str().is_some_and(|image| image.contains("aarch64")));
        assert_eq!(asked["environmentVariablesOverride"][3]["value"], "linux/arm64");
    }

    #[test]
    fn a_build_that_failed_tells_its_phase_and_what_was_said_of_it() {
        let phases = json!([
            {"phaseType": "PROVISIONING", "phaseStatus": "SUCCEEDED", "contexts": [{"message": ""}]},
            {"phaseType": "BUILD", "phaseStatus": "FAILED", "contexts": [{"message": "exit status 1"}]},
            {"phaseType": "COMPLETED"},
        ]);
        let build = json!({"buildStatus": "FAILED", "phases": phases, "logs": {"deepLink": "https://log"}});
        let Some(End::Failed(complaint)) = run(&build).end else { panic!("it failed") };
        assert_eq!((complaint.phase.as_str(), complaint.message.as_str()), ("BUILD", "exit status 1"));
        assert_eq!(complaint.link, "https://log");
    }
}
