//! `fargateer image inspect`: how an image that Fargateer built was made.

use std::fmt::Write as _;
use std::process::ExitCode;

use fargateer_image::Inspected;

use super::{builder, reference, told};
use crate::cli::{Format, ImageArgs};
use crate::output;

/// Runs the command.
pub(super) async fn run(args: ImageArgs) -> anyhow::Result<ExitCode> {
    let inspected = builder(None)?.inspect(&reference(&args.image)?).await.map_err(told)?;
    match args.output {
        Format::Json | Format::Yaml => output::document(&inspected, args.output),
        Format::Text | Format::Wide => output::data(&page(&inspected)),
        Format::Name => output::data(&inspected.image),
    }
}

fn page(inspected: &Inspected) -> String {
    let Inspected { image, architecture, size, base, base_digest, python, runtime, entrypoint, layers, labels } =
        inspected;
    let mut out = String::new();
    let _ = writeln!(out, "Image:       {image}");
    let _ = writeln!(out, "For:         linux/{architecture}, Python {python}");
    let _ = writeln!(out, "Size:        {size} bytes");
    let _ = writeln!(out, "Base:        {base}");
    let _ = writeln!(out, "             {base_digest}");
    let _ = writeln!(out, "Runtime:     {runtime}");
    let _ = writeln!(out, "Answers:     {}", entrypoint.as_deref().unwrap_or("what the runtime finds"));
    for layer in layers {
        let _ = writeln!(out, "Layer:       {} ({} bytes) {}", layer.holds, layer.size, layer.digest);
    }
    for (name, value) in labels {
        let _ = writeln!(out, "Label:       {name}={value}");
    }
    out
}
