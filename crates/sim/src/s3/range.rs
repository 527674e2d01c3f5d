//! The Range header (RFC 9110, 14.2): one range of bytes.

/// What a Range header asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// It means nothing: the whole is answered.
    Whole,
    /// The bytes from the first to the last.
    Part(usize, usize),
    /// Bytes of which none is there.
    Nothing,
}

/// What `range` asks for of `size` bytes.
pub(super) fn asked(range: &str, size: usize) -> Asked {
    let bounds = range.strip_prefix("bytes=").filter(|bounds| !bounds.contains(','));
    let Some((from, to)) = bounds.and_then(|bounds| bounds.split_once('-')) else { return Asked::Whole };
    let (from, to) = match (from.parse::<usize>(), to.parse::<usize>()) {
        (Ok(from), Ok(to)) if from <= to => (from, to),
        (Ok(from), Err(_)) if to.is_empty() => (from, usize::MAX),
        (Err(_), Ok(0)) if from.is_empty() => return Asked::Nothing,
        (Err(_), Ok(suffix)) if from.is_empty() => (size.saturating_sub(suffix), usize::MAX),
        _ => return Asked::Whole,
    };
    match size.checked_sub(1).filter(|last| from <= *last) {
        Some(last) => Asked::Part(from, to.min(last)),
        None => Asked::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::{Asked, asked};

    #[test]
    fn ranges_are_cut_to_what_is_there() {
        assert_eq!(asked("bytes=0-3", 10), Asked::Part(0, 3));
        assert_eq!(asked("bytes=8-20", 10), Asked::Part(8, 9));
        assert_eq!(asked("bytes=4-", 10), Asked::Part(4, 9));
        assert_eq!(asked("bytes=-3", 10), Asked::Part(7, 9));
        for (nothing, size) in [("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-", 0)] {
            assert_eq!(asked(nothing, size), Asked::Nothing, "{nothing}");
        }
        for whole in ["bytes=3-1", "bytes=a-b", "lines=1-2", "bytes=0-1,3-4"] {
            assert_eq!(asked(whole, 10), Asked::Whole, "{whole}");
        }
    }
}
