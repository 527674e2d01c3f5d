//! The known word somebody probably meant.

/// The one of `known` that is most like `name`, when any is.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.replace(['_', '-'], "").to_ascii_lowercase();
    let likeness = |other: &str| strsim::normalized_damerau_levenshtein(&plain(name), &plain(other));
    (known.map(|other| (likeness(other), other)))
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_the_word_and_something_else_finds_none() {
        let known = ["memory", "cpu", "desiredCount"];
        assert_eq!(nearest("memroy", known.into_iter()), Some("memory"));
        assert_eq!(nearest("desired_count", known.into_iter()), Some("desiredCount"));
        assert_eq!(nearest("replicas", known.into_iter()), None);
    }
}
