//! Where statuses are kept.

pub mod file;
pub mod memory;
pub mod row;

/// Whether an agent may be called so (a DNS label): of anything else nothing can ever have been made, and no status is kept.
fn is_agents(key: &fargateer_api::Key) -> bool {
    let name = key.as_str();
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let sound = (1..=63).contains(&name.len()) && name.bytes().all(inner);
    sound && !name.starts_with('-') && !name.ends_with('-')
}
