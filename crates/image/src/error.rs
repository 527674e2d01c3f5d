//! What can go wrong on the way to an image, and whether trying again makes sense.
//!
//! A message is the tool's or the registry's own, with what was being done before it; what would be right stands apart.

use std::fmt::Display;
use std::path::Path;

use thiserror::Error;

/// Why there is no image.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Error {
    /// Which kind of failure: a condition's reason.
    pub cause: Cause,
    /// What happened, in the words of whoever refused.
    pub message: String,
    /// What would be right, where that is known.
    pub hint: Option<String>,
}

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The folder of agent code is not what the spec says, or may not become an image.
    ContextInvalid,
    /// The archive of agent code may not be read.
    ContextDenied,
    /// A file changed while it was read.
    ContextChanged,
    /// No set of wheels satisfies the requirements.
    DependenciesUnresolvable,
    /// The package index does not answer.
    PackageIndexUnavailable,
    /// A program that is needed is not on this machine.
    ToolMissing,
    /// The base image cannot be read now.
    BaseImageUnavailable,
    /// There is no such base image, or it cannot carry an agent.
    BaseImageUnusable,
    /// The registry does not let us.
    RegistryDenied,
    /// The registry does not answer, is too busy, or broke off.
    RegistryUnavailable,
    /// The registry's answer makes no sense to us, or it refuses what we send.
    RegistryRefused,
    /// The repository is missing.
    RepositoryMissing,
    /// The tag stands for another image and may not move.
    TagTaken,
    /// CodeBuild refuses the build, or it failed there.
    BuildFailed,
    /// S3 or CodeBuild does not answer, or is too busy.
    ServiceUnavailable,
    /// This machine's disk or memory.
    Local,
}

impl Cause {
    /// The name, as a condition's reason or a metric's label has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ContextInvalid => "ContextInvalid",
            Self::ContextDenied => "ContextDenied",
            Self::BuildFailed => "BuildFailed",
            Self::ServiceUnavailable => "ServiceUnavailable",
            Self::ContextChanged => "ContextChanged",
            Self::DependenciesUnresolvable => "DependenciesUnresolvable",
            Self::PackageIndexUnavailable => "PackageIndexUnavailable",
            Self::ToolMissing => "ToolMissing",
            Self::BaseImageUnavailable => "BaseImageUnavailable",
            Self::BaseImageUnusable => "BaseImageUnusable",
            Self::RegistryDenied => "RegistryDenied",
            Self::RegistryUnavailable => "RegistryUnavailable",
            Self::RegistryRefused => "RegistryRefused",
            Self::RepositoryMissing => "RepositoryMissing",
            Self::TagTaken => "TagTaken",
            Self::Local => "LocalFailure",
        }
    }

    /// Whether the same again may succeed without anybody changing the spec or the code.
    ///
    /// A denied registry counts: permissions are mended outside of the spec, and an attempt costs one request.
    pub fn is_passing(self) -> bool {
        match self {
            Self::ContextChanged
            | Self::ContextDenied
            | Self::BuildFailed
            | Self::ServiceUnavailable
            | Self::PackageIndexUnavailable
            | Self::BaseImageUnavailable
            | Self::RegistryDenied
            | Self::RegistryUnavailable
            | Self::RepositoryMissing
            | Self::ToolMissing
            | Self::Local => true,
            Self::ContextInvalid
            | Self::DependenciesUnresolvable
            | Self::BaseImageUnusable
            | Self::RegistryRefused
            | Self::TagTaken => false,
        }
    }
}

impl Error {
    /// A failure without a hint.
    pub fn new(cause: Cause, message: impl Into<String>) -> Self {
        Self { cause, message: message.into(), hint: None }
    }

    /// The same with what would be right.
    #[must_use]
    pub fn hinted(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The context is wrong at `path`.
    pub(crate) fn context(path: impl Display, problem: impl Display) -> Self {
        Self::new(Cause::ContextInvalid, format!("{path}: {problem}"))
    }

    /// This machine failed at `path`.
    pub(crate) fn local(path: &Path, error: impl Display) -> Self {
        Self::new(Cause::Local, format!("{}: {error}", path.display()))
    }

    /// Whether the same again may succeed without anybody changing the spec or the code.
    pub fn is_passing(&self) -> bool {
        self.cause.is_passing()
    }
}

/// The whole chain of `error`: libraries hide the reason behind their own words.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = cause.source();
    }
    text
}
