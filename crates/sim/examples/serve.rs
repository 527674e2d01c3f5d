//! Serves a simulated AWS on the loopback interface: `cargo run --example serve -- 4566 10` for port 4566 at ten times the
//! speed of time.

use fargateer_sim::{Settings, Simulation};
use std::io;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().and_then(|port| port.parse().ok()).unwrap_or(4566);
    let speed: f64 = arguments.next().and_then(|speed| speed.parse().ok()).unwrap_or(1.0);
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let simulation = Simulation::new(Settings { speed, ..Settings::default() });
    simulation.serve(listener, async { tokio::signal::ctrl_c().await.unwrap_or(()) }).await
}
