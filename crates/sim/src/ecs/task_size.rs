//! The sizes Fargate sells, and the spellings of a size.
//!
//! ECS developer guide, "Task size": 77 pairs of CPU units and MiB for Linux.

/// Whether Fargate has this pair.
pub(super) fn exists(cpu: u32, memory: u32) -> bool {
    let (least, most, step) = match cpu {
        256 => return matches!(memory, 512 | 1024 | 2048),
        512 => (1024, 4096, 1024),
        1024 => (2048, 8192, 1024),
        2048 => (4096, 16_384, 1024),
        4096 => (8192, 30_720, 1024),
        8192 => (16_384, 61_440, 4096),
        16_384 => (32_768, 122_880, 8192),
        32_768 => return matches!(memory, 61_440 | 122_880 | 249_856),
        _ => return false,
    };
    (least..=most).contains(&memory) && (memory - least).is_multiple_of(step)
}

/// CPU units of `1024`, `1 vCPU`, `.25 vcpu`.
pub(super) fn cpu(text: &str) -> Option<u32> {
    quantity(text, "vcpu")
}

/// MiB of `2048`, `2GB`, `0.5 GB`.
pub(super) fn memory(text: &str) -> Option<u32> {
    quantity(text, "gb")
}

fn quantity(text: &str, unit: &str) -> Option<u32> {
    let text = text.trim().to_ascii_lowercase();
    match text.strip_suffix(unit) {
        Some(number) => thousandths(number.trim()).map(|thousandths| thousandths * 1024 / 1000),
        None => text.parse().ok(),
    }
}

/// A decimal number of at most three places, in thousandths: exact, where a float would not be.
fn thousandths(number: &str) -> Option<u32> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.len() > 3 || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let whole: u32 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction: u32 = format!("{fraction:0<3}").parse().ok()?;
    whole.checked_mul(1000)?.checked_add(fraction).filter(|thousandths| *thousandths < 4_000_000)
}

#[cfg(test)]
mod tests {
    use super::{cpu, exists, memory};

    #[test]
    fn there_are_seventy_seven_sizes() {
        let cpus = [256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768];
        let count = cpus.iter().flat_map(|cpu| (0..250_000).filter(|memory| exists(*cpu, *memory))).count();
        assert_eq!(count, 77);
    }

    #[test]
    fn spellings_of_a_size_mean_the_same() {
        assert_eq!(
            [cpu("1024"), cpu("1 vCPU"), cpu("1vcpu"), cpu(".25 vCPU")],
            [Some(1024), Some(1024), Some(1024), Some(256)]
        );
        assert_eq!([memory("512"), memory("0.5 GB"), memory("3GB")], [Some(512), Some(512), Some(3072)]);
        assert_eq!([cpu("much"), memory("")], [None, None]);
    }
}
