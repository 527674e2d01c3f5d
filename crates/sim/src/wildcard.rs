//! Patterns in which a star stands for anything.

/// Whether a text is like a pattern.
pub(crate) fn like(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(tail) = text.strip_prefix(head) else { return false };
    let mut ends = tail.char_indices().map(|(at, _)| at).chain([tail.len()]);
    ends.any(|at| tail.get(at..).is_some_and(|tail| like(rest, tail)))
}

#[cfg(test)]
mod tests {
    use super::like;

    #[test]
    fn a_star_stands_for_anything() {
        assert!(like("prod*", "prod-1") && like("*", "") && like("a*b*c", "a-bb-c"));
        assert!(!like("prod*", "dev") && !like("a*b", "abc"));
    }
}
