//! The runtime: the program that serves an agent in its container. It belongs to the product, and is a layer of its own, so
//! that a new one replaces no other bytes of an image.

use serde_json::json;

use crate::hash;
use crate::layer::Files;

/// Its files by name, made by the build script.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/runtime.rs"));
/// The folder of the agent in its image.
pub(crate) const HOME: &str = "app";
/// The program.
pub(crate) const PROGRAM: &str = "agent_server.py";

/// What it imports that no Python brings along. Whichever versions the agent's own requirements allow.
pub(crate) const NEEDS: [&str; 2] = ["starlette", "uvicorn"];

/// What tells this runtime from any other: the digest of its files.
pub fn version() -> String {
    let files = FILES.iter().map(|(name, bytes)| json!({"path": name, "digest": hash::of(bytes)}));
    hash::of(hash::canonical(&files.collect()).as_bytes())
}

/// Its layer.
pub(crate) fn files() -> Files {
    let mut files = Files::default();
    for (name, bytes) in FILES {
        files.text(format!("{HOME}/{name}"), *bytes);
    }
    files
}

/// The whole runtime as one Python file, for a Dockerfile that copies nothing else: the program, then the package's modules
/// in comment lines, from which it imports them.
pub fn bundle() -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let program = FILES.iter().find(|(name, _)| *name == PROGRAM);
    let mut bundle = program.map(|(_, bytes)| text(bytes)).unwrap_or_default();
    bundle.push('\n');
    for (name, bytes) in FILES.iter().filter(|(name, _)| *name != PROGRAM) {
        let module = name.trim_end_matches(".py").replace('/', ".");
        let module = module.trim_end_matches(".__init__");
        bundle.extend(["#: module ", module, "\n"]);
        for line in text(bytes).lines() {
            bundle.push_str(format!("#| {line}").trim_end());
            bundle.push('\n');
        }
    }
    bundle
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_embedded_and_stands_first_in_the_bundle() {
        let (_, program) = FILES.iter().find(|(name, _)| *name == PROGRAM).unwrap();
        assert!(!program.is_empty());
        assert!(bundle().as_bytes().starts_with(program));
        assert_eq!(version(), version());
    }
}
