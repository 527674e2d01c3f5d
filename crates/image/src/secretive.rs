//! Files that look like secrets: what must not stand in an image, where everybody who may pull reads it.
//!
//! By name and by content. A guess can be wrong: `allowSecretFiles` in the spec names what may pass.

use regex::bytes::RegexSet;
use std::sync::LazyLock;

/// Names of files that hold secrets whatever is in them.
const NAMES: &[&str] = &[
    ".env",
    ".envrc",
    ".netrc",
    ".pypirc",
    ".pgpass",
    ".git-credentials",
    ".htpasswd",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "credentials.json",
    "client_secret.json",
    "terraform.tfstate",
];
/// Endings of the same.
const ENDINGS: &[&str] = &[".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".ppk", ".tfvars"];
/// Folders whose files are the same.
const FOLDERS: &[&str] = &[".aws", ".ssh", ".gnupg", ".kube", ".docker"];
/// Names that say "I am an example".
const EXAMPLES: &[&str] = &["example", "sample", "template", "dist"];

/// What secrets look like inside, with the name each goes by.
const CONTENT: &[(&str, &str)] = &[
    ("a private key", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    ("an AWS access key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    ("a GitHub token", r"\bgh[pousr]_[A-Za-z0-9]{36}\b|\bgithub_pat_[A-Za-z0-9_]{60,}"),
    ("a Slack token", r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    ("an Anthropic API key", r"\bsk-ant-[A-Za-z0-9_-]{20,}"),
    ("an OpenAI API key", r"\bsk-(?:proj-)?[A-Za-z0-9_]{40,}"),
    ("a Google API key", r"\bAIza[0-9A-Za-z_-]{35}\b"),
];

static EXPRESSIONS: LazyLock<Option<RegexSet>> = LazyLock::new(|| {
    let patterns = CONTENT.iter().map(|(_, pattern)| pattern);
    // Constant expressions: a test compiles them.
    RegexSet::new(patterns).ok()
});

/// AWS's own example, which stands in every tutorial.
const DOCUMENTED: &[u8] = b"AKIAIOSFODNN7EXAMPLE";

/// Why the file at `path` looks like a secret by its name.
pub(crate) fn by_name(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = path.split('/').collect();
    let name = parts.pop().unwrap_or_default().to_lowercase();
    if EXAMPLES.iter().any(|word| name.ends_with(&format!(".{word}"))) {
        return None;
    }
    if let Some(folder) = parts.iter().find(|part| FOLDERS.contains(part)) {
        return Some(format!("lies in a folder {folder}"));
    }
    let named = NAMES.contains(&name.as_str()) || name.starts_with(".env.");
    let ends = ENDINGS.iter().any(|ending| name.ends_with(ending));
    (named || ends).then(|| "has the name of a file of secrets".to_owned())
}

/// What secret there seems to be in `bytes`.
pub(crate) fn by_content(bytes: &[u8]) -> Option<&'static str> {
    let found = EXPRESSIONS.as_ref()?.matches(bytes);
    let (name, _) = found.iter().next().and_then(|index| CONTENT.get(index))?;
    let only_documented = *name == "an AWS access key" && {
        let text = String::from_utf8_lossy(bytes).replace(&*String::from_utf8_lossy(DOCUMENTED), "");
        EXPRESSIONS.as_ref().is_some_and(|set| !set.is_match(text.as_bytes()))
    };
    (!only_documented).then_some(*name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expressions_compile() {
        assert!(EXPRESSIONS.is_some());
    }

    #[test]
    fn names_of_secrets_are_known() {
        for path in [".env", "conf/.env.production", "id_rsa", "a/key.P12", ".aws/credentials", "terraform.tfstate"] {
            assert!(by_name(path).is_some(), "{path}");
        }
        for path in [".env.example", "agent.py", "environment.py", "cert.pem", "keys.py", "aws/client.py"] {
            assert!(by_name(path).is_none(), "{path}");
        }
    }

    #[test]
    fn contents_of_secrets_are_known() {
        let key = format!("-----BEGIN RSA {} KEY-----", "PRIVATE");
        assert_eq!(by_content(key.as_bytes()), Some("a private key"));
        assert_eq!(by_content(b"key = 'AKIA0123456789ABCDEF'"), Some("an AWS access key"));
        assert_eq!(by_content(b"key = 'AKIAIOSFODNN7EXAMPLE'"), None);
        assert_eq!(by_content(b"-----BEGIN CERTIFICATE-----"), None);
        assert_eq!(by_content(b"def agent(): ..."), None);
    }
}
