//! Archives of agents' code, unpacked: nothing of one gets out of its folder, and none may be larger than a context.
//!
//! Links are made last, so that no file is written through one. What else a context may not be is found when it is read.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Seek as _, SeekFrom};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use fargateer_api::spec::Packing;
use flate2::read::MultiGzDecoder;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::context::Limits;
use crate::error::Error;

/// The longest target of a link, in bytes (Linux, PATH_MAX).
const TARGET: u64 = 4096;
/// What an archive may hold beside files' bytes, for each file: its header, its padding, a long name.
const AROUND: u64 = 4096;
/// The part of a file's mode that says what kind of file it is, and its value for a link.
const KIND: u32 = 0o170_000;
const LINK: u32 = 0o120_000;

/// Unpacks `file` into the folder `into`. Blocks.
pub(crate) fn unpack(file: &Path, packing: Packing, into: &Path, limits: Limits) -> Result<(), Error> {
    let unpacking = Unpacking { into, limits, bytes: 0, names: BTreeSet::new(), links: Vec::new() };
    match packing {
        Packing::Zip => unpacking.zip(file),
        Packing::TarGz => unpacking.tar(file),
    }
}

/// An archive on its way into a folder.
struct Unpacking<'a> {
    into: &'a Path,
    limits: Limits,
    bytes: u64,
    names: BTreeSet<String>,
    /// Where links are to be, and what they point to.
    links: Vec<(String, String)>,
}

impl Unpacking<'_> {
    fn zip(mut self, path: &Path) -> Result<(), Error> {
        let mut file = File::open(path).map_err(|error| Error::local(path, error))?;
        let count = entries(&mut file).map_err(|error| Error::local(path, error))?;
        // Whoever has more of them writes their number elsewhere, and this one instead.
        if count.is_some_and(|count| count == usize::from(u16::MAX) || count > self.limits.files) {
            return Err(self.too_large());
        }
        let mut archive = ZipArchive::new(file).map_err(|error| not_one(Packing::Zip, &error))?;
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(|error| unreadable(&error))?;
            let name = utf8(entry.name_raw().to_vec())?;
            let mode = entry.unix_mode().unwrap_or_default();
            if entry.is_dir() {
                folder(&name)?;
            } else if mode & KIND == LINK {
                let mut target = String::new();
                let read = (&mut entry).take(TARGET).read_to_string(&mut target);
                read.map_err(|error| Error::context(&name, error))?;
                self.link(&name, target)?;
            } else {
                self.file(&name, &mut entry, mode & 0o111 != 0)?;
            }
        }
        self.finish()
    }

    fn tar(mut self, path: &Path) -> Result<(), Error> {
        let file = File::open(path).map_err(|error| Error::local(path, error))?;
        let most = self.limits.bytes.saturating_add(self.limits.files as u64 * AROUND);
        let mut archive = tar::Archive::new(MultiGzDecoder::new(io::BufReader::new(file)).take(most));
        let broken = |error: io::Error| not_one(Packing::TarGz, &error);
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            let name = utf8(entry.path_bytes().into_owned())?;
            let kind = entry.header().entry_type();
            if kind.is_dir() {
                folder(&name)?;
            } else if kind.is_symlink() {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                let target = String::from_utf8(target);
                self.link(&name, target.map_err(|_| Error::context(&name, "links to a name that is not UTF-8"))?)?;
            } else if kind.is_file() || kind.is_contiguous() {
                let executable = entry.header().mode().unwrap_or_default() & 0o111 != 0;
                self.file(&name, &mut entry, executable)?;
            } else if kind.is_hard_link() {
                let hint = "pack with `tar --hard-dereference`, or as a .zip";
                return Err(Error::context(name, "a hard link").hinted(hint));
            } else if !kind.is_pax_global_extensions() {
                return Err(Error::context(name, "neither a file, a folder nor a symbolic link"));
            }
        }
        // What was cut off ends like an archive that is whole.
        if archive.into_inner().limit() == 0 {
            return Err(self.too_large());
        }
        self.finish()
    }

    /// The same for what may be there once only.
    fn fresh(&mut self, name: &str) -> Result<String, Error> {
        let path = path(name)?;
        if path.is_empty() {
            return Err(Error::context(name.escape_debug(), "an entry without a name"));
        }
        if !self.names.insert(path.clone()) {
            return Err(Error::context(path, "is in the archive twice"));
        }
        if self.names.len() > self.limits.files {
            return Err(self.too_large());
        }
        Ok(path)
    }

    fn file(&mut self, name: &str, content: &mut dyn Read, executable: bool) -> Result<(), Error> {
        let path = self.fresh(name)?;
        let place = self.into.join(&path);
        let fault = |error: io::Error| Error::context(&path, error);
        place.parent().map_or(Ok(()), fs::create_dir_all).map_err(fault)?;
        let mut file = File::options().write(true).create_new(true).open(&place).map_err(fault)?;
        let left = self.limits.bytes.saturating_sub(self.bytes);
        // One byte more tells too large from just large enough.
        self.bytes += io::copy(&mut content.take(left.saturating_add(1)), &mut file).map_err(fault)?;
        if self.bytes > self.limits.bytes {
            return Err(self.too_large());
        }
        let mode = if executable { 0o755 } else { 0o644 };
        file.set_permissions(Permissions::from_mode(mode)).map_err(fault)
    }

    fn link(&mut self, name: &str, target: String) -> Result<(), Error> {
        let path = self.fresh(name)?;
        self.links.push((path, target));
        Ok(())
    }

    /// Makes the links. Whether they lead out, whoever reads the context says.
    fn finish(self) -> Result<(), Error> {
        for (path, target) in &self.links {
            let place = self.into.join(path);
            let fault = |error: io::Error| Error::context(path, error);
            // Where a link is above it, it would be made elsewhere.
            let above = path.match_indices('/').filter_map(|(end, _)| path.get(..end));
            if above.into_iter().any(|above| self.into.join(above).is_symlink()) {
                return Err(Error::context(path, "lies in what is a link"));
            }
            place.parent().map_or(Ok(()), fs::create_dir_all).map_err(fault)?;
            symlink(target, &place).map_err(fault)?;
        }
        Ok(())
    }

    fn too_large(&self) -> Error {
        let Limits { bytes, files } = self.limits;
        let problem = format!("unpacked more than {} MiB or {files} files", bytes / (1024 * 1024));
        Error::context("archive", problem).hinted("pack only what the agent needs when it runs")
    }
}

