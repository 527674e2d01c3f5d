//! `fargateer image build`: the image of a folder of agent code. Its digest goes to standard output.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use fargateer_api::spec::{Architecture, Build, BuildStrategy};
use fargateer_api::yaml::{self, ImageBuild};
use fargateer_image::{Builder, Destination, Phase, Prepared, Progress, Recipe, Step};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{builder, reference, told};
use crate::cli::{BuildArgs, Format};
use crate::output::{self, hinted};

/// Runs the command.
pub(super) async fn run(args: BuildArgs, json_logs: bool) -> anyhow::Result<ExitCode> {
    let recipe = recipe(&args)?;
    let builder = builder(args.cache.clone())?;
    let progress = if json_logs || args.format() != Format::Text { Progress::silent() } else { shown() };
    let prepared = builder.prepare(&recipe, &progress).await.map_err(told)?;
    let mut result = made(&builder, &prepared, &args, &progress).await?;
    result["base"] = json!(prepared.base_digest());
    result["runtime"] = json!(prepared.runtime());
    match args.format() {
        Format::Json | Format::Yaml => output::document(&result, args.format()),
        Format::Text | Format::Wide | Format::Name => {
            output::note(&summary(&result));
            output::data(result["digest"].as_str().unwrap_or_default())
        }
    }
}

/// Builds, and brings the image to where it is wanted.
async fn made(builder: &Builder, prepared: &Prepared, args: &BuildArgs, progress: &Progress) -> anyhow::Result<Value> {
    let mut result = json!({"tag": prepared.tag()});
    if let Some(output) = args.saved() {
        let name = args.push.clone().unwrap_or_else(|| format!("agent:{}", prepared.tag()));
        let exported = builder.export(prepared, output, &name, progress).await.map_err(told)?;
        result["digest"] = json!(exported.digest);
        result["size"] = json!(exported.size);
    }
    if let Some(text) = &args.push {
        let destination = Destination { cache: args.layer_cache.clone(), ..Destination::new(reference(text)?) };
        let built = builder.push(prepared, &destination, progress).await.map_err(told)?;
        let moved = built.moved;
        result["digest"] = json!(built.image.digest);
        result["image"] = json!(built.image.to_string());
        result["layers"] = json!({"present": moved.present, "mounted": moved.mounted, "sent": moved.sent});
        result["bytesSent"] = json!(moved.bytes);
    } else if args.saved().is_none() {
        let built = builder.build(prepared, progress).await.map_err(told)?;
        result["digest"] = json!(built.digest);
        result["size"] = json!(built.size);
    }
    Ok(result)
}

