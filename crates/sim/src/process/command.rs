//! From a task definition and an image to what is run on this machine: words, environment, paths.
//!
//! Paths of the image are those of its unpacked root, but for its working folder, of which each task has a copy of its own.
//! Its Python is this machine's. Nothing of our own environment goes in but PATH.

use super::program::Program;
use super::python::Python;
use super::unpack::VENV;
use crate::assignment::Assignment;
use crate::input::Members;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The port of a container that names none.
const PORT: u16 = 8000;

/// Where everything of a task is on this machine.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// The root of the image.
    pub(super) root: PathBuf,
    /// The working folder, as the image names it.
    pub(super) inner: String,
    /// The task's own copy of it.
    pub(super) work: PathBuf,
    /// The task's own home.
    pub(super) home: PathBuf,
    /// The task's own folder for temporary files.
    pub(super) scratch: PathBuf,
}

impl Places {
    /// The path on this machine of a path of the image; none for one that is not in it.
    fn locate(&self, path: &str) -> Option<PathBuf> {
        let inside = path.strip_prefix('/').filter(|inside| !inside.split('/').any(|part| part == ".."))?;
        if let Some(rest) = path.strip_prefix(&self.inner).filter(|rest| rest.is_empty() || rest.starts_with('/')) {
            return Some(self.work.join(rest.trim_start_matches('/')));
        }
        if inside == "tmp" || inside.starts_with("tmp/") {
            return Some(self.scratch.join(inside.trim_start_matches("tmp").trim_start_matches('/')));
        }
        let place = self.root.join(inside);
        place.symlink_metadata().is_ok().then_some(place)
    }

    fn mapped(&self, word: &str) -> String {
        self.locate(word).map_or_else(|| word.to_owned(), |place| place.display().to_string())
    }

    fn venv(&self) -> Option<PathBuf> {
        Some(self.root.join(VENV)).filter(|venv| venv.join("bin").is_dir())
    }
}

/// What a container is run with besides its task definition.
#[derive(Clone, Debug)]
pub(super) struct Setting<'a> {
    pub(super) assignment: &'a Assignment,
    /// The `config` of the image's configuration.
    pub(super) image: &'a Value,
    pub(super) places: &'a Places,
    pub(super) python: &'a Python,
    /// Our own PATH.
    pub(super) path: &'a str,
    /// Variables for every task, which those of its definition come before.
    pub(super) common: &'a [(String, String)],
    pub(super) secrets: Vec<(String, String)>,
    /// Where the container listens.
    pub(super) address: SocketAddr,
}

/// The port of a container.
pub(super) fn port(container: &Value) -> u16 {
    let mapped = container.items("portMappings").and_then(|ports| ports.first()?.whole("containerPort"));
    mapped.and_then(|port| u16::try_from(port).ok()).unwrap_or(PORT)
}

