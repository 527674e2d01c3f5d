//! From a folder of agent code to a digest in a registry, without a Docker daemon.
//!
//! An image is a base image by its digest and three layers on it, each the same bytes from the same inputs on any machine:
//! dependencies (wheels, locked by hash, unpacked for a platform that need not be this one), the runtime, the code. Nothing
//! is run to build it, so nothing of an agent's code or of its packages runs here.
//!
//! [`Builder::prepare`] reads and decides; the tag follows from what it read. [`Builder::push`] asks the registry for that
//! tag, and where it is there, that is all. What fails is an [`Error`] that says in whose words, and whether time helps.
//! When to try again is not decided here.

mod archive;
mod base;
mod build;
mod builder;
mod cache;
mod compose;
mod context;
mod dependencies;
mod entry;
mod error;
mod hash;
mod ignore;
mod inputs;
mod inspect;
mod layer;
mod objects;
mod oci;
mod output;
mod prepare;
mod progress;
mod push;
mod rebase;
mod reference;
mod registry;
mod remote;
mod requirements;
mod runtime;
mod sbom;
mod secretive;
mod uv;
mod wheels;
mod works;

pub use builder::Builder;
pub use context::{Context, Entry, EntryKind, Limits};
pub use error::{Cause, Error};
pub use inspect::{Inspected, InspectedLayer};
pub use output::{Exported, Output};
pub use prepare::{Prepared, Recipe, check};
pub use progress::{Phase, Progress, Step};
pub use push::{Built, Destination, Moved};
pub use reference::Reference;
pub use registry::{Anonymous, Login, Logins, Secret};
pub use remote::{CONTEXTS, Services};
pub use runtime::{bundle, version as runtime_version};
pub use uv::Tools;
pub use works::{Contexts, Works};
