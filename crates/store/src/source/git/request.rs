//! What we ask of a host, without two wishes of the library's that would harm us:
//!
//! - `thin-pack`: a pack that rests on objects we have. Completing one goes wrong now and then (a base "was never added to the
//!   tree as if the pack was still thin"); packs that stand by themselves are hardly larger.
//! - `deepen-relative`, which the first version of the protocol takes as a wish when it is merely repeated as something the
//!   host can: a depth of one would then mean all of the history.

use std::io::{self, Write};

/// Words we do not say.
const UNSAID: [&str; 2] = ["thin-pack", "deepen-relative"];
/// How long a line's length is.
const LENGTH: usize = 4;

/// A writer of git's lines (pkt-line) that leaves out what we do not say.
#[derive(Debug)]
pub(super) struct Request<W> {
    /// Where they go.
    inner: W,
    /// The beginning of a line.
    begun: Vec<u8>,
}

impl<W: Write> Request<W> {
    /// Lines for `inner`.
    pub(super) fn new(inner: W) -> Self {
        Self { inner, begun: Vec::new() }
    }
}

impl<W: Write> Write for Request<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begun.extend_from_slice(bytes);
        while let Some(line) = whole(&mut self.begun)? {
            self.inner.write_all(&said(line))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// The first line of `begun`, with its length, when all of it is there.
fn whole(begun: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    let Some(digits) = begun.get(..LENGTH) else { return Ok(None) };
    let length = std::str::from_utf8(digits).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok());
    // The lengths that are too short for themselves are marks without a text.
    let length = length.ok_or_else(|| io::Error::other("a line without a length"))?.max(LENGTH);
    if begun.len() < length {
        return Ok(None);
    }
    let rest = begun.split_off(length);
    Ok(Some(std::mem::replace(begun, rest)))
}

/// What is said of `line`.
fn said(line: Vec<u8>) -> Vec<u8> {
    let Some(text) = line.get(LENGTH..).and_then(|text| std::str::from_utf8(text).ok()) else { return line };
    if UNSAID.contains(&text.trim_end()) {
        return Vec::new();
    }
    if !text.starts_with("want ") {
        return line;
    }
    let (wish, end) = text.strip_suffix('\n').map_or((text, ""), |wish| (wish, "\n"));
    let words: Vec<&str> = wish.split(' ').filter(|word| !UNSAID.contains(word)).collect();
    let text = format!("{}{end}", words.join(" "));
    format!("{:04x}{text}", text.len() + LENGTH).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(pieces: &[&str]) -> String {
        let mut request = Request::new(Vec::new());
        for piece in pieces {
            request.write_all(piece.as_bytes()).unwrap();
        }
        String::from_utf8(request.inner).unwrap()
    }

    fn line(text: &str) -> String {
        format!("{:04x}{text}", text.len() + LENGTH)
    }

    #[test]
    fn what_we_do_not_say_is_left_out_of_either_version_of_the_protocol() {
        let second = |more: &str| {
            [&line("command=fetch"), "0001", more, &line("ofs-delta\n"), &line("want 0123\n"), "0000"].concat()
        };
        assert_eq!(sent(&[&second(&line("thin-pack"))]), second(""));
        assert_eq!(sent(&[&second(&line("thin-pack\n"))]), second(""));
        let first = |more: &str, again: &str| {
            line(&format!("want 0123{more} ofs-delta{again} agent=thin-pack-er\n")) + &line("deepen 1\n") + "0000"
        };
        assert_eq!(sent(&[&first(" thin-pack", " deepen-relative")]), first("", ""));
    }

    #[test]
    fn lines_may_come_in_pieces_and_bytes_are_left_as_they_are() {
        assert_eq!(sent(&["00", "0dth", "in-pack0000", "000", "9done\n"]), "00000009done\n");
        let mut request = Request::new(Vec::new());
        request.write_all(b"0006\xff\xfe").unwrap();
        assert_eq!(request.inner, b"0006\xff\xfe");
        assert!(request.write_all(b"nonsense").is_err());
    }
}