impl Setting<'_> {
    /// The container's program.
    pub(super) fn program(&self) -> Program {
        Program {
            words: self.words(),
            environment: self.environment().into_iter().collect(),
            folder: self.places.work.clone(),
        }
    }

    /// The container's health check, if it has one.
    pub(super) fn check(&self) -> Option<Program> {
        let command = self.assignment.container.member("healthCheck")?.texts("command");
        let (kind, words) = command.split_first()?;
        let words: Vec<String> = words.iter().map(|word| self.here(word)).collect();
        let words = match kind.as_str() {
            "NONE" => return None,
            "CMD-SHELL" => vec!["/bin/sh".to_owned(), "-c".to_owned(), words.join(" ")],
            _ => self.runnable(&words),
        };
        let environment = self.environment().into_iter().collect();
        Some(Program { words, environment, folder: self.places.work.clone() })
    }

    /// A text of a health check, with the task's own address in the place of the container's loopback.
    fn here(&self, text: &str) -> String {
        let address = self.address.ip().to_string();
        let text = text.replace("127.0.0.1", "localhost").replace("localhost", &address);
        let text = match self.places.venv() {
            Some(venv) => text.replace(&format!("/{VENV}/"), &format!("{}/", venv.display())),
            None => text,
        };
        let (said, real) = (port(&self.assignment.container), self.address.port());
        if said == real { text } else { text.replace(&said.to_string(), &real.to_string()) }
    }

    /// As Docker has it: an entry point of the task definition takes the image's command out of force, too.
    fn words(&self) -> Vec<String> {
        let container = &self.assignment.container;
        let (entry, command) = (container.texts("entryPoint"), container.texts("command"));
        let instead = self.assignment.overrides.texts("command");
        let command = if instead.is_empty() { command } else { instead };
        let image_command = if entry.is_empty() { self.image.texts("Cmd") } else { Vec::new() };
        let mut words = if entry.is_empty() { self.image.texts("Entrypoint") } else { entry };
        words.extend(if command.is_empty() { image_command } else { command });
        self.runnable(&words)
    }

    /// Words with paths of this machine, the first of which is a program of this machine.
    fn runnable(&self, words: &[String]) -> Vec<String> {
        let mut words: Vec<String> = words.iter().map(|word| self.places.mapped(word)).collect();
        if let Some(first) = words.first_mut()
            && is_python(first)
        {
            let own = self.places.venv().map(|venv| venv.join("bin/python"));
            *first = own.unwrap_or_else(|| self.python.program.clone()).display().to_string();
        }
        words
    }

    fn environment(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        let pair = |text: &str| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        all.extend(self.image.texts("Env").iter().filter_map(|variable| pair(variable)));
        let region = self.assignment.region();
        let aws = [("AWS_REGION", region), ("AWS_DEFAULT_REGION", region), ("AWS_EXECUTION_ENV", "AWS_ECS_FARGATE")];
        all.extend(aws.map(|(name, value)| (name.to_owned(), value.to_owned())));
        all.extend(self.common.iter().cloned());
        for document in [&self.assignment.container, &self.assignment.overrides] {
            let variables = document.items("environment").unwrap_or_default().iter();
            all.extend(variables.filter_map(|one| Some((one.text("name")?.to_owned(), one.text("value")?.to_owned()))));
        }
        all.extend(self.secrets.iter().cloned());
        self.force(&mut all);
        all
    }

    /// What is as this machine has it, whatever the image or the definition say.
    fn force(&self, all: &mut BTreeMap<String, String>) {
        let shown = |path: &Path| path.display().to_string();
        all.remove("VIRTUAL_ENV");
        let mut path = self.path.to_owned();
        if let Some(venv) = self.places.venv() {
            path = format!("{}:{path}", shown(&venv.join("bin")));
            all.insert("VIRTUAL_ENV".to_owned(), shown(&venv));
        }
        let own = [
            ("PATH", path),
            ("HOME", shown(&self.places.home)),
            ("TMPDIR", shown(&self.places.scratch)),
            ("HOST", self.address.ip().to_string()),
            ("PORT", self.address.port().to_string()),
            ("PYTHONNOUSERSITE", "1".to_owned()),
        ];
        all.extend(own.map(|(name, value)| (name.to_owned(), value)));
    }
}

