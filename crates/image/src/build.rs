//! From what was decided to an image: what is not packed yet is packed, and the documents follow.

use crate::builder::{Builder, blocking};
use crate::compose::{self, Image, Layers};
use crate::context::EntryKind;
use crate::dependencies::{Dependencies, Places};
use crate::error::Error;
use crate::layer::{self, Files, Packed, Source};
use crate::prepare::Prepared;
use crate::progress::{Phase, Progress};
use crate::runtime::{self, HOME};

/// An image whose layers of ours are packed.
pub(crate) struct Assembled {
    pub(crate) image: Image,
    pub(crate) dependencies: Dependencies,
    pub(crate) runtime: Packed,
    pub(crate) code: Packed,
}

impl Builder {
    /// Packs what is not packed yet and composes the image.
    pub(crate) async fn assemble(
        &self,
        prepared: &Prepared,
        places: Option<Places<'_>>,
        progress: &Progress,
    ) -> Result<Assembled, Error> {
        let dependencies = self.dependencies(prepared, places, progress).await?;
        progress.tell(Phase::Pack);
        let (scratch, code) = (self.cache.scratch()?, code(prepared));
        let packed = blocking(move || Ok((layer::pack(&runtime::files(), &scratch)?, layer::pack(&code, &scratch)?)));
        let (runtime, code) = packed.await?;
        let layers = Layers {
            dependencies: dependencies.layer.clone(),
            runtime: runtime.layer.clone(),
            code: code.layer.clone(),
        };
        let image = compose::image(&prepared.base, &prepared.settings, &layers);
        Ok(Assembled { image, dependencies, runtime, code })
    }
}

/// The layer of the agent's own code. It lies on the runtime, and may replace it.
fn code(prepared: &Prepared) -> Files {
    let mut files = Files::default();
    for entry in &prepared.context.entries {
        let source = match &entry.kind {
            EntryKind::Link { target } => Source::Link(target.clone()),
            EntryKind::File { digest, executable, size: _ } => Source::Disk {
                path: prepared.context.root.join(&entry.path),
                executable: *executable,
                digest: Some(digest.clone()),
            },
        };
        files.put(format!("{HOME}/{}", entry.path), source);
    }
    files
}
