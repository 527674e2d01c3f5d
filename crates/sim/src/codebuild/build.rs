//! Builds: started once for each token, described, listed, stopped.

use super::{invalid, no_project, project, run};
use crate::input::Members;
use crate::page;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use crate::state::codebuild::Build;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// For how long a token means the same build (CodeBuild API reference, StartBuild).
const TOKEN: Duration = Duration::from_mins(5);
/// A page of ids.
const PAGE: usize = 100;

/// StartBuild.
pub(super) fn start(region: &mut Region, input: &Value) -> Answer {
    let name = input.text("projectName").unwrap_or_default().to_owned();
    let token = input.text("idempotencyToken").map(str::to_owned);
    let now = region.now;
    if let Some((at, asked, id)) = token.as_ref().and_then(|token| region.codebuild.tokens.get(token))
        && *at + TOKEN > now
    {
        if asked != input {
            return Err(invalid("idempotencyToken was used with other parameters"));
        }
        return Ok(json!({"build": region.codebuild.builds.get(id).map(|build| &build.body)}));
    }
    let project = region.codebuild.projects.get(&name).cloned().ok_or_else(|| no_project(region, &name))?;
    let body = body(region, &name, &project, input)?;
    let id = body.text("id").unwrap_or_default().to_owned();
    let build = Build { body: body.clone(), since: now, files: BTreeMap::new(), images: BTreeMap::new() };
    region.codebuild.builds.insert(id.clone(), build);
    region.codebuild.order.push(id.clone());
    if let Some(token) = token {
        region.codebuild.tokens.insert(token, (now, input.clone(), id.clone()));
    }
    run::enter(region, &id, "SUBMITTED");
    Ok(json!({"build": region.codebuild.builds.get(&id).map(|build| &build.body)}))
}

fn body(region: &mut Region, name: &str, project: &Value, input: &Value) -> Answer {
    let minutes = |member: &str, of_project: &str, range: std::ops::RangeInclusive<i64>| {
        let said = input.whole(member).or_else(|| project.whole(of_project)).unwrap_or(60);
        if range.contains(&said) { Ok(said) } else { Err(invalid(format!("Invalid {of_project}: {said}"))) }
    };
    let timeout = minutes("timeoutInMinutesOverride", "timeoutInMinutes", 5..=2160)?;
    let queued = minutes("queuedTimeoutInMinutesOverride", "queuedTimeoutInMinutes", 5..=480)?;
    let mut source = project.get("source").cloned().unwrap_or_default();
    let mut environment = project.get("environment").cloned().unwrap_or_default();
    let source_members =
        [("type", "sourceTypeOverride"), ("location", "sourceLocationOverride"), ("buildspec", "buildspecOverride")];
    let environment_members = [
        ("type", "environmentTypeOverride"),
        ("image", "imageOverride"),
        ("computeType", "computeTypeOverride"),
        ("privilegedMode", "privilegedModeOverride"),
    ];
    over(&mut source, &source_members, input);
    over(&mut environment, &environment_members, input);
    project::source(&source)?;
    project::machine(environment.text("type"))?;
    environment.put("environmentVariables", variables(&environment, input)?);
    let uuid = region.uuid();
    let id = format!("{name}:{uuid}");
    let group = format!("/aws/codebuild/{name}");
    let number = region.codebuild.order.iter().filter(|id| id.starts_with(&format!("{name}:"))).count() + 1;
    let link = format!(
        "https://console.aws.amazon.com/cloudwatch/home?region={}#logsV2:log-groups/log-group/{}/log-events/{uuid}",
        region.name,
        group.replace('/', "$252F")
    );
    Ok(json!({
        "id": id,
        "arn": region.arn("codebuild", &format!("build/{id}")),
        "buildNumber": number,
        "startTime": region.timestamp(),
        "currentPhase": "SUBMITTED",
        "buildStatus": "IN_PROGRESS",
        "projectName": name,
        "phases": [],
        "source": source,
        "artifacts": {"location": ""},
        "cache": {"type": "NO_CACHE"},
        "environment": environment,
        "serviceRole": project.get("serviceRole"),
        "logs": {"groupName": group, "streamName": uuid, "deepLink": link, "cloudWatchLogs": {"status": "ENABLED"}},
        "timeoutInMinutes": timeout,
        "queuedTimeoutInMinutes": queued,
        "buildComplete": false,
        "initiator": "simulated",
        "encryptionKey": project.get("encryptionKey"),
    }))
}

/// Puts what a build says otherwise in place of what its project says.
fn over(document: &mut Value, members: &[(&str, &str)], input: &Value) {
    for (member, over) in members {
        input.member(over).into_iter().for_each(|value| document.put(member, value.clone()));
    }
}

/// The variables of the project, and those of the build in their place.
fn variables(environment: &Value, input: &Value) -> Answer {
    let own = input.items("environmentVariablesOverride").unwrap_or_default();
    for variable in own {
        if variable.text("name").is_none_or(str::is_empty) || variable.text("value").is_none() {
            return Err(invalid("Invalid environment variable: name and value are required"));
        }
    }
    let replaced = |variable: &&Value| own.iter().any(|other| other.text("name") == variable.text("name"));
    let kept = environment.items("environmentVariables").unwrap_or_default().iter().filter(|one| !replaced(one));
    Ok(kept.chain(own).cloned().collect())
}

/// BatchGetBuilds: those that are not there are named apart.
pub(super) fn batch_get(region: &Region, input: &Value) -> Answer {
    let ids = input.texts("ids");
    if !(1..=100).contains(&ids.len()) {
        return Err(invalid("Invalid ids: must have between 1 and 100 items"));
    }
    let known = |id: &String| region.codebuild.builds.get(id).map(|build| &build.body);
    let missing: Vec<&String> = ids.iter().filter(|id| known(id).is_none()).collect();
    Ok(json!({"builds": ids.iter().filter_map(known).collect::<Vec<_>>(), "buildsNotFound": missing}))
}

/// ListBuildsForProject: the newest first, unless said otherwise.
pub(super) fn list_of_project(region: &Region, input: &Value) -> Answer {
    let name = input.text("projectName").unwrap_or_default();
    if !region.codebuild.projects.contains_key(name) {
        return Err(no_project(region, name));
    }
    let prefix = format!("{name}:");
    paged(region.codebuild.order.iter().filter(|id| id.starts_with(&prefix)).cloned().collect(), input)
}

/// ListBuilds.
pub(super) fn list(region: &Region, input: &Value) -> Answer {
    paged(region.codebuild.order.clone(), input)
}

fn paged(mut ids: Vec<String>, input: &Value) -> Answer {
    match input.text("sortOrder") {
        Some("ASCENDING") => {}
        None | Some("DESCENDING") => ids.reverse(),
        Some(other) => return Err(invalid(format!("Invalid sort order: {other}"))),
    }
    let page = page::cut(ids, input.text("nextToken"), PAGE);
    let page = page.ok_or_else(|| invalid("Invalid next token"))?;
    Ok(json!({"ids": page.items, "nextToken": page.next}))
}

/// StopBuild: one that has ended stays as it ended.
pub(super) fn stop(region: &mut Region, input: &Value) -> Answer {
    let id = input.text("id").unwrap_or_default();
    if !region.codebuild.builds.contains_key(id) {
        let arn = region.arn("codebuild", &format!("build/{id}"));
        return Err(Refusal::new("ResourceNotFoundException", format!("Build cannot be found: {arn}")));
    }
    run::stop(region, id);
    Ok(json!({"build": region.codebuild.builds.get(id).map(|build| &build.body)}))
}
