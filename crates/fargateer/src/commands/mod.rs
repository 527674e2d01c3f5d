//! One file a command.

pub(crate) mod adopt;
pub(crate) mod apply;
pub(crate) mod completion;
pub(crate) mod convert;
pub(crate) mod delete;
pub(crate) mod describe;
pub(crate) mod dev;
pub(crate) mod diff;
pub(crate) mod get;
pub(crate) mod iam_policy;
pub(crate) mod image;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod plan;
pub(crate) mod prune;
pub(crate) mod reconcile;
pub(crate) mod render;
pub(crate) mod rows;
pub(crate) mod run;
pub(crate) mod sim;
pub(crate) mod table;
pub(crate) mod validate;

mod server;
mod specs;
mod survey;
