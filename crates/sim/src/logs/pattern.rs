//! Filter patterns of log events: words, `"phrases"`, `?either`, `-not`, and in braces conditions on the fields of JSON.
//!
//! CloudWatch Logs user guide, "Filter pattern syntax". Patterns over space-delimited fields are not simulated: they match
//! nothing but their own text.

use super::field_pattern::{self, Condition};

/// A pattern, read.
#[derive(Debug, Default)]
pub(super) struct Pattern {
    fields: Option<Condition>,
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Self {
        let mut pattern = Self::default();
        let braced = text.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        pattern.fields = braced.and_then(field_pattern::parse);
        if pattern.fields.is_some() {
            return pattern;
        }
        for (sign, term) in terms(text) {
            match sign {
                Some('?') => pattern.any.push(term),
                Some(_) => pattern.none.push(term),
                None => pattern.all.push(term),
            }
        }
        pattern
    }

    /// Whether a line has all of the words, one of the alternatives, and none of those excluded. Beside plain words the
    /// alternatives count for nothing, as in CloudWatch Logs.
    pub(super) fn matches(&self, line: &str) -> bool {
        if let Some(condition) = &self.fields {
            return serde_json::from_str(line).is_ok_and(|event| condition.meets(&event));
        }
        let has = |term: &String| line.contains(term.as_str());
        let any = self.any.is_empty() || !self.all.is_empty() || self.any.iter().any(has);
        self.all.iter().all(has) && any && !self.none.iter().any(has)
    }
}

/// The terms of a pattern, each with its sign. A phrase in quotes is one term.
fn terms(text: &str) -> Vec<(Option<char>, String)> {
    let mut terms = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let sign = rest.chars().next().filter(|c| matches!(c, '?' | '-') && rest.len() > 1);
        let bare = if sign.is_some() { rest.get(1..).unwrap_or_default() } else { rest };
        let (term, after) = match bare.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => bare.split_once(char::is_whitespace).unwrap_or((bare, "")),
        };
        terms.push((sign, term.to_owned()));
        rest = after.trim_start();
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn words_phrases_alternatives_and_exclusions() {
        let line = "ERROR disk full on node 7";
        for (pattern, expected) in [
            ("", true),
            ("ERROR node", true),
            ("ERROR memory", false),
            ("\"disk full\"", true),
            ("\"full disk\"", false),
            ("?memory ?disk", true),
            ("?memory ?cpu", false),
            ("ERROR -full", false),
            ("ERROR -empty", true),
        ] {
            assert_eq!(Pattern::parse(pattern).matches(line), expected, "{pattern}");
        }
    }
}
