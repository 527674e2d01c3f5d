//! Patterns in which a star stands for anything, slashes and colons included. Nothing else is special.

/// Whether `text` is like `pattern`.
pub fn like(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let head = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(head) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(tail) = pieces.pop() else { return rest.is_empty() };
    // The earliest place of each piece leaves the most for those after it: no other choice can do better.
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = rest.get(at + piece.len()..).unwrap_or_default();
    }
    rest.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::like;

    #[test]
    fn a_star_stands_for_anything_and_nothing_else_does() {
        for (pattern, text) in
            [("agents", "agents"), ("a*", "a"), ("*", ""), ("a*c*e", "abcde"), ("*/x", "a/b/x"), ("a*a", "aa")]
        {
            assert!(like(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("agents", "agents2"),
            ("a*", "ba"),
            ("", "x"),
            ("a*c*e", "abde"),
            ("a*a", "a"),
            ("a?c", "abc"),
            ("a.c", "abc"),
        ] {
            assert!(!like(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_of_stars_takes_no_time() {
        assert!(!like(&"*a".repeat(2000), &"b".repeat(20_000)));
    }
}