/// Whether a word means a Python: `python3`, `/usr/local/bin/python3.11`.
fn is_python(word: &str) -> bool {
    let name = word.rsplit('/').next().unwrap_or_default();
    let version = name.strip_prefix("python");
    version.is_some_and(|version| version.chars().all(|letter| letter.is_ascii_digit() || letter == '.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assignment::Stage;
    use serde_json::json;
    use tempfile::TempDir;

    struct Case {
        _folder: TempDir,
        places: Places,
        assignment: Assignment,
        image: Value,
        python: Python,
        common: Vec<(String, String)>,
    }

    impl Case {
        fn new(container: Value) -> Self {
            let folder = TempDir::new().unwrap();
            let at = |name: &str| folder.path().join(name);
            std::fs::create_dir_all(at("root/opt/agent/venv/bin")).unwrap();
            std::fs::create_dir_all(at("work")).unwrap();
            let places = Places {
                root: at("root"),
                inner: "/app".to_owned(),
                work: at("work"),
                home: at("home"),
                scratch: at("tmp"),
            };
            let assignment = Assignment {
                task: "arn:aws:ecs:eu-west-1:111122223333:task/c/abc".to_owned(),
                cluster: "c".to_owned(),
                service: "s".to_owned(),
                stage: Stage::Start,
                definition: json!({}),
                container,
                overrides: Value::Null,
                address: "127.20.0.5".to_owned(),
            };
            let image = json!({
                "Cmd": ["/opt/agent/venv/bin/python", "/app/agent_server.py"],
                "Env": ["PATH=/usr/bin", "HOME=/tmp", "VIRTUAL_ENV=/opt/agent/venv", "A=image", "B=image"],
            });
            let python = Python { program: "/usr/bin/python3.11".into(), version: "3.11".to_owned() };
            let common = ["B", "C"].map(|name| (name.to_owned(), "common".to_owned())).to_vec();
            Self { _folder: folder, places, assignment, image, python, common }
        }

        fn setting(&self) -> Setting<'_> {
            Setting {
                assignment: &self.assignment,
                image: &self.image,
                places: &self.places,
                python: &self.python,
                path: "/bin",
                common: &self.common,
                secrets: vec![("KEY".to_owned(), "secret".to_owned())],
                address: "127.20.0.5:8000".parse().unwrap(),
            }
        }
    }

    #[test]
    fn the_images_command_runs_with_paths_of_this_machine() {
        let case = Case::new(json!({}));
        let words = case.setting().words();
        assert_eq!(words[0], case.places.root.join("opt/agent/venv/bin/python").display().to_string());
        assert_eq!(words[1], case.places.work.join("agent_server.py").display().to_string());
    }

    #[test]
    fn an_entry_point_takes_the_images_command_out_of_force() {
        let case = Case::new(json!({"entryPoint": ["sh", "-c"], "command": ["true"]}));
        assert_eq!(case.setting().words(), ["sh", "-c", "true"]);
    }

    #[test]
    fn the_definition_comes_before_the_common_before_the_image_and_nothing_of_ours_is_in() {
        let case = Case::new(json!({"environment": [{"name": "C", "value": "task"}, {"name": "HOME", "value": "/x"}]}));
        let environment = case.setting().environment();
        let value = |name: &str| environment.get(name).map(String::as_str);
        assert_eq!((value("A"), value("B"), value("C")), (Some("image"), Some("common"), Some("task")));
        assert_eq!((value("HOST"), value("PORT")), (Some("127.20.0.5"), Some("8000")));
        assert_eq!((value("KEY"), value("AWS_REGION")), (Some("secret"), Some("eu-west-1")));
        assert_eq!(value("HOME"), Some(case.places.home.display().to_string().as_str()));
        assert!(value("PATH").unwrap().ends_with(":/bin") && value("CARGO_MANIFEST_DIR").is_none());
    }

    #[test]
    fn a_health_check_asks_the_task_itself() {
        let python = ["CMD", "/opt/agent/venv/bin/python", "-c", "connect(('127.0.0.1',8000)) # localhost"];
        let case = Case::new(json!({"healthCheck": {"command": python}}));
        let check = case.setting().check().unwrap();
        assert_eq!(check.words[0], case.places.root.join("opt/agent/venv/bin/python").display().to_string());
        assert_eq!(check.words[2], "connect(('127.20.0.5',8000)) # 127.20.0.5");
        let case =
            Case::new(json!({"healthCheck": {"command": ["CMD-SHELL", "curl -f http://localhost:8000/health"]}}));
        let check = case.setting().check().unwrap();
        assert_eq!(check.words, ["/bin/sh", "-c", "curl -f http://127.20.0.5:8000/health"]);
    }

    #[test]
    fn a_python_is_told_from_other_programs() {
        let found = ["python", "python3", "/usr/local/bin/python3.11"].map(is_python);
        assert_eq!((found, ["pythonic", "bash", "/app/python-run"].map(is_python)), ([true; 3], [false; 3]));
    }
}
