//! Images as folders: layers unpacked once each, and laid over one another into the root of an image.
//!
//! Everything is kept by what it is made of, and appears whole or not at all. A layer can write nowhere but into its own
//! folder, whatever names and links it holds.

use super::python::Python;
use crate::ecr::{Blob, Content};
use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};
use tar::{Archive, EntryType};
use tempfile::TempDir;

/// How much a layer may hold, unpacked, in bytes.
const SIZE: u64 = 2 * 1024 * 1024 * 1024;
/// How many files and folders a layer may hold.
const ENTRIES: usize = 200_000;
/// Names with which a layer says that something of the lower ones is gone.
const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";
/// The label of an image of ours, whose last layers are these: dependencies, runtime, code.
const LABEL: &str = "io.fargateer.image.settings";
const OURS: usize = 3;
/// Where an image of ours keeps its packages.
pub(super) const VENV: &str = "opt/agent/venv";

/// The folder under which images are kept.
#[derive(Clone, Debug)]
pub(super) struct Cache(pub(super) PathBuf);

impl Cache {
    /// The root of an image whose layers of ours lie on nothing: what the base image holds, this machine brings. Blocks.
    pub(super) fn root(&self, content: &Content, python: &Python) -> Result<PathBuf, String> {
        let layers = ours(content)?;
        let mut name = Sha256::new();
        for layer in layers {
            name.update(&layer.digest);
        }
        name.update(python.program.as_os_str().as_encoded_bytes());
        let place = self.0.join("roots").join(hex::encode(name.finalize()));
        if place.is_dir() {
            return Ok(place);
        }
        let unpacked: Result<Vec<PathBuf>, String> = layers.iter().map(|layer| self.layer(layer)).collect();
        let unpacked = unpacked?;
        self.make(&place, |root| {
            for layer in &unpacked {
                overlay(layer, root, Path::new(""))?;
            }
            python.settle(root)
        })
        .map_err(|error| format!("its layers: {error}"))?;
        Ok(place)
    }

    /// The folder of a layer.
    fn layer(&self, layer: &Blob) -> Result<PathBuf, String> {
        let place = self.0.join("layers").join(layer.digest.replace(':', "-"));
        if !place.is_dir() {
            let made = self.make(&place, |folder| unpack(layer, folder));
            made.map_err(|error| format!("layer {}: {error}", layer.digest))?;
        }
        Ok(place)
    }

    /// Makes the folder `place`, beside it first.
    fn make(&self, place: &Path, fill: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
        let parent = place.parent().unwrap_or(&self.0);
        fs::create_dir_all(parent)?;
        let scratch = TempDir::with_prefix_in(".new-", parent)?;
        let folder = scratch.path().join("content");
        fs::create_dir(&folder)?;
        fill(&folder)?;
        match fs::rename(&folder, place) {
            // Somebody else was quicker, with the same.
            Err(_) if place.is_dir() => Ok(()),
            done => done,
        }
    }
}

/// The layers that are run here.
fn ours(content: &Content) -> Result<&[Blob], String> {
    let config = content.config.get("config");
    let labels = config.and_then(|config| config.get("Labels"));
    if labels.and_then(|labels| labels.get(LABEL)).is_none() {
        return Err("it is not an image that Fargateer built, and only those run as processes".to_owned());
    }
    let from = content.layers.len().saturating_sub(OURS);
    Ok(content.layers.get(from..).unwrap_or_default())
}

fn invalid(problem: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem.into())
}

/// Unpacks a layer into an empty folder.
fn unpack(layer: &Blob, folder: &Path) -> io::Result<()> {
    let bytes = layer.bytes.as_slice();
    let packed = bytes.starts_with(&[0x1f, 0x8b]);
    if !packed && layer.media_type.ends_with("zstd") {
        return Err(invalid("packed with zstd, which is not unpacked here"));
    }
    let plain: Box<dyn Read> = if packed { Box::new(MultiGzDecoder::new(bytes)) } else { Box::new(bytes) };
    let mut archive = Archive::new(plain.take(SIZE));
    archive.set_preserve_mtime(false);
    let mut size = 0_u64;
    for (count, entry) in archive.entries()?.enumerate() {
        let mut entry = entry?;
        size = size.saturating_add(entry.size());
        if count >= ENTRIES || size >= SIZE {
            return Err(invalid("larger than a layer may be here"));
        }
        let path = entry.path()?.into_owned();
        let inner = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        if !path.components().all(inner) {
            return Err(invalid(format!("{} leads out of it", path.display())));
        }
        let kept = [EntryType::Regular, EntryType::Directory, EntryType::Symlink, EntryType::Link];
        let kept = kept.contains(&entry.header().entry_type());
        // Refuses to go through links that lead out.
        if kept && !entry.unpack_in(folder)? {
            return Err(invalid(format!("{} leads out of it", path.display())));
        }
    }
    Ok(())
}

