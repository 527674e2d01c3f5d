//! The commands of a build's machine: `docker build`, `docker push`, and whatever else does nothing.

use crate::arn;
use crate::ecr;
use crate::input::Members;
use crate::state::Region;
use crate::state::codebuild::Build;
use serde_json::{Value, json};

/// What a command came to.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// Its exit status.
    pub(super) status: i32,
    /// What it said.
    pub(super) lines: Vec<String>,
    /// The image it made: its name, and its configuration.
    pub(super) image: Option<(String, Value)>,
}

impl Done {
    fn failed(status: i32, line: impl Into<String>) -> Self {
        Self { status, lines: vec![line.into()], image: None }
    }

    fn well(line: impl Into<String>) -> Self {
        Self { lines: vec![line.into()], ..Self::default() }
    }
}

/// Carries out `command` on the machine of `build`.
pub(super) fn carry_out(region: &mut Region, build: &Build, command: &str) -> Done {
    let words = words(region, build, command);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let privileged = build.body.get("environment").and_then(|environment| environment.flag("privilegedMode"));
    match words.as_slice() {
        ["docker", "build" | "push", ..] if privileged != Some(true) => {
            let message = "ERROR: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
            Done::failed(1, message)
        }
        ["docker", "build", options @ ..] => build_image(build, options),
        ["docker", "push", image] => push(region, build, image),
        ["false"] => Done::failed(1, ""),
        ["exit", status] => Done::failed(status.parse().unwrap_or(2), ""),
        _ => Done::default(),
    }
}

/// The words of a command, with the values of variables in them. Quotes keep blanks together; nothing else of a shell is known.
fn words(region: &Region, build: &Build, command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for letter in command.chars() {
        match (letter, quote) {
            ('"' | '\'', None) => quote = Some(letter),
            (_, Some(open)) if open == letter => quote = None,
            (' ', None) => words.push(std::mem::take(&mut word)),
            _ => word.push(letter),
        }
    }
    words.push(word);
    words.into_iter().filter(|word| !word.is_empty()).map(|word| expanded(region, build, &word)).collect()
}

/// `$NAME` and `${NAME%%/*}`, as often as they occur.
fn expanded(region: &Region, build: &Build, word: &str) -> String {
    let mut text = String::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        if let Some((inner, behind)) = after.strip_prefix('{').and_then(|after| after.split_once('}')) {
            let (name, first) = inner.strip_suffix("%%/*").map_or((inner, false), |name| (name, true));
            let value = variable(region, build, name);
            text.push_str(if first { value.split('/').next().unwrap_or_default() } else { &value });
            rest = behind;
        } else {
            let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
            let (name, behind) = after.split_at(end);
            text.push_str(&variable(region, build, name));
            rest = behind;
        }
    }
    text.push_str(rest);
    text
}

fn variable(region: &Region, build: &Build, name: &str) -> String {
    if name == "AWS_DEFAULT_REGION" || name == "AWS_REGION" {
        return region.name.clone();
    }
    let variables = build.body.get("environment").and_then(|environment| environment.items("environmentVariables"));
    let found = variables.unwrap_or_default().iter().find(|variable| variable.text("name") == Some(name));
    found.and_then(|variable| variable.text("value")).unwrap_or_default().to_owned()
}

/// `docker build`: a Dockerfile without FROM, or with a RUN that fails by its own words, makes nothing.
fn build_image(build: &Build, options: &[&str]) -> Done {
    let option = |names: [&str; 2]| {
        let place = options.iter().position(|word| names.contains(word))?;
        options.get(place + 1).copied()
    };
    let file = option(["--file", "-f"]).unwrap_or("Dockerfile");
    let name = option(["--tag", "-t"]).unwrap_or("image");
    let Some(text) = build.files.get(file).map(|bytes| String::from_utf8_lossy(bytes).into_owned()) else {
        return Done::failed(
            1,
            format!("ERROR: failed to solve: failed to read dockerfile: open {file}: no such file or directory"),
        );
    };
    let lines: Vec<&str> =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    if !lines.iter().any(|line| line.starts_with("FROM ")) {
        return Done::failed(1, "ERROR: failed to solve: file with no instructions");
    }
    let mut said = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        said.push(format!("#{} [{}/{}] {line}", number + 1, number + 1, lines.len()));
        let command = line.strip_prefix("RUN ").map(str::trim).unwrap_or_default();
        let status = match command.split(' ').collect::<Vec<_>>().as_slice() {
            ["false"] => 1,
            ["exit", status] => status.parse().unwrap_or(2),
            _ => 0,
        };
        if status != 0 {
            said.push(format!(
                "ERROR: failed to solve: process \"/bin/sh -c {command}\" did not complete successfully: exit code: {status}"
            ));
            return Done { status: 1, lines: said, image: None };
        }
    }
    let files: Vec<String> =
        build.files.iter().map(|(name, bytes)| format!("{name} {}", crate::md5::md5(bytes))).collect();
    let platform = option(["--platform", "--platform"]).unwrap_or("linux/amd64");
    let architecture = platform.rsplit('/').next().unwrap_or_default();
    let config = json!({"os": "linux", "architecture": architecture, "files": arn::digest(&files.join("\n"))});
    said.push(format!("naming to {name} done"));
    Done { status: 0, lines: said, image: Some((name.to_owned(), config)) }
}

/// `docker push`, to ECR of the build's own account and region.
fn push(region: &mut Region, build: &Build, image: &str) -> Done {
    let Some(config) = build.images.get(image) else {
        return Done::failed(1, format!("An image does not exist locally with the tag: {image}"));
    };
    let host = format!("{}.dkr.ecr.{}.amazonaws.com/", region.account, region.name);
    let Some((name, tag)) = image.strip_prefix(&host).and_then(|path| path.split_once(':')) else {
        let role = build.body.text("serviceRole").unwrap_or_default();
        let message = format!(
            "denied: User: {role} is not authorized to perform: ecr:InitiateLayerUpload on resource: {image} because no \
             resource-based policy allows the ecr:InitiateLayerUpload action"
        );
        return Done::failed(1, message);
    };
    match ecr::push_bare(region, (name, tag), config) {
        Ok(digest) => Done::well(format!("{tag}: digest: {digest} size: 1")),
        Err(refusal) => {
            let word = match refusal.code.as_str() {
                "RepositoryNotFoundException" => "name unknown",
                "ImageTagAlreadyExistsException" => "tag invalid",
                _ => "manifest invalid",
            };
            Done::failed(1, format!("{word}: {}", refusal.message))
        }
    }
}
