//! The Range header (RFC 9110, 14.2): one range of bytes.

/// The first and last byte that `range` asks for of `size`: none where the header means nothing and the whole is answered, and
/// nothing in it where no byte of it is there.
pub(super) fn asked(range: &str, size: usize) -> Option<Option<(usize, usize)>> {
    let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
    if range.contains(',') {
        return None;
    }
    let last = size.checked_sub(1);
    let (from, to) = match (from.parse::<usize>(), to.parse::<usize>()) {
        (Ok(from), Ok(to)) if from > to => return None,
        (Ok(from), Ok(to)) => (from, to),
        (Ok(from), Err(_)) if to.is_empty() => (from, usize::MAX),
        (Err(_), Ok(0)) if from.is_empty() => return Some(None),
        (Err(_), Ok(suffix)) if from.is_empty() => (size.saturating_sub(suffix), usize::MAX),
        _ => return None,
    };
    Some(last.filter(|last| from <= *last).map(|last| (from, to.min(last))))
}

#[cfg(test)]
mod tests {
    use super::asked;

    #[test]
    fn ranges_are_cut_to_what_is_there() {
        assert_eq!(asked("bytes=0-3", 10), Some(Some((0, 3))));
        assert_eq!(asked("bytes=8-20", 10), Some(Some((8, 9))));
        assert_eq!(asked("bytes=4-", 10), Some(Some((4, 9))));
        assert_eq!(asked("bytes=-3", 10), Some(Some((7, 9))));
        assert_eq!(asked("bytes=10-", 10), Some(None));
        assert_eq!(asked("bytes=-0", 10), Some(None));
        assert_eq!(asked("bytes=0-", 0), Some(None));
        for whole in ["bytes=3-1", "bytes=a-b", "lines=1-2", "bytes=0-1,3-4"] {
            assert_eq!(asked(whole, 10), None, "{whole}");
        }
    }
}
