//! What a build builds from: an archive in S3.

use super::run::Fault;
use crate::input::Members;
use crate::s3;
use crate::state::Region;
use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use zip::ZipArchive;

/// The most bytes a file of a source has that anybody here looks into.
const MOST: u64 = 1024 * 1024;

/// The files of the archive, each as far as it is looked into.
pub(super) fn fetch(region: &Region, id: &str) -> Result<BTreeMap<String, Vec<u8>>, Fault> {
    let build = region.codebuild.builds.get(id);
    let source = build.and_then(|build| build.body.get("source")).cloned().unwrap_or_default();
    if source.text("type") != Some("S3") {
        return Err(("CLIENT_ERROR", "sources other than S3 are not simulated".to_owned()));
    }
    let location = source.text("location").unwrap_or_default();
    let (bucket, key) = location.split_once('/').unwrap_or((location, ""));
    let Some(bytes) = s3::read(region, bucket, key) else {
        let code = if region.s3.buckets.contains_key(bucket) { "NoSuchKey" } else { "NoSuchBucket" };
        return Err(("CLIENT_ERROR", format!("{code}: status code: 404 for primary source {location}")));
    };
    unpack(&bytes).map_err(|problem| ("CLIENT_ERROR", format!("zip: {problem} for primary source {location}")))
}

fn unpack(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, zip::result::ZipError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    let mut files = BTreeMap::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
        let mut content = Vec::new();
        (&mut entry).take(MOST).read_to_end(&mut content)?;
        files.insert(name, content);
    }
    Ok(files)
}
