//! The program `uv`: resolves requirements, fetches wheels for a platform that need not be this machine's, unpacks them.
//!
//! Wheels only, so that no code of a package runs here; every file by its hash. It runs with an environment of its own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tokio::process::Command;

use crate::error::{Cause, Error};
use crate::requirements::{Kind, Requirements, Target};

/// The programs of this machine, and what they may know of it.
#[derive(Debug, Clone, Default)]
pub struct Tools {
    /// The program uv. Default: `uv`, else `python3 -m uv`, as found on the PATH.
    pub uv: Option<PathBuf>,
    /// The environment it gets: those of `VARIABLES` that are set. Nothing else should be in it.
    pub environment: Vec<(OsString, OsString)>,
}

impl Tools {
    /// The variables of this machine's environment that uv may know, where they are set: how to find programs and the
    /// network. None of them is a secret of Fargateer's.
    pub const VARIABLES: &'static [&'static str] = &[
        "PATH",
        "HOME",
        "TMPDIR",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "UV_CACHE_DIR",
        "UV_DEFAULT_INDEX",
        "UV_INDEX",
        "UV_INDEX_URL",
        "UV_EXTRA_INDEX_URL",
        "UV_INDEX_STRATEGY",
        "UV_FIND_LINKS",
        "UV_NO_INDEX",
        "UV_NATIVE_TLS",
        "UV_SYSTEM_CERTS",
        "UV_HTTP_TIMEOUT",
        "UV_PYTHON",
    ];
}

/// The standard of binary wheels that is tried first, and the one of the newer C library that the slim images have.
const STANDARDS: [&str; 2] = ["manylinux_2_28", "manylinux_2_36"];
/// So much of what it says is told, in bytes.
const TOLD: usize = 4000;

/// Requirements resolved: one exact version of everything, each with its hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) lock: String,
    /// uv's name of the platform.
    pub(crate) platform: String,
}

impl Tools {
    /// Resolves `requirements`; `scratch` is an empty folder.
    pub(crate) async fn resolve(
        &self,
        requirements: &Requirements,
        target: &Target,
        scratch: &Path,
    ) -> Result<Resolved, Error> {
        for (path, text) in &requirements.files {
            let place = scratch.join(path);
            let folder = place.parent().unwrap_or(scratch);
            std::fs::create_dir_all(folder).map_err(|error| Error::local(folder, error))?;
            std::fs::write(&place, text).map_err(|error| Error::local(&place, error))?;
        }
        let ours = scratch.join(OURS);
        std::fs::write(&ours, requirements.needs.join("\n")).map_err(|error| Error::local(&ours, error))?;
        let mut first = None;
        for standard in STANDARDS {
            let platform = format!("{}-{standard}", machine(target.architecture));
            match self.lock(requirements, target, (&platform, scratch)).await {
                Ok(lock) => return Ok(Resolved { lock, platform }),
                Err(error) if error.cause == Cause::DependenciesUnresolvable => drop(first.get_or_insert(error)),
                Err(error) => return Err(error),
            }
        }
        Err(first.unwrap_or_else(|| Error::new(Cause::DependenciesUnresolvable, "no platform fits")))
    }

    async fn lock(
        &self,
        requirements: &Requirements,
        target: &Target,
        (platform, scratch): (&str, &Path),
    ) -> Result<String, Error> {
        let main = requirements.main.as_str();
        let sources = sources(requirements);
        let mut arguments: Vec<&str> = match requirements.kind {
            Kind::None => return Ok(String::new()),
            // Somebody has resolved it already.
            Kind::Locked if requirements.files.len() == 1 => {
                let lock: String = requirements.files.values().cloned().collect();
                return requirements.suffices(&lock).map(|()| lock);
            }
            Kind::UvLock => {
                vec![
                    "export",
                    "--frozen",
                    "--no-dev",
                    "--no-emit-project",
                    "--no-header",
                    "--no-annotate",
                    "--format",
                    "requirements.txt",
                ]
            }
            Kind::List | Kind::Locked | Kind::Project => {
                let compile =
                    ["pip", "compile", "--generate-hashes", "--only-binary", ":all:", "--no-header", "--no-sources"];
                let target = ["--no-annotate", "--python-version", &target.python, "--python-platform", platform];
                compile.into_iter().chain(target).chain(sources.iter().map(String::as_str)).collect()
            }
        };
        if requirements.kind != Kind::UvLock
            && let Some(date) = &target.exclude_newer
        {
            arguments.extend(["--exclude-newer", date]);
        }
        let folder = match requirements.kind {
            Kind::UvLock => scratch.join(main).parent().unwrap_or(scratch).to_owned(),
            Kind::None | Kind::List | Kind::Locked | Kind::Project => scratch.to_owned(),
        };
        let output = self.run(&arguments, &folder).await?;
        let lock = String::from_utf8_lossy(&output.stdout).into_owned();
        if requirements.kind == Kind::UvLock {
            requirements.suffices(&lock)?;
        }
        Ok(lock)
    }