/// Lays the folder `inner` of a layer over that of `root`. Folders are made, never gone through as links.
fn overlay(layer: &Path, root: &Path, inner: &Path) -> io::Result<()> {
    let target = root.join(inner);
    let mut entries = fs::read_dir(layer.join(inner))?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    if entries.iter().any(|entry| entry.file_name() == OPAQUE) {
        for below in fs::read_dir(&target)? {
            remove(&below?.path())?;
        }
    }
    let hidden = |entry: &fs::DirEntry| {
        entry.file_name().to_str().and_then(|name| name.strip_prefix(WHITEOUT)).map(str::to_owned)
    };
    for name in entries.iter().filter_map(hidden).filter(|name| !name.is_empty() && !name.contains('/')) {
        if name != ".wh..opq" && name != ".." && name != "." {
            remove(&target.join(name))?;
        }
    }
    for entry in entries.iter().filter(|entry| hidden(entry).is_none()) {
        let (from, to, kind) = (entry.path(), target.join(entry.file_name()), entry.file_type()?);
        if kind.is_dir() {
            if !fs::symlink_metadata(&to).is_ok_and(|there| there.is_dir()) {
                remove(&to)?;
                fs::create_dir(&to)?;
            }
            overlay(layer, root, &inner.join(entry.file_name()))?;
        } else if kind.is_symlink() {
            remove(&to)?;
            symlink(fs::read_link(&from)?, &to)?;
        } else {
            remove(&to)?;
            place(&from, &to, inner)?;
        }
    }
    Ok(())
}

/// Packages are many and nobody writes to them: they are linked. The rest is copied, so that no program spoils the layer.
fn place(from: &Path, to: &Path, folder: &Path) -> io::Result<()> {
    if folder.starts_with("opt") && fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    fs::copy(from, to).map(|_| ())
}

/// Removes what stands at a path, a link itself and not what it leads to.
fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    }
}

/// Copies a folder, links as links.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tar::{Builder, Header};

    fn layer(digest: &str, fill: impl FnOnce(&mut Builder<Vec<u8>>)) -> Blob {
        let mut builder = Builder::new(Vec::new());
        fill(&mut builder);
        let bytes = Arc::new(builder.into_inner().unwrap());
        Blob {
            digest: format!("sha256:{digest}"),
            media_type: "application/vnd.oci.image.layer.v1.tar".to_owned(),
            bytes,
        }
    }

    fn file(builder: &mut Builder<Vec<u8>>, path: &str, text: &str) {
        let mut header = Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        // Set as raw bytes: the crate itself writes no name that leads out.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        builder.append(&header, text.as_bytes()).unwrap();
    }

    fn link(builder: &mut Builder<Vec<u8>>, path: &str, to: &str) {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Symlink);
        header.set_size(0);
        builder.append_link(&mut header, path, to).unwrap();
    }

    fn laid(layers: &[Blob]) -> (TempDir, Result<PathBuf, String>) {
        let folder = TempDir::new().unwrap();
        let cache = Cache(folder.path().to_owned());
        let config = serde_json::json!({"config": {"Labels": {LABEL: "{}"}}});
        let content = Content { digest: String::new(), config, layers: layers.to_vec() };
        let python = Python { program: "/usr/bin/python3".into(), version: "3.11".to_owned() };
        let root = cache.root(&content, &python);
        (folder, root)
    }

    #[test]
    fn an_upper_layer_replaces_and_hides_what_lies_below() {
        let below = layer("a", |tar| {
            file(tar, "app/one.py", "1");
            file(tar, "app/two.py", "2");
            file(tar, "app/data/x", "x");
        });
        let middle = layer("b", |tar| {
            file(tar, "app/.wh.one.py", "");
            file(tar, "app/data/.wh..wh..opq", "");
            file(tar, "app/data/y", "y");
        });
        let above = layer("c", |tar| file(tar, "app/two.py", "zwei"));
        let (_folder, root) = laid(&[below, middle, above]);
        let app = root.unwrap().join("app");
        assert!(!app.join("one.py").exists());
        assert_eq!(fs::read_to_string(app.join("two.py")).unwrap(), "zwei");
        assert!(!app.join("data/x").exists() && app.join("data/y").exists());
    }

    #[test]
    fn nothing_is_written_outside() {
        for path in ["../evil", "/evil", "a/../../evil"] {
            let (folder, root) = laid(&[layer("a", |tar| file(tar, path, "evil"))]);
            assert!(root.is_err() || !Path::new("/evil").exists(), "{path}");
            assert!(!folder.path().join("evil").exists() && !folder.path().join("layers/evil").exists(), "{path}");
        }
        let (folder, root) = laid(&[layer("a", |tar| {
            link(tar, "out", "../../..");
            file(tar, "out/evil", "evil");
        })]);
        assert!(root.is_err() && !folder.path().join("evil").exists());
    }

    #[test]
    fn a_folder_over_a_link_takes_its_place() {
        let outside = TempDir::new().unwrap();
        let to = outside.path().to_str().unwrap().to_owned();
        let below = layer("a", |tar| link(tar, "app", &to));
        let above = layer("b", |tar| file(tar, "app/x", "x"));
        let (_folder, root) = laid(&[below, above]);
        assert!(root.unwrap().join("app/x").exists() && !outside.path().join("x").exists());
    }

    #[test]
    fn an_image_of_others_is_refused() {
        let folder = TempDir::new().unwrap();
        let content = Content { digest: String::new(), config: serde_json::json!({}), layers: Vec::new() };
        let python = Python { program: "/usr/bin/python3".into(), version: "3.11".to_owned() };
        assert!(Cache(folder.path().to_owned()).root(&content, &python).unwrap_err().contains("Fargateer built"));
    }
}
