//! Unpacked wheels become a virtual environment in a layer: made by hand, because the Python it is for is in the base image
//! and not here.
//!
//! What uv writes about this machine into it - the path of an interpreter in scripts, their hashes in RECORD - is replaced
//! by what is true in the image, so that the same wheels are the same bytes wherever they were unpacked.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use walkdir::WalkDir;

use crate::error::Error;
use crate::hash;
use crate::layer::{Files, Source};

/// The virtual environment of an image.
pub(crate) const VENV: &str = "opt/agent/venv";
/// The Python of a base image.
const PYTHON: &str = "/usr/local/bin/python3";
/// What uv leaves in the folder that belongs to no package.
const LEFTOVERS: [&str; 3] = [".lock", ".gitignore", "CACHEDIR.TAG"];

/// A package that is installed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Package {
    /// Its name, as its author writes it.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// Its licence, as an SPDX expression or in its author's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) license: Option<String>,
}

/// The environment with the wheels that were unpacked into `folder`, and which packages they are. Blocks.
pub(crate) fn collect(folder: &Path, python: &str) -> Result<(Files, Vec<Package>), Error> {
    let mut files = skeleton(python);
    let mut packages = Vec::new();
    if !folder.is_dir() {
        return Ok((files, packages));
    }
    let scripts = scripts(&folder.join("bin"))?;
    for entry in WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.map_err(|error| Error::local(folder, error))?;
        let Ok(path) = entry.path().strip_prefix(folder) else { continue };
        let Some(path) = path.to_str() else { return Err(Error::local(entry.path(), "the name is not UTF-8")) };
        let skipped = path.starts_with("bin/") || path.contains("__pycache__/") || LEFTOVERS.contains(&path);
        if skipped || !entry.file_type().is_file() {
            continue;
        }
        let place = format!("{VENV}/lib/python{python}/site-packages/{path}");
        if path.ends_with(".dist-info/RECORD") {
            let text = read(entry.path())?;
            files.text(place, record(&String::from_utf8_lossy(&text), &scripts));
            continue;
        }
        if path.ends_with(".dist-info/METADATA") {
            packages.extend(package(&String::from_utf8_lossy(&read(entry.path())?)));
        }
        let metadata = entry.metadata().map_err(|error| Error::local(entry.path(), error))?;
        let executable = metadata.permissions().mode() & 0o100 != 0;
        files.put(place, Source::Disk { path: entry.path().to_owned(), executable, digest: None });
    }
    for (name, bytes) in scripts {
        files.put(format!("{VENV}/bin/{name}"), Source::Bytes { bytes, executable: true });
    }
    packages.sort();
    Ok((files, packages))
}

/// A virtual environment with nothing in it.
fn skeleton(python: &str) -> Files {
    let mut files = Files::default();
    let home = PYTHON.rsplit_once('/').map_or("/", |(folder, _)| folder);
    let settings = format!("home = {home}\ninclude-system-site-packages = false\nversion = {python}\n");
    files.text(format!("{VENV}/pyvenv.cfg"), settings);
    files.put(format!("{VENV}/bin/python"), Source::Link(PYTHON.to_owned()));
    files.put(format!("{VENV}/bin/python3"), Source::Link("python".to_owned()));
    files.text(format!("{VENV}/lib/python{python}/site-packages/_fargateer.pth"), "");
    files
}

/// Programs of packages by name, made to run with the environment's own Python.
fn scripts(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let mut found = BTreeMap::new();
    if !folder.is_dir() {
        return Ok(found);
    }
    for entry in fs::read_dir(folder).map_err(|error| Error::local(folder, error))? {
        let path = entry.map_err(|error| Error::local(folder, error))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if path.is_file() {
            found.insert(name.to_owned(), interpreted(read(&path)?));
        }
    }
    Ok(found)
}

/// A script whose first line names this machine's Python names the image's.
fn interpreted(bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (first, rest) = bytes.split_at(end);
    if !first.starts_with(b"#!") || !String::from_utf8_lossy(first).contains("python") {
        return bytes;
    }
    [format!("#!/{VENV}/bin/python").as_bytes(), rest].concat()
}

/// What a package says of its files, with its programs where they are now, in order.
fn record(text: &str, scripts: &BTreeMap<String, Vec<u8>>) -> String {
    let line = |line: &str| {
        let path = line.split(',').next().unwrap_or_default();
        let script = path
            .rsplit_once("bin/")
            .and_then(|(before, name)| before.chars().all(|c| "./".contains(c)).then_some(name));
        match script.and_then(|name| Some((name, scripts.get(name)?))) {
            Some((name, bytes)) => {
                let digest = URL_SAFE_NO_PAD.encode(hash::raw(bytes));
                format!("../../../bin/{name},sha256={digest},{}", bytes.len())
            }
            None => line.to_owned(),
        }
    };
    let mut lines: Vec<String> = text.lines().map(line).collect();
    lines.sort();
    lines.join("\n") + "\n"
}

/// The package that a METADATA speaks of.
fn package(metadata: &str) -> Option<Package> {
    let head = metadata.split("\n\n").next().unwrap_or_default();
    let field = |name: &str| {
        let found = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        found.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty() && value != "UNKNOWN")
    };
    // Some put the whole text of a licence there.
    let license = field("License-Expression").or_else(|| field("License")).filter(|text| text.len() <= 80);
    Some(Package { name: field("Name")?, version: field("Version")?, license })
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|error| Error::local(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_names_the_python_of_the_image() {
        let script = interpreted(b"#!/home/somebody/.venv/bin/python3.11\nimport x\n".to_vec());
        assert_eq!(script, b"#!/opt/agent/venv/bin/python\nimport x\n");
        let shell = b"#!/bin/sh\necho\n".to_vec();
        assert_eq!(interpreted(shell.clone()), shell);
        assert_eq!(interpreted(b"\x7fELF".to_vec()), b"\x7fELF");
    }

    #[test]
    fn a_record_tells_of_scripts_where_and_what_they_are_now() {
        let scripts = BTreeMap::from([("run".to_owned(), b"abc".to_vec())]);
        let text = "pkg/z.py,sha256=x,1\nbin/run,sha256=old,99\npkg/bin/run,sha256=y,2\n";
        let expected = "../../../bin/run,sha256=ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0,3\npkg/bin/run,sha256=y,2\npkg/z.py,sha256=x,1\n";
        assert_eq!(record(text, &scripts), expected);
    }

    #[test]
    fn a_package_is_known_by_its_metadata() {
        let text = "Metadata-Version: 2.4\nName: idna\nVersion: 3.20\nLicense-Expression: BSD-3-Clause\n\nName: body\n";
        let expected =
            Package { name: "idna".to_owned(), version: "3.20".to_owned(), license: Some("BSD-3-Clause".to_owned()) };
        assert_eq!(package(text), Some(expected));
    }
}
