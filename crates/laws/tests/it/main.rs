//! What holds whatever comes in, on stable and in every `cargo test`.

#[cfg(test)]
mod inputs;
#[cfg(test)]
mod laws;
