//! The load balancers in front of real tasks: a proxy for each target group, and the checks of its targets.

use super::address::Addresses;
use super::proxy::{self, Table};
use super::tally::Tally;
use crate::assignment::{Balanced, Target};
use crate::simulation::Simulation;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// The load balancers there are, by target group.
#[derive(Debug)]
pub(super) struct Balancers {
    simulation: Simulation,
    addresses: Arc<Addresses>,
    all: BTreeMap<String, Balancer>,
}

#[derive(Debug)]
struct Balancer {
    table: Table,
    server: JoinHandle<()>,
    checks: BTreeMap<(String, u16), JoinHandle<()>>,
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.server.abort();
        self.checks.values().for_each(JoinHandle::abort);
    }
}

impl Balancers {
    pub(super) fn new(simulation: Simulation, addresses: Arc<Addresses>) -> Self {
        Self { simulation, addresses, all: BTreeMap::new() }
    }

    /// Brings the load balancers to what the target groups are now. Answers those that are new: their names and addresses.
    pub(super) async fn pass(&mut self) -> Vec<(String, String)> {
        let mut fresh = Vec::new();
        for group in self.simulation.balanced() {
            if !self.all.contains_key(&group.arn) {
                // No free port now may be one at the next look.
                let Ok((balancer, url)) = open().await else { continue };
                self.simulation.publish(&group.arn, &url);
                fresh.push((group.name.clone(), url));
                self.all.insert(group.arn.clone(), balancer);
            }
            let Some(balancer) = self.all.get_mut(&group.arn) else { continue };
            for target in &group.targets {
                balancer.attend(&self.simulation, &self.addresses, &group, target);
            }
            let table = balancer.table.clone();
            balancer.checks.retain(|(address, port), check| {
                let there = group.targets.iter().any(|target| (&target.address, target.port) == (address, *port));
                if !there {
                    check.abort();
                    table.remove(self.addresses.socket(address, *port));
                }
                there
            });
        }
        self.forget();
        fresh
    }

    /// A target group without targets keeps its load balancer, which has nobody to ask.
    fn forget(&mut self) {
        let live = self.simulation.balanced();
        for (arn, balancer) in &mut self.all {
            if live.iter().any(|group| group.arn == *arn) {
                continue;
            }
            for ((address, port), check) in std::mem::take(&mut balancer.checks) {
                check.abort();
                balancer.table.remove(self.addresses.socket(&address, port));
            }
        }
    }
}

async fn open() -> std::io::Result<(Balancer, String)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let table = Table::default();
    let serving = table.clone();
    let server = tokio::spawn(async move { drop(serving.serve(listener, std::future::pending()).await) });
    Ok((Balancer { table, server, checks: BTreeMap::new() }, url))
}

impl Balancer {
    fn attend(&mut self, simulation: &Simulation, addresses: &Addresses, group: &Balanced, target: &Target) {
        let socket = addresses.socket(&target.address, target.port);
        let key = (target.address.clone(), target.port);
        if target.draining {
            if let Some(check) = self.checks.get(&key) {
                check.abort();
            }
            self.table.retire(socket);
            if self.table.idle(socket) {
                simulation.drained(&group.arn, &target.address, target.port);
            }
            return;
        }
        let table = self.table.clone();
        self.checks.entry(key).or_insert_with(|| {
            let check = Check { simulation: simulation.clone(), group: group.clone(), target: target.clone(), socket };
            tokio::spawn(check.run(table))
        });
    }
}

/// The checks of one target, as its group was when it was registered.
struct Check {
    simulation: Simulation,
    group: Balanced,
    target: Target,
    socket: SocketAddr,
}

impl Check {
    async fn run(self, table: Table) {
        let (group, target) = (&self.group, &self.target);
        let mut tally = Tally::new(group.interval, (group.rise, group.fall), Instant::now());
        loop {
            let passed = self.passes().await;
            if let Some(healthy) = tally.note(passed, Instant::now()) {
                // Requests first: who is told that it is healthy may stop another one for it.
                table.put(self.socket, healthy);
                self.simulation.judge(&group.arn, &target.address, target.port, healthy);
            }
            super::pause(tally.pace()).await;
        }
    }

    async fn passes(&self) -> bool {
        let mut socket = self.socket;
        if let Some(port) = self.group.port {
            socket.set_port(port);
        }
        match &self.group.path {
            Some(path) => {
                let status = proxy::status(socket, path, self.group.timeout).await;
                status.is_some_and(|status| fits(&self.group.matcher, status))
            }
            None => timeout(self.group.timeout, TcpStream::connect(socket)).await.is_ok_and(|made| made.is_ok()),
        }
    }
}

/// Whether a matcher (`200`, `200,202`, `200-299`) takes a status.
fn fits(matcher: &str, status: u16) -> bool {
    matcher.split(',').any(|part| {
        let (least, most) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.trim().parse::<u16>().ok();
        number(least).zip(number(most)).is_some_and(|(least, most)| (least..=most).contains(&status))
    })
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_matcher_is_a_list_of_codes_and_ranges() {
        let good = [("200", 200), ("200,202", 202), ("200-299", 250), ("200, 300-301", 301)];
        assert!(good.iter().all(|(matcher, status)| fits(matcher, *status)));
        assert!(!fits("200", 503) && !fits("", 200) && !fits("200-299", 300));
    }
}
