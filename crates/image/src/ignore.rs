//! What of a folder is left out: our own list, then its `.dockerignore`, with Docker's meaning of patterns.
//!
//! Docker's, not git's: every pattern begins at the root of the context, the last one that fits decides, and what lies in a
//! folder that fits is left out with it.

use regex::Regex;

use crate::error::Error;

/// Never wanted in an image, unless the `.dockerignore` brings it back with `!`.
const BUILT_IN: &[&str] = &[
    "**/.git",
    "**/.hg",
    "**/.svn",
    "**/.venv",
    "**/venv",
    "**/__pycache__",
    "**/*.pyc",
    "**/.pytest_cache",
    "**/.mypy_cache",
    "**/.ruff_cache",
    "**/.tox",
    "**/*.egg-info",
    "**/node_modules",
    "**/.DS_Store",
    "**/.idea",
    "**/.vscode",
    "**/.terraform",
    ".fargateer",
    ".dockerignore",
    "Dockerfile",
    "Dockerfile.*",
];

/// The patterns of a context.
#[derive(Debug)]
pub(crate) struct Ignore(Vec<Pattern>);

#[derive(Debug)]
struct Pattern {
    expression: Regex,
    brings_back: bool,
}

impl Ignore {
    /// Our own list and the lines of a `.dockerignore`.
    pub(crate) fn new(dockerignore: &str) -> Result<Self, Error> {
        let lines = dockerignore.trim_start_matches('\u{feff}').lines();
        let patterns = BUILT_IN.iter().copied().chain(lines).filter_map(parsed);
        patterns.collect::<Result<_, _>>().map(Self)
    }

    /// Whether the file or folder at `path`, written with `/`, is left out.
    pub(crate) fn leaves_out(&self, path: &str) -> bool {
        let parents = path.match_indices('/').filter_map(|(end, _)| path.get(..end));
        let places: Vec<&str> = std::iter::once(path).chain(parents).collect();
        self.0.iter().fold(false, |out, pattern| {
            // Only what would change the verdict is asked.
            if out != pattern.brings_back || !places.iter().any(|place| pattern.expression.is_match(place)) {
                return out;
            }
            !out
        })
    }

    /// Whether something below a folder that is left out may be brought back, so that one has to look into it.
    pub(crate) fn may_bring_back(&self) -> bool {
        self.0.iter().any(|pattern| pattern.brings_back)
    }
}

/// A line, or nothing for a comment or an empty one.
fn parsed(line: &str) -> Option<Result<Pattern, Error>> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (brings_back, pattern) = match line.strip_prefix('!') {
        Some(rest) => (true, rest.trim()),
        None => (false, line),
    };
    let pattern = cleaned(pattern);
    if pattern.is_empty() {
        return None;
    }
    let fault = || Error::context(".dockerignore", format!("`{line}` is not a pattern"));
    Some(Regex::new(&expression(&pattern)).map(|expression| Pattern { expression, brings_back }).map_err(|_| fault()))
}

/// Without a `/` at the ends and without `.` and `..` parts, as Go's filepath.Clean has it.
fn cleaned(pattern: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// A pattern as a regular expression, the way moby's patternmatcher translates it.
fn expression(pattern: &str) -> String {
    let mut out = String::from("(?s)^");
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.peek() == Some(&'*') => {
                chars.next();
                if chars.peek() == Some(&'/') {
                    chars.next();
                }
                out.push_str(if chars.peek().is_none() { ".*" } else { "(.*/)?" });
            }
            '*' => out.push_str("[^/]*"),
            '?' => out.push_str("[^/]"),
            '\\' => out.extend(chars.next().map(|next| regex::escape(&next.to_string()))),
            '[' | ']' => out.push(c),
            '^' if out.ends_with('[') => out.push('^'),
            '-' => out.push('-'),
            _ => out.push_str(&regex::escape(&c.to_string())),
        }
    }
    out.push('$');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a `.dockerignore`, a path, and whether it is left out. The cases are Docker's documentation and moby's tests.
    const CASES: &[(&[&str], &str, bool)] = &[
        (&[], "agent.py", false),
        (&[], ".git/config", true),
        (&[], "pkg/__pycache__/a.cpython-311.pyc", true),
        (&[], "pkg/venv/bin/python", true),
        (&[], "Dockerfile", true),
        (&[], "pkg/Dockerfile", false),
        (&["!.git"], ".git/config", false),
        (&["# a comment", "", "notes.txt"], "notes.txt", true),
        (&["notes.txt"], "pkg/notes.txt", false),
        (&["**/notes.txt"], "a/b/notes.txt", true),
        (&["**/notes.txt"], "notes.txt", true),
        (&["*/temp*"], "somedir/temporary.txt", true),
        (&["*/temp*"], "somedir/temp/inside.txt", true),
        (&["*/temp*"], "a/b/temp", false),
        (&["temp?"], "tempa", true),
        (&["temp?"], "temp", false),
        (&["*"], "a/b.py", true),
        (&["*", "!a"], "a/b.py", false),
        (&["*", "!a/b.py"], "a/b.py", false),
        (&["*", "!a/b.py"], "a/c.py", true),
        (&["*.md", "!README.md"], "README.md", false),
        (&["*.md", "!README*.md", "README-secret.md"], "README-secret.md", true),
        (&["/docs/"], "docs/a.md", true),
        (&["./docs"], "docs/a.md", true),
        (&["docs/**"], "docs/a/b.md", true),
        (&["docs/**/x.md"], "docs/x.md", true),
        (&["docs/**/x.md"], "docs/a/b/x.md", true),
        (&["a[bc]d"], "acd", true),
        (&["a[^bc]d"], "acd", false),
        (&["a[^bc]d"], "axd", true),
        (&["a[b-d]e"], "ace", true),
        (&["a\\*b"], "a*b", true),
        (&["a\\*b"], "axb", false),
        (&["a.b"], "axb", false),
        (&["{a,b}"], "a", false),
        (&["{a,b}"], "{a,b}", true),
        (&["abc/../def"], "def", true),
        (&["  spaced.txt  "], "spaced.txt", true),
        (&["\u{feff}first.txt"], "first.txt", true),
        (&["déjà/*.txt"], "déjà/vu.txt", true),
    ];

    #[test]
    fn patterns_mean_what_docker_means_by_them() {
        for (lines, path, expected) in CASES {
            let ignore = Ignore::new(&lines.join("\n")).unwrap();
            assert_eq!(ignore.leaves_out(path), *expected, "{lines:?} {path}");
        }
    }

    #[test]
    fn a_pattern_that_is_none_is_told() {
        assert!(Ignore::new("a[b").unwrap_err().to_string().contains("`a[b` is not a pattern"));
    }
}
