//! Where tasks listen. On Linux the whole of 127.0.0.0/8 is this machine, so that each task keeps the port of its container
//! at an address of its own; elsewhere each has a port of its own at 127.0.0.1.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Mutex, PoisonError};

/// The sockets of tasks.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    /// Address and port of a task where they are not those of its socket.
    other: Mutex<BTreeMap<(String, u16), u16>>,
}

impl Addresses {
    /// The socket of a task's address and the port of its container.
    pub(super) fn socket(&self, address: &str, port: u16) -> SocketAddr {
        let own = address.parse::<IpAddr>().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        if cfg!(target_os = "linux") {
            return SocketAddr::new(own, port);
        }
        let mut other = self.other.lock().unwrap_or_else(PoisonError::into_inner);
        let port = *other.entry((address.to_owned(), port)).or_insert_with(|| free().unwrap_or(port));
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
    }
}

/// A port that is free now.
fn free() -> Option<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
    Some(listener.local_addr().ok()?.port())
}
