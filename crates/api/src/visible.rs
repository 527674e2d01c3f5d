//! Texts of others made fit to be shown: on one line, no longer than anybody reads, nothing that acts on a screen.

use std::fmt::Write as _;

/// Whether a string of a spec may not contain this character: it acts on a screen instead of showing on it.
///
/// Beside C0 and C1 these are Unicode's line separators and byte order mark, and the marks that turn the direction of
/// text, so that a line reads as something else than it says.
pub(crate) fn is_control(character: char) -> bool {
    let plain = character.is_control() && !matches!(character, '\t' | '\n' | '\r');
    let direction =
        matches!(character, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    plain || direction || matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// The text on one line and harmless to a screen: what acts on one is written out, as in `\u{1b}`.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_control(character) || matches!(character, '\t' | '\n' | '\r') {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The same of a text of several lines: its line feeds stay.
pub fn visible_lines(text: &str) -> String {
    text.split('\n').map(visible).collect::<Vec<_>>().join("\n")
}

/// A JSON document with what acts on a screen written as JSON escapes it: it reads as the same document.
///
/// JSON itself lets everything but C0 stand raw in a string; outside of strings it allows none of these characters.
pub fn visible_json(document: &str) -> String {
    let mut shown = String::with_capacity(document.len());
    for character in document.chars() {
        if is_control(character) {
            let _ = write!(shown, "\\u{:04x}", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The first characters of a text that is longer than anybody reads.
pub(crate) fn shorten(text: String, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_a_text_stay_lines() {
        assert_eq!(visible_lines("a\u{1b}\nb\r\n\n"), "a\\u{1b}\nb\\r\n\n");
        assert_eq!(visible_lines(""), "");
    }

    #[test]
    fn json_with_what_acts_on_a_screen_reads_as_the_same_json() {
        let value = serde_json::json!({"a\u{9b}": ["\u{202e}b", "\u{1b}\u{7f}", "ä\n"]});
        let shown = visible_json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(shown.contains(r"a\u009b") && shown.contains(r"\u202eb") && shown.contains('ä'), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }

    #[test]
    fn what_acts_on_a_screen_is_written_out_and_letters_are_not() {
        assert_eq!(visible("ä\u{1b}[2J\n\t\u{202e}\u{2028}\u{9b}"), "ä\\u{1b}[2J\\n\\t\\u{202e}\\u{2028}\\u{9b}");
        assert_eq!(shorten("äöü".to_owned(), 2), "äö...");
        assert_eq!(shorten("äö".to_owned(), 2), "äö");
    }
}
