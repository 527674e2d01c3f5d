//! MD5 (RFC 1321), which SQS answers and S3 makes ETags of, so that clients can check what they sent. It protects nothing.

const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// The constants of the algorithm: the first 32 bits of the fraction of each sine.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the sine's fraction fits by construction")]
fn constant(step: u32) -> u32 {
    (f64::from(step + 1).sin().abs() * 4_294_967_296.0) as u32
}

/// The MD5 of some bytes, in hexadecimal.
pub(crate) fn md5(bytes: &[u8]) -> String {
    let mut state = [0x6745_2301_u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    let mut padded = bytes.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend(u64::try_from(bytes.len()).unwrap_or(0).wrapping_mul(8).to_le_bytes());
    for chunk in padded.chunks_exact(64) {
        let words: Vec<u32> = chunk
            .chunks_exact(4)
            .map(|word| word.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
            .collect();
        state = block(state, &words);
    }
    hex::encode(state.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>())
}

fn block(start: [u32; 4], words: &[u32]) -> [u32; 4] {
    let [mut a, mut b, mut c, mut d] = start;
    for step in 0..64_u32 {
        let (mixed, index) = match step / 16 {
            0 => ((b & c) | (!b & d), step),
            1 => ((d & b) | (!d & c), 5 * step + 1),
            2 => (b ^ c ^ d, 3 * step + 5),
            _ => (c ^ (b | !d), 7 * step),
        };
        let at = |index: u32| usize::try_from(index).unwrap_or(0);
        let word = words.get(at(index % 16)).copied().unwrap_or(0);
        let shift = SHIFTS.get(at(step / 16)).and_then(|row| row.get(at(step % 4))).copied().unwrap_or(0);
        let sum = a.wrapping_add(mixed).wrapping_add(constant(step)).wrapping_add(word);
        (a, d, c) = (d, c, b);
        b = b.wrapping_add(sum.rotate_left(shift));
    }
    let mut sums = start.iter().zip([a, b, c, d]).map(|(before, after)| before.wrapping_add(after));
    std::array::from_fn(|_| sums.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::md5;

    #[test]
    fn the_checksums_are_those_of_the_standard() {
        assert_eq!(md5(b""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(md5(b"message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
        assert_eq!(
            md5(b"12345678901234567890123456789012345678901234567890123456789012345678901234567890"),
            "57edf4a22be3c955ac49da2e2107b67a"
        );
    }
}