/// Where the entry `name` goes, without anything that has no meaning. Empty for the folder of all.
fn path(name: &str) -> Result<String, Error> {
    let shown = name.escape_debug();
    if name.starts_with('/') || name.contains('\\') || name.chars().any(char::is_control) {
        let problem = "not a relative path with `/` between its parts";
        return Err(Error::context(shown, problem));
    }
    let parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return Err(Error::context(shown, "leads out of the archive").hinted("pack the folder of the code itself"));
    }
    Ok(parts.join("/"))
}

/// Folders are made for the files in them; an empty one means nothing.
fn folder(name: &str) -> Result<(), Error> {
    path(name).map(drop)
}

/// How many entries a zip says it has, at its end (APPNOTE.TXT, 4.3.16); none where it says nothing.
fn entries(file: &mut File) -> io::Result<Option<usize>> {
    const RECORD: usize = 22;
    let length = file.seek(SeekFrom::End(0))?;
    let from = length.saturating_sub(RECORD as u64 + u64::from(u16::MAX));
    file.seek(SeekFrom::Start(from))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    file.rewind()?;
    let found = end.windows(RECORD).rev().find(|record| record.starts_with(b"PK\x05\x06"));
    let count = found.and_then(|record| record.get(10..12)?.try_into().ok());
    Ok(count.map(|count| usize::from(u16::from_le_bytes(count))))
}

fn utf8(name: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(name).map_err(|error| {
        Error::context(String::from_utf8_lossy(error.as_bytes()).escape_debug(), "the name is not UTF-8")
    })
}

fn not_one(packing: Packing, error: &dyn std::error::Error) -> Error {
    let (kind, hint) = match packing {
        Packing::Zip => ("zip", "its key ends in .zip; pack with `zip -r code.zip .` in the folder of the code"),
        Packing::TarGz => (".tar.gz", "pack with `tar -czf code.tar.gz .` in the folder of the code"),
    };
    Error::context("archive", format!("not a {kind} archive: {error}")).hinted(hint)
}

