//! Inputs we have, and inputs made from them: cut, doubled, mixed, with what attackers write put in.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use walkdir::WalkDir;

/// Words that mean something to one of the parsers.
const WORDS: &str = include_str!("../../../../fuzz/words.dict");

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The files below a folder of the repository.
fn files(folder: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = WalkDir::new(root().join(folder))
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Inputs for all laws, whichever they were written for: case folders, examples, and what fuzzing found.
pub(crate) static INPUTS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let folders = ["crates/api/cases", "crates/plan/cases", "examples", "manifests", "fuzz/seeds"];
    folders.into_iter().flat_map(files).filter(|input| input.len() < 64 * 1024).collect()
});

pub(crate) fn words() -> Vec<Vec<u8>> {
    let quoted = WORDS.lines().filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'));
    quoted.map(|word| unescaped(word.as_bytes())).collect()
}

/// A dictionary's word: `\xAB`, `\"` and `\\` are bytes.
fn unescaped(word: &[u8]) -> Vec<u8> {
    match word {
        [] => Vec::new(),
        [b'\\', b'x', high, low, rest @ ..] => {
            let byte = u8::from_str_radix(std::str::from_utf8(&[*high, *low]).unwrap(), 16).unwrap();
            [&[byte][..], &unescaped(rest)].concat()
        }
        [b'\\', byte, rest @ ..] | [byte, rest @ ..] => [&[*byte][..], &unescaped(rest)].concat(),
    }
}

/// One change of an input.
#[derive(Debug, Clone)]
enum Change {
    Insert(Index, Vec<u8>),
    Cut(Index, usize),
    Flip(Index, u8),
    DropLine(Index),
    DoubleLine(Index),
    Splice(Index, Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (any::<Index>(), select(words())).prop_map(|(at, word)| Change::Insert(at, word)),
        1 => (any::<Index>(), "\\PC{1,8}").prop_map(|(at, text)| Change::Insert(at, text.into_bytes())),
        2 => (any::<Index>(), 1..40_usize).prop_map(|(at, length)| Change::Cut(at, length)),
        1 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Flip(at, byte)),
        2 => any::<Index>().prop_map(Change::DropLine),
        1 => any::<Index>().prop_map(Change::DoubleLine),
        1 => any::<[Index; 3]>().prop_map(|[input, from, to]| Change::Splice(input, from, to)),
    ]
}

fn changed(mut input: Vec<u8>, change: &Change) -> Vec<u8> {
    let lines = |input: &[u8]| input.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
    match change {
        Change::Insert(at, word) => {
            let at = at.index(input.len() + 1);
            input.splice(at..at, word.iter().copied());
        }
        Change::Cut(at, length) => {
            let at = at.index(input.len() + 1);
            input.drain(at..(at + length).min(input.len()));
        }
        Change::Flip(at, byte) if !input.is_empty() => {
            let at = at.index(input.len());
            input[at] ^= byte;
        }
        Change::DropLine(at) | Change::DoubleLine(at) if !input.is_empty() => {
            let mut lines = lines(&input);
            let at = at.index(lines.len());
            let line = lines.remove(at);
            if matches!(change, Change::DoubleLine(_)) {
                lines.splice(at..at, [line.clone(), line]);
            }
            return lines.concat();
        }
        Change::Splice(other, from, to) => {
            let other = other.get(&INPUTS);
            input.truncate(from.index(input.len() + 1));
            input.extend(&other[to.index(other.len() + 1)..]);
        }
        Change::Flip(..) | Change::DropLine(_) | Change::DoubleLine(_) => {}
    }
    input
}

pub(crate) fn input() -> impl Strategy<Value = Vec<u8>> {
    let base = prop_oneof![9 => select(INPUTS.clone()), 1 => prop::collection::vec(any::<u8>(), 0..60)];
    (base, prop::collection::vec(change(), 0..5)).prop_map(|(base, changes)| changes.iter().fold(base, changed))
}

/// Short texts, most of them nearly an ARN or an image.
pub(crate) fn name() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::collection::vec(select(words()), 0..7).prop_map(|words| words.concat());
    prop_oneof![4 => known, 1 => "\\PC{0,40}".prop_map(String::into_bytes)]
        .prop_flat_map(|base| (Just(base), prop::collection::vec(change(), 0..2)))
        .prop_map(|(base, changes)| {
            let near = changes.iter().filter(|change| !matches!(change, Change::Splice(..)));
            near.fold(base, changed)
        })
}

/// An error: a status, a code, a message, all of them likely and not.
pub(crate) fn error() -> impl Strategy<Value = Vec<u8>> {
    let status = prop_oneof![select(vec![0_u16, 200, 299, 400, 403, 404, 429, 499, 500, 503, 599]), any::<u16>()];
    let code = prop_oneof![select(words()), "[A-Z][A-Za-z]{0,30}".prop_map(String::into_bytes)];
    let message = prop::collection::vec(select(words()), 0..4).prop_map(|words| words.join(&b' '));
    (status, code, message)
        .prop_map(|(status, code, message)| [&status.to_be_bytes()[..], &code, b"\n", &message].concat())
}
