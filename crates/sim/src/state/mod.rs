//! What exists in one account and region, as plain data.
//!
//! No rules here: each service's own module has them. Keeping the data apart lets the services look at one another's
//! (ECS registers targets, Application Auto Scaling reads services) without the modules importing each other in a circle.

pub(crate) mod cloudwatch;
pub(crate) mod codebuild;
pub(crate) mod dynamodb;
pub(crate) mod ecr;
pub(crate) mod ecs;
pub(crate) mod elb;
pub(crate) mod eventbridge;
pub(crate) mod iam;
pub(crate) mod logs;
pub(crate) mod network;
pub(crate) mod s3;
pub(crate) mod scaling;
pub(crate) mod sqs;
pub(crate) mod vault;

use crate::behaviour::Behaviour;
use crate::clock;
use crate::settings::Settings;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One account's part of one region.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    pub(crate) account: String,
    pub(crate) name: String,
    pub(crate) settings: Arc<Settings>,
    /// The moment being simulated; only ever moves forward.
    pub(crate) now: Duration,
    pub(crate) random: fastrand::Rng,
    pub(crate) behaviours: Vec<(String, Behaviour)>,
    pub(crate) ecs: ecs::Ecs,
    pub(crate) elb: elb::Elb,
    pub(crate) ecr: ecr::Ecr,
    pub(crate) logs: logs::Logs,
    pub(crate) scaling: scaling::Scaling,
    pub(crate) dynamodb: dynamodb::Dynamodb,
    pub(crate) iam: iam::Iam,
    pub(crate) network: network::Network,
    pub(crate) vault: vault::Vault,
    pub(crate) s3: s3::S3,
    pub(crate) codebuild: codebuild::Codebuild,
    pub(crate) sqs: sqs::Sqs,
    pub(crate) eventbridge: eventbridge::Eventbridge,
    pub(crate) cloudwatch: cloudwatch::Cloudwatch,
    timers: BTreeMap<(Duration, u64), Timer>,
    drawn: u64,
}

/// Something AWS will do by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// A task takes its next step, unless something else moved it since `turn`.
    Task { cluster: String, service: String, task: String, turn: u32 },
    /// The scheduler looks at a service again.
    Service { cluster: String, service: String },
    /// An alarm of a scaling policy is evaluated.
    Alarm { resource: String },
    /// A scheduled action is due, unless it was put again since `turn`.
    Schedule { resource: String, action: String, turn: u64 },
    /// A deleted task definition goes when nothing uses it.
    Definition { family: String, revision: u32 },
    /// A build has done what it does in a phase.
    Build { id: String, phase: String },
}

impl Region {
    pub(crate) fn new(account: &str, name: &str, settings: Arc<Settings>) -> Self {
        // The region's name joins the seed so that the order in which regions are first used changes nothing.
        let salt = account
            .bytes()
            .chain(name.bytes())
            .fold(settings.seed, |seed, byte| seed.wrapping_mul(0x0100_0000_01b3).wrapping_add(u64::from(byte)));
        Self {
            account: account.to_owned(),
            name: name.to_owned(),
            settings,
            now: Duration::ZERO,
            random: fastrand::Rng::with_seed(salt),
            behaviours: Vec::new(),
            ecs: ecs::Ecs::default(),
            elb: elb::Elb::default(),
            ecr: ecr::Ecr::default(),
            logs: logs::Logs::default(),
            scaling: scaling::Scaling::default(),
            dynamodb: dynamodb::Dynamodb::default(),
            iam: iam::Iam::default(),
            network: network::Network::default(),
            vault: vault::Vault::default(),
            s3: s3::S3::default(),
            codebuild: codebuild::Codebuild::default(),
            sqs: sqs::Sqs::default(),
            eventbridge: eventbridge::Eventbridge::default(),
            cloudwatch: cloudwatch::Cloudwatch::default(),
            timers: BTreeMap::new(),
            drawn: 0,
        }
    }

    /// Arranges for something to happen after a while.
    pub(crate) fn after(&mut self, delay: Duration, timer: Timer) {
        self.drawn += 1;
        self.timers.insert((self.now + delay, self.drawn), timer);
    }

    /// Takes the next timer due by then, and moves the region's time to it.
    pub(crate) fn due(&mut self, until: Duration) -> Option<Timer> {
        let entry = self.timers.first_entry().filter(|entry| entry.key().0 <= until)?;
        self.now = self.now.max(entry.key().0);
        Some(entry.remove())
    }

    /// When the next timer is due.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.timers.keys().next().map(|(at, _)| *at)
    }

    /// An ARN of this account and region.
    pub(crate) fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.name, self.account)
    }

    /// Now, in seconds since 1970.
    pub(crate) fn timestamp(&self) -> f64 {
        self.stamp(self.now)
    }

    /// A moment, in seconds since 1970.
    pub(crate) fn stamp(&self, at: Duration) -> f64 {
        clock::seconds(self.settings.epoch, at)
    }

    /// A random hexadecimal text.
    pub(crate) fn hex(&mut self, length: usize) -> String {
        (0..length).map(|_| char::from_digit(self.random.u32(0..16), 16).unwrap_or('0')).collect()
    }

    /// A random decimal text without a leading zero.
    pub(crate) fn digits(&mut self, length: usize) -> String {
        let first = self.random.u32(1..10);
        let rest = (1..length).map(|_| self.random.u32(0..10));
        std::iter::once(first).chain(rest).filter_map(|digit| char::from_digit(digit, 10)).collect()
    }

    /// A random UUID.
    pub(crate) fn uuid(&mut self) -> String {
        let text = self.hex(30);
        let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
        format!("{}-{}-4{}-a{}-{}", part(0, 8), part(8, 12), part(12, 15), part(15, 18), part(18, 30))
    }

    /// How tasks of an image behave: what was said last about a part of its name.
    pub(crate) fn behaviour(&self, image: &str) -> Behaviour {
        let said = self.behaviours.iter().rev().find(|(pattern, _)| image.contains(pattern.as_str()));
        said.map(|(_, behaviour)| behaviour.clone()).unwrap_or_default()
    }
}
