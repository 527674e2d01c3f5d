//! `fargateer image sbom`: the bill of materials that is attached to an image.

use std::process::ExitCode;

use super::{builder, reference, told};
use crate::cli::{Format, SbomArgs};
use crate::output;

/// Runs the command.
pub(super) async fn run(args: SbomArgs) -> anyhow::Result<ExitCode> {
    let (builder, image) = (builder(None)?, reference(&args.image)?);
    let document = if args.provenance { builder.provenance(&image).await } else { builder.sbom(&image).await };
    output::document(&document.map_err(told)?, Format::Json)
}
