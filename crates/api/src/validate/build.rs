//! How an image is built: where the code is, and that each strategy is told what it understands alone.

use super::Found;
use super::form;
use crate::spec::{Build, BuildStrategy};

/// The part of S3's rules for names of buckets that a typing mistake breaks (S3 user guide, "Bucket naming rules").
fn is_bucket(name: &str) -> bool {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    (3..=63).contains(&name.len()) && name.chars().all(known)
}

pub(super) fn build(build: &Build, found: &mut Found) {
    context(build, found);
    foreign(build, found);
    let Build { agent, entrypoint, requirements, base, dockerfile, project, repository, .. } = build;
    for (field, path) in [("agent", agent), ("requirements", requirements), ("dockerfile", dockerfile)] {
        let leads_out =
            |path: &&String| path.is_empty() || path.starts_with('/') || path.split('/').any(|part| part == "..");
        if let Some(path) = path.as_ref().filter(leads_out) {
            let problem = format!("`{path}` is not a path in the context");
            found.add(format!("spec.image.build.{field}"), problem, "a file below `context`, as `src/agent.py`");
        }
    }
    let is_entry = |text: &&String| {
        let sound = |part: &str| part.split('.').all(|word| !word.is_empty() && form::is_of(word, "_"));
        text.split_once(':').is_some_and(|(module, symbol)| sound(module) && sound(symbol))
    };
    if let Some(entrypoint) = entrypoint.as_ref().filter(|text| !is_entry(text)) {
        let problem = format!("`{entrypoint}` names no symbol");
        found.add("spec.image.build.entrypoint", problem, "`module:symbol`, as `generated_agent:create_agent`");
    }
    if let Some((base, fault)) = base.as_ref().and_then(|base| Some((base, form::image_fault(base)?))) {
        found.add("spec.image.build.base", format!("`{base}` is not an image reference"), fault);
    }
    if let Some(name) = repository.as_ref().filter(|name| !form::is_ecr_repository(name)) {
        let problem = format!("`{name}` is not the name of an ECR repository");
        let hint = "2 to 256 lower-case letters, digits, `.`, `_`, `-` and `/`, without registry and tag";
        found.add("spec.image.build.repository", problem, hint);
    }
    let is_project = |name: &&String| {
        let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        begins && (2..=150).contains(&name.len()) && form::is_of(name, "-_")
    };
    if let Some(name) = project.as_ref().filter(|name| !is_project(name)) {
        let problem = format!("`{name}` is not the name of a CodeBuild project");
        let hint = "2 to 150 letters, digits, `-` or `_`, beginning with a letter or digit; not an ARN";
        found.add("spec.image.build.project", problem, hint);
    }
}

fn context(build: &Build, found: &mut Found) {
    const FIELD: &str = "spec.image.build.context";
    let context = &build.context;
    if build.is_remote() {
        let address = build.object().filter(|address| is_bucket(&address.bucket));
        if address.is_none_or(|address| address.packing().is_none()) {
            let hint = "`s3://<bucket>/<key>`, where the key ends in `.zip`, `.tar.gz` or `.tgz`";
            found.add(FIELD, format!("`{context}` is not an archive in S3"), hint);
        }
        return;
    }
    if context.is_empty() || context.starts_with('/') || context.chars().any(char::is_control) {
        let hint = "a folder relative to this document, `.` for the document's own; or `s3://<bucket>/<key>.zip`";
        found.add(FIELD, format!("`{context}` is not a relative path"), hint);
    }
}

/// Fields of the other strategy: whoever writes them expects what will not happen.
fn foreign(build: &Build, found: &mut Found) {
    let Build {
        context: _,
        strategy,
        agent,
        entrypoint,
        requirements,
        exclude_newer,
        base,
        python,
        dockerfile,
        project,
        repository: _,
        allow_secret_files: _,
    } = build;
    let (fields, other): (Vec<(&str, &Option<String>)>, &str) = match strategy {
        BuildStrategy::Layered => (vec![("dockerfile", dockerfile), ("project", project)], "codebuild"),
        BuildStrategy::CodeBuild => {
            let fields = vec![
                ("agent", agent),
                ("entrypoint", entrypoint),
                ("requirements", requirements),
                ("excludeNewer", exclude_newer),
                ("base", base),
                ("python", python),
            ];
            (fields, "layered")
        }
    };
    for (field, _) in fields.into_iter().filter(|(_, value)| value.is_some()) {
        let hint = match strategy {
            BuildStrategy::Layered => "say `strategy: codebuild`, or leave it out",
            BuildStrategy::CodeBuild => "what the Dockerfile says counts; leave it out, or say `strategy: layered`",
        };
        let problem = format!("goes with `strategy: {other}` alone");
        found.add(format!("spec.image.build.{field}"), problem, hint);
    }
}
