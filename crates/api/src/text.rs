//! A file as raw text: its documents, its places and the characters nobody should hide in it.

use crate::outline::Place;

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
pub(crate) fn controls(document: &str, first_line: usize) -> Vec<(Place, char)> {
    let mut found = Vec::new();
    let mut place = Place { line: first_line, column: 1 };
    for character in document.chars() {
        if is_control(character) {
            found.push((place, character));
        }
        place = after(place, character);
    }
    found.truncate(10);
    found
}

/// Whether a string of a spec may not contain this character.
pub(crate) fn is_control(character: char) -> bool {
    character.is_control() && !matches!(character, '\t' | '\n' | '\r')
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
    }
}