/// An entry that cannot be read, as one with a password.
fn unreadable(error: &ZipError) -> Error {
    Error::context("archive", format!("an entry cannot be read: {error}"))
        .hinted("pack it without a password, deflated or stored")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::error::Cause;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write as _;
    use tar::EntryType;
    use tempfile::TempDir;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    /// A zip with these entries; one whose name ends in `@` is a link to its content.
    pub(crate) fn zipped(entries: &[(&str, &str)]) -> Vec<u8> {
        let mut zip = ZipWriter::new(io::Cursor::new(Vec::new()));
        for (name, content) in entries {
            if let Some(name) = name.strip_suffix('@') {
                zip.add_symlink(name, *content, SimpleFileOptions::default()).unwrap();
            } else {
                zip.start_file(*name, SimpleFileOptions::default()).unwrap();
                zip.write_all(content.as_bytes()).unwrap();
            }
        }
        zip.finish().unwrap().into_inner()
    }

    fn tarred(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
        for (name, kind, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o755);
            let is_link = [EntryType::Symlink, EntryType::Link].contains(kind);
            header.set_size(if is_link { 0 } else { content.len() as u64 });
            // Names that the library would refuse to write.
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            if is_link {
                header.set_link_name_literal(content).unwrap();
            }
            header.set_cksum();
            archive.append(&header, if is_link { &[][..] } else { content.as_bytes() }).unwrap();
        }
        archive.into_inner().unwrap().finish().unwrap()
    }

    fn unpacked(bytes: &[u8], packing: Packing, limits: Limits) -> Result<TempDir, Error> {
        let (home, into) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let file = home.path().join("archive");
        fs::write(&file, bytes).unwrap();
        unpack(&file, packing, into.path(), limits).map(|()| into)
    }

    fn refused(bytes: &[u8], packing: Packing) -> String {
        let limits = Limits { bytes: 1000, files: 3 };
        let error = unpacked(bytes, packing, limits).unwrap_err();
        assert_eq!(error.cause, Cause::ContextInvalid, "{error}");
        error.to_string()
    }

    #[test]
    fn files_folders_and_links_are_unpacked_from_either_kind() {
        let zip = zipped(&[("./a/b.py", "1"), ("a/c@", "b.py"), ("d/", "")]);
        let tar = tarred(&[
            ("./", EntryType::Directory, ""),
            ("./a/b.py", EntryType::Regular, "1"),
            ("a/c", EntryType::Symlink, "b.py"),
        ]);
        for (bytes, packing) in [(zip, Packing::Zip), (tar, Packing::TarGz)] {
            let folder = unpacked(&bytes, packing, Limits::default()).unwrap();
            assert_eq!(fs::read_to_string(folder.path().join("a/c")).unwrap(), "1", "{packing:?}");
            assert_eq!(fs::read_link(folder.path().join("a/c")).unwrap(), Path::new("b.py"));
        }
    }

    #[test]
    fn nothing_gets_out_of_the_folder() {
        for name in ["../x", "a/../../x", "/etc/x", "a\\..\\x"] {
            let said = refused(&tarred(&[(name, EntryType::Regular, "1")]), Packing::TarGz);
            assert!(said.contains("leads out") || said.contains("not a relative path"), "{name}: {said}");
            let said = refused(&zipped(&[(name, "1")]), Packing::Zip);
            assert!(said.contains("leads out") || said.contains("not a relative path"), "{name}: {said}");
        }
        let outside = TempDir::new().unwrap();
        let target = outside.path().to_str().unwrap();
        let through = tarred(&[("a", EntryType::Symlink, target), ("a/x", EntryType::Regular, "1")]);
        refused(&through, Packing::TarGz);
        refused(&zipped(&[("a@", target), ("a/x@", "y")]), Packing::Zip);
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_larger_than_it_looks_is_refused() {
        let bomb = "0".repeat(2000);
        assert!(refused(&zipped(&[("a", &bomb)]), Packing::Zip).contains("unpacked more than"));
        assert!(refused(&tarred(&[("a", EntryType::Regular, &bomb)]), Packing::TarGz).contains("unpacked more than"));
        let many = [("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")];
        assert!(refused(&zipped(&many), Packing::Zip).contains("3 files"));
        let many = many.map(|(name, content)| (name, EntryType::Regular, content));
        assert!(refused(&tarred(&many), Packing::TarGz).contains("3 files"));
        let huge = "0".repeat(20_000);
        assert!(refused(&tarred(&[("a", EntryType::Regular, &huge)]), Packing::TarGz).contains("unpacked more than"));
    }

    #[test]
    fn what_is_no_archive_or_holds_odd_things_is_told() {
        assert!(refused(b"hello", Packing::Zip).contains("not a zip archive"));
        assert!(refused(b"hello", Packing::TarGz).contains("not a .tar.gz archive"));
        let hard = tarred(&[("a", EntryType::Regular, "1"), ("b", EntryType::Link, "a")]);
        assert!(refused(&hard, Packing::TarGz).contains("b: a hard link"));
        assert!(refused(&tarred(&[("a", EntryType::Fifo, "")]), Packing::TarGz).contains("neither a file"));
        let twice = tarred(&[("a", EntryType::Regular, "1"), ("./a", EntryType::Regular, "2")]);
        assert!(refused(&twice, Packing::TarGz).contains("a: is in the archive twice"));
        let cut = zipped(&[("a", "1")]);
        assert!(refused(&cut[..cut.len() - 30], Packing::Zip).contains("not a zip archive"));
    }
}