    /// Unpacks the wheels of a lock into the folder `into`.
    pub(crate) async fn install(&self, resolved: &Resolved, python: &str, into: &Path) -> Result<(), Error> {
        let folder = into.parent().unwrap_or(into);
        let lock = folder.join("fargateer.lock.txt");
        std::fs::write(&lock, &resolved.lock).map_err(|error| Error::local(&lock, error))?;
        let (target, lock) = (into.to_string_lossy(), lock.to_string_lossy());
        let what = ["pip", "install", "--target", &target, "--requirement", &lock, "--require-hashes", "--no-deps"];
        let fits = ["--python-platform", &resolved.platform, "--python-version", python, "--only-binary", ":all:"];
        // Links into uv's own cache, where that lies on the same disk: nothing here writes to them, and of thousands of files
        // only names are made and removed.
        let how = ["--link-mode", "hardlink", "--no-compile-bytecode"];
        let arguments: Vec<&str> = what.into_iter().chain(fits).chain(how).collect();
        self.run(&arguments, folder).await.map(drop)
    }

    async fn run(&self, arguments: &[&str], folder: &Path) -> Result<Output, Error> {
        let given = self.uv.as_ref().map(|path| (path.clone().into_os_string(), &[][..]));
        let found = [(OsString::from("uv"), &[][..]), (OsString::from("python3"), &["-m", "uv"][..])];
        let candidates = given.map_or_else(|| found.to_vec(), |given| vec![given]);
        for (program, before) in candidates {
            let mut command = Command::new(&program);
            command.args(before).args(arguments).args(["--quiet", "--no-progress", "--no-config", "--color", "never"]);
            command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
            command.current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
            match command.output().await {
                Ok(output) if output.status.success() => return Ok(output),
                Ok(output) => {
                    let said = told(&output.stderr);
                    if !said.contains("No module named uv") {
                        return Err(failure(&said));
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::new(Cause::Local, format!("{}: {error}", program.display()))),
            }
        }
        let wanted = self.uv.as_ref().map_or_else(|| "uv".to_owned(), |path| path.display().to_string());
        Err(Error::new(Cause::ToolMissing, format!("the program {wanted} is not on this machine"))
            .hinted("`pip install uv`, or name it in FARGATEER_UV"))
    }
}

/// The runtime's own requirements, in a file beside those of the agent.
const OURS: &str = "fargateer.runtime.txt";

/// The files to resolve. A name that begins with a dash must not become an option.
fn sources(requirements: &Requirements) -> Vec<String> {
    let main = Some(requirements.main.as_str()).filter(|main| !main.is_empty());
    let names = main.into_iter().chain((!requirements.needs.is_empty()).then_some(OURS));
    names.map(|name| format!("./{name}")).collect()
}

/// uv's name of an architecture.
fn machine(architecture: &str) -> &str {
    match architecture {
        "arm64" => "aarch64",
        "amd64" => "x86_64",
        other => other,
    }
}

fn told(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim();
    let end = (0..=TOLD.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text.get(..end).unwrap_or_default().to_owned()
}

/// What its words mean, the first line that fits.
const MEANINGS: &[(&str, Cause)] = &[
    ("No space left on device", Cause::Local),
    ("No interpreter found", Cause::ToolMissing),
    ("Request failed after", Cause::PackageIndexUnavailable),
    ("error sending request", Cause::PackageIndexUnavailable),
    ("Failed to fetch", Cause::PackageIndexUnavailable),
    ("Failed to download", Cause::PackageIndexUnavailable),
    ("operation timed out", Cause::PackageIndexUnavailable),
    ("dns error", Cause::PackageIndexUnavailable),
];

fn failure(said: &str) -> Error {
    let cause = MEANINGS.iter().find(|(words, _)| said.contains(words)).map(|(_, cause)| *cause);
    let cause = cause.unwrap_or(Cause::DependenciesUnresolvable);
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let said = lines.join(" ").replace("error: ", "").replace("cause: ", "");
    let (message, hint) = said.split_once(" hint: ").map_or((said.as_str(), None), |(text, hint)| (text, Some(hint)));
    let error = Error::new(cause, format!("uv: {message}"));
    let ours = [
        (Cause::DependenciesUnresolvable, "only wheels are used: pin a version that has one for this platform"),
        (Cause::ToolMissing, "uv needs a Python interpreter on this machine"),
    ];
    let ours = ours.into_iter().find(|(of, _)| *of == cause).map(|(_, hint)| hint);
    match (hint, ours) {
        (Some(hint), Some(ours)) => error.hinted(format!("{hint}; {ours}")),
        (Some(hint), None) => error.hinted(hint),
        (None, Some(ours)) => error.hinted(ours),
        (None, None) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_uv_says_is_told_with_its_hint_apart() {
        let said = "error: No solution found when resolving dependencies\n  cause: Because all versions of docopt have no \
                    usable wheels and you require docopt, we can conclude that your requirements are unsatisfiable.\n\n\
                    hint: Wheels are required for `docopt` because building from source is disabled";
        let error = failure(said);
        assert_eq!(error.cause, Cause::DependenciesUnresolvable);
        assert!(error.message.starts_with("uv: No solution found when resolving dependencies Because"), "{error}");
        assert!(error.hint.unwrap().starts_with("Wheels are required for `docopt`"));
        let offline = failure("error: Request failed after 3 retries in 8.9s\n  cause: Failed to fetch: http://x/");
        assert_eq!((offline.cause, offline.is_passing()), (Cause::PackageIndexUnavailable, true));
    }

    #[tokio::test]
    async fn a_machine_without_uv_is_told_what_to_install() {
        let tools = Tools { uv: Some("/nowhere/uv".into()), environment: Vec::new() };
        let error = tools.run(&["--version"], Path::new("/")).await.unwrap_err();
        assert_eq!(error.cause, Cause::ToolMissing);
        assert!(error.hint.unwrap().contains("pip install uv"));
    }
}
