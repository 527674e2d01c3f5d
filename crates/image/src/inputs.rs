//! What an image is made of, and the tag that follows from it: the same inputs are the same tag, before anything is built.
//!
//! Two steps, so that an image can move to another base without its sources: first everything but the base, then both.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::context::Entry;
use crate::hash;

/// The version of how images are laid out. Another one is another tag for every image.
pub(crate) const LAYOUT: u32 = 1;
/// So many digits of a hash stand in a tag: a tag must not be too long for people, nor short enough to meet another.
const DIGITS: usize = 40;

/// What of an image does not depend on its base, and is remembered in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    /// The version of the layout.
    pub(crate) layout: u32,
    /// `3.11`.
    pub(crate) python: String,
    /// The key of the requirements.
    pub(crate) requirements: String,
    /// The version of the runtime.
    pub(crate) runtime: String,
    /// Digest over the files of the context.
    pub(crate) code: String,
    /// The `module:symbol` to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) entrypoint: Option<String>,
    /// Labels of the caller's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
}

/// Digest over the entries of a context.
pub(crate) fn code(entries: &[Entry]) -> String {
    hash::of(hash::canonical(&json!(entries)).as_bytes())
}

/// The tag of an image of `settings` on the base called `name` with the digest `base`.
pub(crate) fn tag(settings: &Settings, name: &str, base: &str) -> String {
    let inputs = json!({"settings": settings, "base": base, "baseName": name});
    tagged("b", &hash::of(hash::canonical(&inputs).as_bytes()))
}

/// A tag with the first digits of `digest`.
pub(crate) fn tagged(letter: &str, digest: &str) -> String {
    let digits: String = digest.trim_start_matches("sha256:").chars().take(DIGITS).collect();
    format!("{letter}-{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::EntryKind;

    fn settings() -> Settings {
        Settings {
            layout: LAYOUT,
            python: "3.11".to_owned(),
            requirements: "r".to_owned(),
            runtime: "u".to_owned(),
            code: "c".to_owned(),
            entrypoint: None,
            labels: BTreeMap::new(),
        }
    }

    #[test]
    fn the_tag_changes_with_each_input_and_with_nothing_else() {
        let before = tag(&settings(), "base", "digest");
        assert_eq!(before, tag(&settings(), "base", "digest"));
        assert_eq!(before.len(), 42);
        let changes: [fn(&mut Settings); 7] = [
            |settings| settings.layout = 2,
            |settings| settings.python = "3.12".to_owned(),
            |settings| settings.requirements = "x".to_owned(),
            |settings| settings.runtime = "x".to_owned(),
            |settings| settings.code = "x".to_owned(),
            |settings| settings.entrypoint = Some("a:b".to_owned()),
            |settings| drop(settings.labels.insert("a".to_owned(), "b".to_owned())),
        ];
        for change in changes {
            let mut other = settings();
            change(&mut other);
            assert_ne!(tag(&other, "base", "digest"), before, "{other:?}");
        }
        assert_ne!(tag(&settings(), "base", "other"), before);
        assert_ne!(tag(&settings(), "other", "digest"), before);
    }

    #[test]
    fn code_is_names_bytes_and_who_may_run_it() {
        let entry = |path: &str, digest: &str, executable| Entry {
            path: path.to_owned(),
            kind: EntryKind::File { digest: digest.to_owned(), size: 1, executable },
        };
        let before = code(&[entry("a", "1", false)]);
        let others = [entry("b", "1", false), entry("a", "2", false), entry("a", "1", true)];
        assert!(others.into_iter().all(|other| code(&[other]) != before));
    }
}
