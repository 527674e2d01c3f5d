//! Onto this disk: an image as a folder in OCI's layout, or as an archive that `docker load` takes.

use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::NamedTempFile;

use crate::build::Assembled;
use crate::builder::{Builder, blocking};
use crate::error::{Cause, Error};
use crate::hash::canonical;
use crate::layer::{self, Files, Source};
use crate::oci::{Descriptor, Document, INDEX};
use crate::prepare::Prepared;
use crate::progress::{Phase, Progress};

/// What is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// A folder in OCI's layout. One that is there must be empty, or such a folder, whose image is replaced.
    OciDir(PathBuf),
    /// A file for `docker load`, which is replaced.
    DockerArchive(PathBuf),
}

/// An image on this disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Its digest.
    pub digest: String,
    /// The tag that follows from its inputs.
    pub tag: String,
    /// All of its layers, in bytes.
    pub size: u64,
}

/// What makes a folder one of OCI's layout.
const LAYOUT: &str = "oci-layout";

impl Builder {
    /// Builds the image of `prepared` and keeps nothing but its layers in the cache: what it will be.
    pub async fn build(&self, prepared: &Prepared, progress: &Progress) -> Result<Exported, Error> {
        let Assembled { image, dependencies, runtime, code } = self.assemble(prepared, None, progress).await?;
        let ours = [&dependencies.layer, &runtime.layer, &code.layer].map(|layer| layer.descriptor.size);
        let size = image.base_layers.iter().map(|layer| layer.size).chain(ours).sum();
        Ok(Exported { digest: image.manifest.descriptor.digest, tag: prepared.tag(), size })
    }

    /// Writes the image of `prepared`, whole. `name` is what it is called in an archive.
    pub async fn export(
        &self,
        prepared: &Prepared,
        output: &Output,
        name: &str,
        progress: &Progress,
    ) -> Result<Exported, Error> {
        let assembled = self.assemble(prepared, None, progress).await?;
        let Assembled { image, dependencies, runtime, code } = &assembled;
        let transfer = progress.transfer(Phase::Fetch, image.base_layers.iter().map(|layer| layer.size).sum());
        let mut layers: Vec<(Descriptor, PathBuf)> = Vec::new();
        for layer in &image.base_layers {
            layers.push((layer.clone(), self.base_layer(&prepared.base, layer, &transfer.meter()).await?));
        }
        let kept = self.cache.layer(&dependencies.layer.descriptor);
        let kept = kept.ok_or_else(|| Error::new(Cause::Local, "the layer of dependencies has just been removed"))?;
        layers.push((dependencies.layer.descriptor.clone(), kept));
        for packed in [runtime, code] {
            layers.push((packed.layer.descriptor.clone(), packed.file.path().to_owned()));
        }
        let size = layers.iter().map(|(layer, _)| layer.size).sum();
        let tag = prepared.tag();
        let mut files = layout((&image.config, &image.manifest), &layers, &tag);
        let digest = image.manifest.descriptor.digest.clone();
        let written = output.clone();
        if let Output::DockerArchive(_) = output {
            files.text("manifest.json", docker(&image.config, &layers, name));
        }
        blocking(move || match written {
            Output::OciDir(folder) => unfold(&files, &folder),
            Output::DockerArchive(file) => save(&files, &file),
        })
        .await?;
        Ok(Exported { digest, tag, size })
    }
}

fn blob(digest: &str) -> String {
    format!("blobs/{}", digest.replace(':', "/"))
}

/// The files of OCI's layout.
fn layout((config, manifest): (&Document, &Document), layers: &[(Descriptor, PathBuf)], tag: &str) -> Files {
    let mut files = Files::default();
    let Descriptor { media_type, digest, size } = &manifest.descriptor;
    let entry = json!({
        "mediaType": media_type, "digest": digest, "size": size,
        "annotations": {"org.opencontainers.image.ref.name": tag},
    });
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]});
    files.text("index.json", canonical(&index));
    files.text(LAYOUT, canonical(&json!({"imageLayoutVersion": "1.0.0"})));
    for document in [config, manifest] {
        files.text(blob(&document.descriptor.digest), document.bytes.clone());
    }
    for (layer, path) in layers {
        let digest = Some(layer.digest.clone());
        files.put(blob(&layer.digest), Source::Disk { path: path.clone(), executable: false, digest });
    }
    files
}

/// What older versions of Docker read instead.
fn docker(config: &Document, layers: &[(Descriptor, PathBuf)], name: &str) -> String {
    let layers: Vec<String> = layers.iter().map(|(layer, _)| blob(&layer.digest)).collect();
    canonical(&json!([{"Config": blob(&config.descriptor.digest), "RepoTags": [name], "Layers": layers}]))
}

fn unfold(files: &Files, folder: &Path) -> Result<(), Error> {
    let fault = |path: &Path, error: std::io::Error| Error::local(path, error);
    fs::create_dir_all(folder).map_err(|error| fault(folder, error))?;
    let mut inside = fs::read_dir(folder).map_err(|error| fault(folder, error))?;
    if inside.next().is_some() && !folder.join(LAYOUT).is_file() {
        return Err(Error::local(folder, "the folder is not empty, and no OCI layout")
            .hinted("name a folder that is not there yet"));
    }
    for (path, source) in files.iter() {
        let place = folder.join(path);
        let parent = place.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(|error| fault(parent, error))?;
        match source {
            Source::Disk { path, .. } => drop(fs::copy(path, &place).map_err(|error| fault(&place, error))?),
            Source::Bytes { bytes, executable: _ } => fs::write(&place, bytes).map_err(|error| fault(&place, error))?,
            Source::Link(_) => {}
        }
    }
    Ok(())
}

fn save(files: &Files, file: &Path) -> Result<(), Error> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let scratch = NamedTempFile::new_in(folder).map_err(|error| Error::local(folder, error))?;
    let mut writer = layer::archive(files, BufWriter::new(scratch.as_file()))?;
    writer.flush().map_err(|error| Error::local(file, error))?;
    drop(writer);
    scratch.persist(file).map(drop).map_err(|error| Error::local(file, error.error))
}
