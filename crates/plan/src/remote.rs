//! A build that CodeBuild carries out: what it is given, how far it is, and what is told of one that failed.

use std::fmt;

use fargateer_api::spec::Architecture;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::object::Address;

/// The code of a failure that means: there is no such project.
pub const NO_PROJECT: &str = "ProjectNotFound";

/// A project, as far as it matters to who starts a build of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// What kind of source it has: `S3`, `GITHUB` and so on.
    pub source: String,
    /// Where that is; in S3 a bucket and a path.
    pub location: String,
    /// The kind of machine it builds on, as `LINUX_CONTAINER` or `ARM_CONTAINER`.
    pub environment: String,
}

/// What is to be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The project that builds.
    pub project: String,
    /// The packed context.
    pub source: Address,
    /// The Dockerfile in it.
    pub dockerfile: String,
    /// The repository, as `<registry>/<name>`.
    pub repository: String,
    /// The tag that the image is to have.
    pub tag: String,
    /// For which kind of processor.
    pub architecture: Architecture,
    /// Whether the project itself builds for the other kind, so that its machine must be replaced.
    pub other_machine: bool,
    /// The build of the same image before this one, if there was one. Whoever starts the same job after the same build starts
    /// one build, however often.
    pub after: Option<String>,
}

impl Job {
    /// The token by which CodeBuild knows the same job again, for five minutes (CodeBuild API reference, StartBuild).
    pub fn token(&self) -> String {
        let Self { project, source, dockerfile, repository, tag, architecture, other_machine: _, after } = self;
        let job = json!([project, source, dockerfile, repository, tag, architecture, after]);
        hex::encode(Sha256::digest(job.to_string()))
    }
}

/// A build, as CodeBuild describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its id: `project:uuid`.
    pub id: String,
    /// The repository it pushes to.
    pub repository: String,
    /// The tag it pushes.
    pub tag: String,
    /// The phase it is in, as CodeBuild names it: `QUEUED`, `BUILD`.
    pub phase: String,
    /// How it ended, if it did.
    pub end: Option<End>,
}

/// How a build ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// What it was told was done.
    Succeeded,
    /// It was not.
    Failed(Complaint),
}

/// What is known of a build that failed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Complaint {
    /// `FAILED`, `FAULT`, `TIMED_OUT` or `STOPPED`.
    pub status: String,
    /// The phase that failed; empty where none did.
    pub phase: String,
    /// What CodeBuild says of it.
    pub message: String,
    /// The last lines of its log.
    pub lines: Vec<String>,
    /// Where the whole log is, for a browser.
    pub link: String,
}

/// So many of the last lines are told.
const TOLD: usize = 6;

impl Complaint {
    /// Whether it is the registry that refused: permissions are missing, not something in the Dockerfile.
    pub fn is_denied(&self) -> bool {
        let said = [
            "denied: User:",
            "not authorized to perform: ecr:",
            "no basic auth credentials",
            "denied: Your authorization token has expired",
        ];
        self.lines.iter().any(|line| said.iter().any(|words| line.contains(words)))
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, phase, message, lines, link } = self;
        match status.as_str() {
            "TIMED_OUT" => f.write_str("CodeBuild: the build took too long")?,
            "STOPPED" => f.write_str("CodeBuild: somebody stopped the build")?,
            "FAULT" => f.write_str("CodeBuild: a fault of CodeBuild's own")?,
            _ => f.write_str("CodeBuild: the build failed")?,
        }
        if !phase.is_empty() {
            write!(f, " in phase {phase}")?;
        }
        if !message.is_empty() {
            write!(f, ": {message}")?;
        }
        let last = lines.iter().skip(lines.len().saturating_sub(TOLD));
        let last: Vec<&str> = last.map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
        if !last.is_empty() {
            write!(f, "; its log ends: {}", last.join(" | "))?;
        }
        if !link.is_empty() {
            write!(f, "; the whole log: {link}")?;
        }
        Ok(())
    }
}

/// What is being done in a phase, in a few words.
pub fn words(phase: &str) -> String {
    match phase {
        "SUBMITTED" | "QUEUED" => "CodeBuild has queued it".to_owned(),
        "PROVISIONING" => "CodeBuild is getting a machine".to_owned(),
        "DOWNLOAD_SOURCE" => "CodeBuild fetches the context".to_owned(),
        "BUILD" => "CodeBuild runs docker build and docker push".to_owned(),
        other => format!("CodeBuild is in phase {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_that_failed_is_told_with_what_the_tool_said_last_and_where_to_read_on() {
        let complaint = Complaint {
            status: "FAILED".to_owned(),
            phase: "BUILD".to_owned(),
            message: "Error while executing command: docker build. Reason: exit status 1".to_owned(),
            lines: (1..=9).map(|number| format!(" line {number}\n")).collect(),
            link: "https://console/log".to_owned(),
        };
        assert_eq!(
            complaint.to_string(),
            "CodeBuild: the build failed in phase BUILD: Error while executing command: docker build. Reason: exit status 1; \
             its log ends: line 4 | line 5 | line 6 | line 7 | line 8 | line 9; the whole log: https://console/log"
        );
        assert!(!complaint.is_denied());
        let denied =
            "denied: User: arn:aws:sts::1:assumed-role/x is not authorized to perform: ecr:InitiateLayerUpload";
        assert!(Complaint { lines: vec![denied.to_owned()], ..complaint }.is_denied());
    }

    #[test]
    fn each_end_has_its_words() {
        let told = |status: &str| Complaint { status: status.to_owned(), ..Complaint::default() }.to_string();
        assert_eq!(told("TIMED_OUT"), "CodeBuild: the build took too long");
        assert_eq!(told("STOPPED"), "CodeBuild: somebody stopped the build");
        assert_eq!(told("FAULT"), "CodeBuild: a fault of CodeBuild's own");
        assert_eq!(words("UPLOAD_ARTIFACTS"), "CodeBuild is in phase UPLOAD_ARTIFACTS");
    }
}
