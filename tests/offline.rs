//! Commands that need no AWS, and what they say to wrong input: what, where, what would be right, exit code 2.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::binary::{Said, repository, run};

fn here(arguments: &[&str]) -> Said {
    run(&repository(), &[], arguments)
}

fn with_file(text: &str, arguments: &[&str]) -> Said {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("agent.yaml"), text).expect("a file");
    run(folder.path(), &[], arguments)
}

#[track_caller]
fn assert_wrong(said: &Said, words: &[&str]) {
    assert_eq!(said.code, 2, "{}{}", said.out, said.err);
    for word in words {
        assert!(said.err.contains(word) || said.out.contains(word), "no `{word}` in:\n{}{}", said.out, said.err);
    }
    assert!(!said.err.contains("panicked"), "{}", said.err);
}

const GOOD: &str = "apiVersion: fargateer/v1\nkind: AgentDeployment\nmetadata: {name: a}\nspec:\n  cluster: c\n  image: {uri: \"x:1\"}\n  network: {subnets: [subnet-0a]}\n  roles: {execution: e}\n";

#[test]
fn the_demo_fleet_and_the_examples_are_valid() {
    let said = here(&["validate", "manifests", "examples"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(said.err.contains("0 faults"), "{}", said.err);
}

#[test]
fn every_fault_of_a_file_is_told_at_once_with_its_place() {
    let text = GOOD.replace("cluster: c", "cluster: c\n  clutser: d\n  resources: {cpu: 300, memory: 512}");
    let said = with_file(&text, &["validate", "agent.yaml"]);
    assert_wrong(
        &said,
        &["agent.yaml:6:3: spec.clutser", "did you mean", "`cluster`", "agent.yaml:7:", "spec.resources"],
    );
}

#[test]
fn broken_yaml_is_told_with_line_and_column() {
    assert_wrong(&with_file("a: [1, 2\nb: 3\n", &["validate", "agent.yaml"]), &["agent.yaml:2:"]);
}

/// A run that ends says what is wrong with its input once - in the log, where that is told of - and exits as validate does.
#[test]
fn a_run_that_ends_tells_each_fault_once_and_that_its_input_is_wrong() {
    let broken = "a: [1, 2\nb: 3\n";
    let misspelt = GOOD.replace("cluster: c", "clutser: c");
    for (text, fault) in [(broken, "agent.yaml:2:2: not YAML"), (&misspelt, "did you mean `cluster`?")] {
        let once = ["run", "--once", "--local", "--speed", "50", "agent.yaml"];
        let said = with_file(text, &once);
        assert_wrong(&said, &["error: ", " in the specs", "hint: "]);
        assert_eq!(said.err.matches(fault).count(), 1, "{}", said.err);
        let quiet = with_file(text, &[&once[..], &["--log", "error"]].concat());
        assert!(quiet.err.contains(fault), "where the log does not tell it: {}", quiet.err);
    }
}

#[test]
fn a_missing_folder_is_told_before_anything_starts() {
    for command in [
        vec!["validate", "nowhere"],
        vec!["run", "--once", "nowhere"],
        vec!["plan", "nowhere"],
        vec!["apply", "-y", "nowhere"],
    ] {
        assert_wrong(&here(&command), &["nowhere does not exist", "hint:"]);
    }
}

#[test]
fn a_source_of_a_later_version_is_refused_plainly() {
    assert_wrong(&here(&["run", "--once", "--local", "s3://agents"]), &["not supported yet"]);
}

#[test]
fn an_unknown_option_and_a_bad_duration_are_usage_errors() {
    assert_wrong(&here(&["run", "--nonsense", "manifests"]), &["--nonsense"]);
    assert_wrong(&here(&["run", "--resync", "5 parsecs", "manifests"]), &["as in 90s or 5m"]);
}

#[test]
fn without_credentials_a_plan_says_so() {
    let said = with_file(GOOD, &["plan", "agent.yaml"]);
    assert_wrong(&said, &["no AWS credentials", "AWS_PROFILE"]);
}

#[test]
fn an_endpoint_nobody_listens_on_is_told_as_unreachable() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("agent.yaml"), GOOD).expect("a file");
    let environment = [
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        // Port 9 (discard) is not served anywhere a test runs.
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
    ];
    let environment: Vec<_> = environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    assert_wrong(&run(folder.path(), &environment, &["plan", "agent.yaml"]), &["Unreachable", "AWS_ENDPOINT_URL"]);
    let said = run(folder.path(), &environment, &["run", "--once", "agent.yaml"]);
    assert_wrong(&said, &["Unavailable"]);
}

