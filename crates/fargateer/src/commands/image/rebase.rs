//! `fargateer image rebase`: an image on another base, without its sources.

use std::process::ExitCode;

use fargateer_image::Destination;
use serde_json::json;

use super::{builder, reference, told};
use crate::cli::{Format, RebaseArgs};
use crate::output;

/// Runs the command.
pub(super) async fn run(args: RebaseArgs) -> anyhow::Result<ExitCode> {
    let (builder, image) = (builder(None)?, reference(&args.image)?);
    let base = match args.base {
        Some(base) => base,
        None => builder.inspect(&image).await.map_err(told)?.base,
    };
    let destination = Destination { cache: args.layer_cache, ..Destination::new(image.clone()) };
    let built = builder.rebase(&image, (&base, None), &destination).await.map_err(told)?;
    let moved = built.moved;
    match args.output {
        Format::Json | Format::Yaml => {
            let layers = json!({"present": moved.present, "mounted": moved.mounted, "sent": moved.sent});
            let result = json!({
                "digest": built.image.digest, "image": built.image.to_string(), "tag": built.tag,
                "layers": layers, "bytesSent": moved.bytes,
            });
            output::document(&result, args.output)
        }
        Format::Text | Format::Wide | Format::Name => {
            output::note(&format!("{} on {base}: {} bytes of layers sent", built.image, moved.bytes));
            output::data(built.image.digest.as_deref().unwrap_or_default())
        }
    }
}
