//! The task sizes Fargate offers: 77 pairs of CPU and memory.

/// The CPU values, in units of 1/1024 vCPU, smallest first.
pub const CPUS: [u32; 8] = [256, 512, 1024, 2048, 4096, 8192, 16384, 32768];

/// The memory values in MiB that go with `cpu`, smallest first; none when Fargate has no such CPU value.
pub fn memory_for(cpu: u32) -> Vec<u32> {
    let steps = |first: u32, last: u32, step: usize| (first..=last).step_by(step).collect();
    match cpu {
        256 => vec![512, 1024, 2048],
        512 => steps(1024, 4096, 1024),
        1024 => steps(2048, 8192, 1024),
        2048 => steps(4096, 16384, 1024),
        4096 => steps(8192, 30720, 1024),
        8192 => steps(16384, 61440, 4096),
        16384 => steps(32768, 122_880, 8192),
        32768 => vec![61440, 122_880, 249_856],
        _ => Vec::new(),
    }
}

/// Whether Fargate offers this size.
pub fn offers(cpu: u32, memory: u32) -> bool {
    memory_for(cpu).contains(&memory)
}

/// The smallest offered size with at least `cpu` and `memory`; none when even the largest is too small.
pub fn at_least(cpu: u32, memory: u32) -> Option<(u32, u32)> {
    CPUS.into_iter()
        .filter(|&offered| offered >= cpu)
        .find_map(|offered| Some((offered, memory_for(offered).into_iter().find(|&fits| fits >= memory)?)))
}

/// What goes with `cpu`, for a person: `512, 1024, 2048` or `2048 to 8192 in steps of 1024`.
pub fn describe_memory(cpu: u32) -> String {
    let values = memory_for(cpu);
    let even = values.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>();
    match (values.as_slice(), even.as_slice()) {
        ([first, .., last], [step, others @ ..]) if values.len() > 3 && others.iter().all(|other| other == step) => {
            format!("{first} to {last} in steps of {step}")
        }
        _ => values.iter().map(u32::to_string).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_seventy_seven_sizes() {
        assert_eq!(CPUS.map(|cpu| memory_for(cpu).len()), [3, 4, 7, 13, 23, 12, 12, 3]);
        assert_eq!(CPUS.into_iter().flat_map(memory_for).count(), 77);
    }

    #[test]
    fn a_size_that_is_not_offered_is_led_to_the_next_larger_one() {
        assert_eq!(at_least(256, 512), Some((256, 512)));
        assert_eq!(at_least(300, 600), Some((512, 1024)));
        assert_eq!(at_least(256, 4096), Some((512, 4096)));
        assert_eq!(at_least(32768, 250_000), None);
    }

    #[test]
    fn the_memory_of_a_cpu_is_told_in_words() {
        assert_eq!(describe_memory(256), "512, 1024, 2048");
        assert_eq!(describe_memory(8192), "16384 to 61440 in steps of 4096");
        assert_eq!(describe_memory(32768), "61440, 122880, 249856");
        assert_eq!(describe_memory(300), "");
    }
}