#[test]
fn apply_without_a_person_asks_for_the_word() {
    let said = with_file(GOOD, &["get", "--server", "http://127.0.0.1:9"]);
    assert_wrong(&said, &["does not answer", "fargateer run"]);
}

#[test]
fn the_flat_request_converts_into_the_same_meaning() {
    let said = here(&["convert", "examples/flat-request.json"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("agent.yaml"), &said.out).expect("a file");
    let converted = run(folder.path(), &[], &["render", "agent.yaml"]).json();
    let direct = here(&["render", "examples/flat-request.json"]).json();
    assert_eq!(converted, direct);
}

#[test]
fn render_prints_the_requests_in_the_order_they_are_made() {
    let said = here(&["render", "examples/autoscaled.yaml"]);
    let list = said.json();
    let operations: Vec<&str> = list["items"][0]["requests"]
        .as_array()
        .expect("requests")
        .iter()
        .filter_map(|one| one["operation"].as_str())
        .collect();
    let position =
        |name: &str| operations.iter().position(|operation| *operation == name).unwrap_or_else(|| panic!("no {name}"));
    assert!(position("logs.CreateLogGroup") < position("ecs.RegisterTaskDefinition"));
    assert!(position("ecs.RegisterTaskDefinition") < position("ecs.CreateService"));
    assert!(position("ecs.CreateService") < position("application-autoscaling.RegisterScalableTarget"));
}

#[test]
fn generated_files_are_what_the_code_says() {
    for (file, arguments) in [
        ("manifests/agentdeployment.schema.json", &["schema"][..]),
        ("manifests/project.schema.json", &["schema", "project"]),
        ("deploy/iam-policy.json", &["iam-policy"]),
    ] {
        let stored = fs::read_to_string(repository().join(file)).expect("the file");
        assert_eq!(here(arguments).out, stored, "{file} is out of step: cargo xtask generate");
    }
}

#[test]
fn the_policy_names_every_call_and_limits_passing_roles() {
    let policy: Value = here(&["iam-policy"]).json();
    let statements = policy["Statement"].as_array().expect("statements");
    let actions = statements[0]["Action"].as_array().expect("actions");
    for action in ["ecs:UpdateService", "logs:CreateLogGroup", "application-autoscaling:PutScalingPolicy"] {
        assert!(actions.contains(&Value::from(action)), "{action}");
    }
    let pass = statements.iter().find(|statement| statement["Action"] == "iam:PassRole").expect("PassRole");
    assert!(pass["Condition"]["StringEquals"]["iam:PassedToService"].is_array());
}

#[test]
fn help_version_and_completion_are_there() {
    let help = here(&["--help"]);
    assert_eq!(help.code, 0);
    for word in ["run", "validate", "render", "convert", "plan", "diff", "apply", "get", "describe", "Exit codes"] {
        assert!(help.out.contains(word), "{word}");
    }
    assert!(here(&["version"]).out.starts_with("fargateer 0."));
    assert!(here(&["completion", "bash"]).out.contains("_fargateer"));
}

#[test]
fn a_closed_pipe_is_no_error() {
    let script = format!("{} schema | head -1", crate::binary::FARGATEER);
    let output = std::process::Command::new("bash").args(["-o", "pipefail", "-c", &script]).output().expect("bash");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"));
    assert!(output.status.success() || output.status.code() == Some(141), "{output:?}");
}

#[test]
fn the_readme_names_only_commands_that_exist() {
    let help = here(&["--help"]).out;
    let readme = fs::read_to_string(repository().join("README.md")).expect("the README");
    let words = readme
        .lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .filter_map(|code| code.strip_prefix("fargateer "));
    for command in words
        .filter_map(|rest| rest.split_whitespace().next())
        .filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
    {
        assert!(command.starts_with('-') || help.contains(&format!("  {command}")), "README: fargateer {command}");
    }
    assert!(Path::new(&repository().join("examples/minimal.yaml")).exists());
}

#[test]
fn two_specs_for_one_service_are_a_fault() {
    let text =
        format!("{GOOD}---\n{}", GOOD.replace("name: a", "name: b").replace("cluster: c", "cluster: c\n  service: a"));
    assert_wrong(&with_file(&text, &["validate", "agent.yaml"]), &["c/a is claimed by a, b"]);
}

#[test]
fn an_option_out_of_its_range_is_refused() {
    for (option, value, word) in [
        ("--quota-share", "nan", "from 0.01 to 1"),
        ("--quota-share", "2", "from 0.01 to 1"),
        ("--resync", "0s", "at least 1s"),
        ("--speed", "0", "from 0.1 to 1000"),
        ("--owner", "", "1 to 128"),
        ("--workers", "0", "1..=10000"),
        ("--log", "bo[gus", "a level or a filter"),
    ] {
        assert_wrong(&here(&["run", "--local", option, value, "manifests"]), &[option, word]);
    }
    assert_wrong(&here(&["run", "--local", "-o", "json", "manifests"]), &["--once"]);
}

#[test]
fn an_emptied_file_is_a_fault() {
    assert_wrong(&with_file("", &["validate", "agent.yaml"]), &["agent.yaml", "holds no document"]);
}

/// What the daemon would find when it builds is found before it is committed.
#[test]
fn code_that_cannot_become_an_image_is_told_where_the_spec_names_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let specs = folder.path().join("specs");
    fs::create_dir_all(specs.join("good")).expect("a folder");
    fs::create_dir_all(specs.join("empty")).expect("a folder");
    fs::create_dir_all(folder.path().join("outside")).expect("a folder");
    fs::write(specs.join("good/generated_agent.py"), "agent = None\n").expect("code");
    for context in ["good", "empty", "nowhere", "../outside"] {
        let name = context.trim_start_matches("../");
        let build = format!("image: {{build: {{context: \"{context}\"}}}}");
        let spec = GOOD.replace("image: {uri: \"x:1\"}", &build).replace("name: a", &format!("name: {name}"));
        fs::write(specs.join(format!("{name}.yaml")), spec).expect("a spec");
    }
    // What lies in S3 is somebody else's to look at.
    let build = "image: {build: {context: \"s3://code/a.zip\"}}";
    let spec = GOOD.replace("image: {uri: \"x:1\"}", build).replace("name: a", "name: remote");
    fs::write(specs.join("remote.yaml"), spec).expect("a spec");
    let said = run(folder.path(), &[], &["validate", "specs"]);
    assert_eq!(said.code, 2, "{}{}", said.out, said.err);
    let told = |name: &str| said.out.lines().find(|line| line.starts_with(&format!("specs/{name}.yaml:6:")));
    for (name, word) in
        [("empty", "generated_agent.py"), ("nowhere", "No such file"), ("outside", "outside of the folder")]
    {
        let line = told(name).unwrap_or_else(|| panic!("{name}: {}", said.out));
        assert!(line.contains("spec.image.build.context: ") && line.contains(word), "{line}");
    }
    assert_eq!((told("good"), said.out.lines().count()), (None, 3), "{}", said.out);
}
