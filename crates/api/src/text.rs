//! A file as raw text: its documents, its places and the characters nobody should hide in it.

use crate::{outline::Place, visible::is_control};

/// More control characters of a document nobody wants to be told.
const MOST_CONTROLS: usize = 10;

/// The documents of a file, each with the number of its first line.
///
/// YAML forbids a line that begins with `---` inside a document, quoted or not; so no parser is needed to cut there.
pub(crate) fn split(text: &str) -> Vec<(usize, &str)> {
    let mut documents = Vec::new();
    let (mut first_line, mut start, mut offset) = (1, 0, 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let rest = line.strip_prefix("---");
        if offset > start && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace)) {
            documents.push((first_line, &text[start..offset]));
            (first_line, start) = (index + 1, offset);
        }
        offset += line.len();
    }
    documents.push((first_line, &text[start..]));
    documents
}

/// The control characters of a document (not tab and line breaks), at most ten of them.
///
/// A carriage return alone is one of them: some readers begin a new line there, others (and most screens) do not.
pub(crate) fn controls(document: &str, first_line: usize) -> Vec<(Place, char)> {
    let mut found = Vec::new();
    let mut place = Place { line: first_line, column: 1 };
    let mut characters = document.chars().peekable();
    while let Some(character) = characters.next() {
        let alone = character == '\r' && characters.peek() != Some(&'\n');
        if alone || is_control(character) {
            found.push((place, character));
        }
        if found.len() == MOST_CONTROLS {
            break;
        }
        place = after(place, character);
    }
    found
}

/// The place after the last character.
pub(crate) fn end(text: &str) -> Place {
    text.chars().fold(Place { line: 1, column: 1 }, after)
}

fn after(place: Place, character: char) -> Place {
    if character == '\n' {
        Place { line: place.line + 1, column: 1 }
    } else {
        Place { column: place.column + 1, ..place }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_cut_at_its_document_lines_and_nowhere_else() {
        let file = "a: 1\n--- # two\nb: |\n  ---\n---x: 1\n---\n";
        assert_eq!(split(file), [(1, "a: 1\n"), (2, "--- # two\nb: |\n  ---\n---x: 1\n"), (6, "---\n")]);
        assert_eq!(split("---\na: 1\n"), [(1, "---\na: 1\n")]);
        assert_eq!(split(""), [(1, "")]);
    }

    #[test]
    fn control_characters_are_found_where_they_stand() {
        let found = controls("a: 1\nb: x\u{1b}[31m\n", 7);
        assert_eq!(found, [(Place { line: 8, column: 5 }, '\u{1b}')]);
        assert_eq!(controls("tab\t and\r\nline\n", 1), []);
        assert_eq!(controls(&"\u{7}".repeat(20), 1).len(), MOST_CONTROLS);
    }

    #[test]
    fn a_carriage_return_without_a_line_feed_is_a_control_character() {
        assert_eq!(controls("a: 1\rb: 2\r\n", 3), [(Place { line: 3, column: 5 }, '\r')]);
        assert_eq!(controls("a: 1\r", 1), [(Place { line: 1, column: 5 }, '\r')]);
    }
}
