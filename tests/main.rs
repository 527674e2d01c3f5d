//! Whole-program tests: the real controller and SDK against the simulated AWS, the real binary, independent emulators.

#![expect(unreachable_pub, reason = "a test binary has no callers outside; its helpers are public to its modules")]
#![allow(clippy::allow_attributes, reason = "the next line holds in some builds only")]
#![allow(dead_code, reason = "sentences of the world that no scenario needs yet")]
mod lessons;
mod world;
