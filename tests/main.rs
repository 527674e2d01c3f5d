//! Whole-program tests: the real controller and SDK against the simulated AWS, the real binary, independent emulators.

#![expect(unreachable_pub, reason = "a test binary has no callers outside; its helpers are public to its modules")]
#![allow(clippy::allow_attributes, reason = "the next line holds in some builds only")]
#![allow(dead_code, reason = "sentences of the world that no scenario needs yet")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on says so and fails"
)]
#![allow(clippy::print_stderr, reason = "benchmarks and failures print what they saw")]

mod architecture;
mod binary;
mod budgets;
mod building;
mod canary;
mod daemon;
mod departures;
mod emulators;
mod faults;
mod git;
mod hostile;
mod images;
mod imports;
mod independent;
mod lessons;
#[cfg(target_os = "linux")]
mod local;
mod offline;
mod place;
mod planning;
mod policies;
mod probes;
mod replicas;
mod running;
mod server;
mod sources;
mod tables;
mod world;
