//! AWS CodeBuild: projects, and builds that go through their phases.
//!
//! A build's machine understands `docker build` and `docker push` in a buildspec of block style; other commands do nothing, but
//! for `false` and `exit`. What an image holds is not made: its manifest stands for it, and differs where the files do. Batches,
//! webhooks, reports, caches, artifacts and sources other than S3 are not simulated.

mod build;
mod buildspec;
mod docker;
mod project;
mod run;
mod source;

use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use serde_json::{Value, json};

pub(crate) use project::plant;
pub(crate) use run::advance;

/// Answers one CodeBuild operation.
pub(crate) fn handle(region: &mut Region, operation: &str, input: &Value) -> Answer {
    match operation {
        "CreateProject" => project::create(region, input),
        "BatchGetProjects" => project::batch_get(region, input),
        "ListProjects" => Ok(json!({"projects": region.codebuild.projects.keys().collect::<Vec<_>>()})),
        "DeleteProject" => {
            region.codebuild.projects.remove(input.text("name").unwrap_or_default());
            Ok(json!({}))
        }
        "StartBuild" => build::start(region, input),
        "BatchGetBuilds" => build::batch_get(region, input),
        "ListBuildsForProject" => build::list_of_project(region, input),
        "ListBuilds" => build::list(region, input),
        "StopBuild" => build::stop(region, input),
        _ => Err(Refusal::unknown_operation()),
    }
}

/// InvalidInputException.
fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidInputException", message)
}

/// ResourceNotFoundException of a project.
fn no_project(region: &Region, name: &str) -> Refusal {
    let arn = region.arn("codebuild", &format!("project/{name}"));
    Refusal::new("ResourceNotFoundException", format!("Project cannot be found: {arn}"))
}
