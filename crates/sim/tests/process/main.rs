//! Tasks as real processes: a small agent of Python's standard library, packed as an image by hand.

#![cfg(target_os = "linux")]

#[cfg(test)]
mod life;
#[cfg(test)]
mod place;
#[cfg(test)]
mod rollout;
