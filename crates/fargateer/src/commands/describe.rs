//! `fargateer describe`: all about one agent on one page - conditions, rollout, failure with advice, inventory, events.

use std::fmt::Write as _;
use std::process::ExitCode;

use fargateer_api::visible;
use serde_json::Value;

use crate::cli::NameArgs;
use crate::commands::server;
use crate::output;

/// Runs the command.
pub(crate) async fn run(args: NameArgs) -> anyhow::Result<ExitCode> {
    let agent = server::get(&args.server.server, &format!("/api/v1/agents/{}", args.name)).await?;
    output::data(&page(&agent))
}

fn page(agent: &Value) -> String {
    let (status, mut out) = (&agent["status"], String::new());
    let _ = writeln!(out, "Name:      {}", text(&agent["metadata"]["name"]));
    let _ = writeln!(out, "Project:   {}", text(&agent["metadata"]["project"]));
    let _ = writeln!(out, "Source:    {}", text(&status["source"]["location"]));
    if let Some(commit) = status["source"]["commit"].as_str() {
        let _ = writeln!(out, "Commit:    {commit} by {}", text(&status["source"]["author"]));
    }
    image(&mut out, agent);
    let _ = writeln!(
        out,
        "Tasks:     {} running, {} starting, {} desired",
        status["runningCount"], status["pendingCount"], status["desiredCount"]
    );
    let _ = writeln!(out, "Next look: {} ({})", text(&status["next"]["at"]), text(&status["next"]["why"]));
    if let Some(usd) = status["cost"]["monthlyUsd"].as_f64() {
        let _ = writeln!(out, "Cost:      about ${usd:.2} a month ({} prices)", text(&status["cost"]["priceDate"]));
    }
    conditions(&mut out, status);
    rollout(&mut out, status);
    section(&mut out, "Inventory", &status["inventory"]);
    history(&mut out, agent);
    section(&mut out, "Spec", &agent["spec"]);
    out
}

/// Which image runs, and of one that was built what it was made of.
fn image(out: &mut String, agent: &Value) {
    let (status, built) = (&agent["status"], &agent["status"]["image"]);
    let uri = agent["spec"]["image"]["uri"].as_str().map(visible);
    let of_build =
        || built["repository"].as_str().map(|repository| format!("{}:{}", visible(repository), text(&built["tag"])));
    let _ = writeln!(out, "Image:     {}", uri.or_else(of_build).unwrap_or_else(|| "-".to_owned()));
    if let Some(digest) = status["imageDigest"].as_str() {
        let _ = writeln!(out, "Digest:    {}", visible(digest));
    }
    if built.is_object() {
        let _ = writeln!(out, "Base:      {}, runtime {}", text(&built["baseDigest"]), text(&built["runtime"]));
    }
}

fn conditions(out: &mut String, status: &Value) {
    let _ = writeln!(out, "\nConditions:");
    for condition in list(&status["conditions"]) {
        let _ = writeln!(
            out,
            "  {:<26} {:<8} {:<22} {}",
            text(&condition["type"]),
            text(&condition["status"]),
            text(&condition["reason"]),
            text(&condition["message"])
        );
    }
}

fn rollout(out: &mut String, status: &Value) {
    let rollout = &status["rollout"];
    if rollout.is_object() {
        let _ = writeln!(
            out,
            "\nRollout:   {} {} since {}",
            text(&rollout["id"]),
            text(&rollout["state"]),
            text(&rollout["started"])
        );
        let _ = writeln!(out, "           {}", text(&rollout["reason"]));
    }
    let failure = &status["failure"];
    if failure.is_object() {
        let _ = writeln!(
            out,
            "\nFailure:   {} (stop code {}, exit code {})",
            text(&failure["reason"]),
            text(&failure["stopCode"]),
            failure["exitCode"]
        );
        let _ = writeln!(out, "Advice:    {}", text(&failure["advice"]));
        for line in list(&failure["log"]) {
            let _ = writeln!(out, "  | {}", text(line));
        }
    }
}

fn history(out: &mut String, agent: &Value) {
    let _ = writeln!(out, "\nEvents:");
    for event in list(&agent["events"]) {
        let _ = writeln!(out, "  {}  {:<20} {}", text(&event["at"]), text(&event["reason"]), text(&event["message"]));
    }
}

fn section(out: &mut String, title: &str, value: &Value) {
    if value.is_object() {
        let _ = writeln!(out, "\n{title}:");
        for line in fargateer_api::yaml::print_value(value).lines() {
            let _ = writeln!(out, "  {line}");
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A text on one line: what a daemon says must not look like a line of ours.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| "-".to_owned(), visible)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_image_is_told_whether_it_was_named_or_built() {
        let named = json!({"spec": {"image": {"uri": "x/bot:1"}}, "status": {"imageDigest": "sha256:ab"}});
        assert!(page(&named).contains("Image:     x/bot:1\nDigest:    sha256:ab\n"), "{}", page(&named));
        let image = json!({"repository": "agents/bot", "tag": "b-1", "baseDigest": "sha256:cd", "runtime": "1:ef"});
        let built = json!({"spec": {"image": {"build": {}}}, "status": {"image": image, "imageDigest": "sha256:ab"}});
        let lines = "Image:     agents/bot:b-1\nDigest:    sha256:ab\nBase:      sha256:cd, runtime 1:ef\n";
        assert!(page(&built).contains(lines), "{}", page(&built));
    }
}