fn summary(result: &Value) -> String {
    let Some(image) = result["image"].as_str() else {
        return format!("built {}, {} bytes of layers", text(&result["tag"]), result["size"]);
    };
    let Value::Object(layers) = &result["layers"] else { return image.to_owned() };
    let count = |name: &str| layers.get(name).and_then(Value::as_u64).unwrap_or_default();
    if count("present") + count("mounted") + count("sent") == 0 {
        return format!("{image} is there already, as {}", text(&result["tag"]));
    }
    format!(
        "{image} as {}: {} layers were there, {} mounted, {} sent ({} bytes)",
        text(&result["tag"]),
        count("present"),
        count("mounted"),
        count("sent"),
        result["bytesSent"]
    )
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What to build: the AgentDeployment's word, and the options'.
pub(super) fn recipe(args: &BuildArgs) -> anyhow::Result<Recipe> {
    let (context, found) = source(&args.path)?;
    let (build, architecture) =
        found.map_or_else(Default::default, |found: ImageBuild| (found.build, found.architecture));
    let Build {
        context: _,
        strategy,
        agent,
        entrypoint,
        requirements,
        exclude_newer,
        base,
        python,
        dockerfile: _,
        project: _,
        repository,
        allow_secret_files,
    } = build;
    if strategy == BuildStrategy::CodeBuild {
        let problem = format!("{} is built by CodeBuild, when `fargateer run` sees it", args.path.display());
        return Err(hinted(problem, "`--docker` builds its Dockerfile on this machine"));
    }
    let build = Build {
        context: String::new(),
        strategy,
        agent: args.agent.clone().or(agent),
        entrypoint: args.entrypoint.clone().or(entrypoint),
        requirements: args.requirements.clone().or(requirements),
        exclude_newer: args.exclude_newer.clone().or(exclude_newer),
        base: args.base.clone().or(base),
        python: args.python.clone().or(python),
        dockerfile: None,
        project: None,
        repository,
        allow_secret_files,
    };
    let labels: BTreeMap<String, String> = args.label.iter().cloned().collect();
    let architecture = args.arch.map_or(architecture, Architecture::from);
    Ok(Recipe { context, build, architecture, base_digest: None, runtime: None, labels })
}

/// The folder of code, and the AgentDeployment that says how to build it, if there is one.
pub(in crate::commands) fn source(path: &Path) -> anyhow::Result<(PathBuf, Option<ImageBuild>)> {
    if !path.exists() {
        return Err(hinted(format!("{} does not exist", path.display()), "name a folder with an agent's code"));
    }
    if !path.is_dir() {
        if !["yaml", "yml", "json"].iter().any(|ending| path.extension().is_some_and(|found| found == *ending)) {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let problem = format!("{} is neither a folder of code nor an AgentDeployment", path.display());
            return Err(hinted(problem, format!("name the folder, {}, or a .yaml file", folder.display())));
        }
        let mut builds = builds(path)?;
        let Some(found) = builds.pop().filter(|_| builds.is_empty()) else {
            let problem = format!("{} does not say what to build", path.display());
            return Err(hinted(problem, "one AgentDeployment with `image.build`, or a folder of code"));
        };
        if let Some(object) = found.build.object() {
            let problem = format!("{}: its code lies in S3, {object}", path.display());
            return Err(hinted(problem, format!("fetch and unpack it (aws s3 cp {object} .), and name the folder")));
        }
        let folder = path.parent().unwrap_or(Path::new("")).join(&found.build.context);
        return Ok((folder, Some(found)));
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).with_context(|| format!("{} cannot be read", path.display()))? {
        let file = entry?.path();
        let yaml = file.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        if yaml && file.is_file() && is_spec(&file) {
            found.extend(builds(&file)?);
        }
    }
    // Only one that means this very folder says how it is built.
    let means_it = |found: &ImageBuild| path.join(&found.build.context).canonicalize().ok() == path.canonicalize().ok();
    for other in found.iter().filter(|found| !means_it(found)) {
        let context = &other.build.context;
        output::note(&format!(
            "an AgentDeployment in {} builds {context}, and says nothing of this build",
            path.display()
        ));
    }
    found.retain(means_it);
    if found.len() > 1 {
        let problem = format!("{} AgentDeployments in {} build it", found.len(), path.display());
        return Err(hinted(problem, "name the file of the one that is meant"));
    }
    Ok((path.to_owned(), found.pop()))
}

fn is_spec(file: &Path) -> bool {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().any(|line| line.trim_end() == "kind: AgentDeployment")
}

fn builds(file: &Path) -> anyhow::Result<Vec<ImageBuild>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let (builds, faults) = yaml::parse_builds(&file.to_string_lossy(), &text);
    for fault in &faults {
        output::note(&fault.to_string());
    }
    if faults.is_empty() {
        return Ok(builds);
    }
    Err(hinted(format!("{} faults in {}", faults.len(), file.display()), "`fargateer validate` shows them all"))
}

/// Shows what is being done: a bar on a terminal, a line a phase else.
fn shown() -> Progress {
    if std::io::stderr().is_terminal() {
        let bar = ProgressBar::new_spinner();
        let style = ProgressStyle::with_template("{spinner} {msg} {bytes}/{total_bytes}");
        let (plain, counted) =
            (ProgressStyle::default_spinner(), style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        return Progress::new(move |Step { phase, done, total }| {
            bar.set_message(phase.words());
            bar.set_style(if total.is_some() { counted.clone() } else { plain.clone() });
            bar.set_length(total.unwrap_or_default());
            bar.set_position(done);
        });
    }
    let last: Mutex<Option<Phase>> = Mutex::new(None);
    Progress::new(move |step| {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.replace(step.phase) != Some(step.phase) {
            output::note(step.phase.words());
        }
    })
}
