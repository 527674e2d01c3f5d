//! Plans drawn at random from a seed. Each seed draws its own mix: some kinds of trouble often, others not at all, so that
//! rare combinations come up, too.

use std::time::Duration;

use fargateer_sim::{Behaviour, FaultKind, Omission, Paging};
use fastrand::Rng;
use serde_json::json;

use crate::agent::{Agent, ROLE};
use crate::leaks::canary;
use crate::plan::{Act, Blow, Meddling, Outage, Plan, Slip, Slipping, Spell, Step, Strike};

/// The plan of `seed`.
pub fn plan(seed: u64) -> Plan {
    let mut random = Rng::with_seed(seed);
    // Several processes, which beat and look all the time, cost ten times as much as one: their plans are small.
    let peers = random.u32(0..64) == 0;
    let scale = if !peers && random.u32(0..10) == 0 { LARGE } else { SMALL };
    let mut drawing = Drawing { random, scale, seed, steps: Vec::new(), replicas: Plan::default() };
    drawing.people();
    if peers {
        drawing.peers();
    }
    let (strikes, spells, slips) = (drawing.strikes(), drawing.spells(), drawing.slips());
    let mut steps = drawing.steps;
    steps.sort_by_key(|step| step.at);
    // Drawn apart, so that everything else of a plan is as it was before there were rows.
    let drawn = |salt: u64, of: u32| Rng::with_seed(seed ^ salt).u32(0..of) == 0;
    let rows = drawn(0x526f_7773, 32);
    let commits = !rows && drawn(0x436f_6d6d, 4);
    if drawn(0x526f_6c65, 16) {
        steps.iter_mut().for_each(by_role);
    }
    let beside = drawn(0x4265_7369, 16);
    if beside {
        aside(&mut steps, seed);
    }
    Plan { name: "swarm".to_owned(), seed, rows, commits, beside, steps, strikes, spells, slips, ..drawing.replicas }
}

/// The first agent is one that a role is assumed for.
fn by_role(step: &mut Step) {
    if let Act::Write(document) = &mut step.act
        && document["metadata"]["name"] == "bot-0"
    {
        document["spec"]["account"] = json!({"roleArn": ROLE});
    }
}

/// There is a second source. The spec of the first agent goes there, or stands in both for a while, and the source may fail.
fn aside(steps: &mut Vec<Step>, seed: u64) {
    let mut random = Rng::with_seed(seed ^ 0x4173_6964);
    let named = |name: &str| Agent::named(name).with_env("API_TOKEN", &canary(seed)).document();
    let there = |act: Act| Act::Beside(Box::new(act));
    let wording = steps.iter().rev().find_map(|step| match &step.act {
        Act::Write(document) if document["metadata"]["name"] == "bot-0" => Some(document.clone()),
        _ => None,
    });
    let Some(wording) = wording else { return };
    let mut copy = wording.clone();
    copy["spec"]["container"]["environment"]["N"] = json!("beside");
    let length = steps.last().map_or(0, |step| step.at).max(400);
    let (begin, soon) = (random.u64(60..length), random.u64(0..200));
    let late = begin + random.u64(30..1200);
    let gone = || Act::Delete("bot-0".to_owned());
    let drawn = match random.u32(0..5) {
        // In both for a while, and then in one of them.
        0 => vec![(begin, there(Act::Write(copy))), (late, gone())],
        1 => vec![(begin, there(Act::Write(copy))), (late, there(gone()))],
        // It moves: written there first, or removed here first.
        2 => vec![(begin, there(Act::Write(wording))), (begin + soon, gone())],
        3 => vec![(begin, gone()), (begin + soon, there(Act::Write(copy)))],
        // There and back again.
        _ => {
            let back = vec![(late + soon, there(gone())), (late + soon + random.u64(0..200), Act::Write(copy))];
            [vec![(begin, there(Act::Write(wording))), (begin + soon, gone())], back].concat()
        }
    };
    // Neither source is ever emptied on purpose: that would have to be confirmed.
    let ever = [Act::Write(named("keeper")), there(Act::Write(named("owl")))].map(|act| (0, act));
    let mut outage = Vec::new();
    if random.u32(0..3) == 0 {
        // Before, it was never read with anything in it: then nobody knows that it is empty by mistake.
        let (begin, how) = (random.u64(200..length), if random.bool() { Outage::Empty } else { Outage::Unreadable });
        outage = vec![(begin, there(Act::Lose(how))), (begin + random.u64(30..600), there(Act::Restore))];
    }
    let more = ever.into_iter().chain(drawn).chain(outage).map(|(at, act)| Step { at, act });
    steps.extend(more);
    steps.sort_by_key(|step| step.at);
}

/// How much happens in a plan. What breaks at all breaks in small plans, too, and of those there are many in the time of a
/// large one; every tenth is large all the same, for what takes several agents, many edits or an hour.
#[derive(Clone, Copy)]
struct Scale {
    /// Agents at most.
    agents: usize,
    /// Acts of one agent's life, fewer than.
    acts: u32,
    /// People act for so long, in seconds.
    length: (u64, u64),
    /// The calls that may be struck.
    calls: u64,
}

const SMALL: Scale = Scale { agents: 2, acts: 4, length: (200, 900), calls: 60 };
const LARGE: Scale = Scale { agents: 4, acts: 8, length: (300, 3600), calls: 160 };

struct Drawing {
    random: Rng,
    scale: Scale,
    seed: u64,
    steps: Vec<Step>,
    /// How many replicas there are, and what befalls their leases.
    replicas: Plan,
}

impl Drawing {
    fn at(&mut self, at: u64, act: Act) {
        self.steps.push(Step { at, act });
    }

    fn one_in(&mut self, number: u32) -> bool {
        self.random.u32(0..number) == 0
    }

    /// A few agents, each with a life of its own, and what happens to them all.
    fn people(&mut self) {
        let count = self.random.usize(1..=self.scale.agents);
        self.at(0, Act::Behave(":bad".to_owned(), Behaviour::Healthy));
        let bad = self.bad_behaviour();
        self.at(0, Act::Behave(":bad".to_owned(), bad));
        let length = self.random.u64(self.scale.length.0..self.scale.length.1);
        for number in 0..count {
            self.life(&format!("bot-{number}"), length, count > 1 && number == 0);
        }
        self.process(length);
        if self.one_in(4) {
            let begin = self.random.u64(60..length);
            let outage = if self.random.bool() { Outage::Empty } else { Outage::Unreadable };
            let end = begin + self.random.u64(30..(length / 2).min(600));
            self.at(begin, Act::Lose(outage));
            self.at(end, Act::Restore);
        }
    }

    fn bad_behaviour(&mut self) -> Behaviour {
        match self.random.u32(0..4) {
            0 => Behaviour::CrashLoop { exit_code: 1 },
            1 => Behaviour::PullFailure,
            2 => Behaviour::NeverHealthy,
            _ => Behaviour::SlowStart(Duration::from_secs(40)),
        }
    }

    /// A spec is written, edited, perhaps deleted; somebody meddles with its service.
    fn life(&mut self, name: &str, length: u64, may_end: bool) {
        let mut agent = self.agent(name);
        let mut now = self.random.u64(0..30);
        self.at(now, Act::Write(agent.clone().document()));
        for _ in 0..self.random.u32(0..self.scale.acts) {
            now += self.pause(length);
            match self.random.u32(0..10) {
                0..=5 => {
                    agent = self.edited(agent, name);
                    self.at(now, Act::Write(agent.clone().document()));
                }
                6..=7 => {
                    let meddling = self.meddling();
                    self.at(now, Act::Meddle(name.to_owned(), meddling));
                }
                8 => {
                    let load = self.random.u32(5..250);
                    self.at(now, Act::Load(name.to_owned(), load));
                }
                _ => {
                    let back = now + self.random.u64(20..400);
                    self.at(now, Act::Garble(name.to_owned()));
                    self.at(back, Act::Write(agent.clone().document()));
                    now = back;
                }
            }
        }
        self.ending(name, &agent, (now, length), may_end);
    }

    /// How it ends with an agent: deleted (where others stay), deleted and written again, disowned, poisoned, or as it is.
    fn ending(&mut self, name: &str, agent: &Agent, (now, length): (u64, u64), may_end: bool) {
        let now = now + self.pause(length);
        match self.random.u32(0..12) {
            0..=3 if may_end => self.at(now, Act::Delete(name.to_owned())),
            4..=5 if may_end => {
                self.at(now, Act::Delete(name.to_owned()));
                let back = now + self.random.u64(10..500);
                self.at(back, Act::Write(agent.clone().document()));
            }
            6 => {
                let taken = if self.random.bool() { Meddling::Disown } else { Meddling::TakeOver };
                self.at(now, Act::Meddle(name.to_owned(), taken));
            }
            7 => self.at(now, Act::Poison(name.to_owned())),
            8 => self.at(now, Act::Retry(name.to_owned())),
            _ => {}
        }
    }

    fn pause(&mut self, length: u64) -> u64 {
        if self.one_in(3) { self.random.u64(1..15) } else { self.random.u64(1..(length / 6).max(2)) }
    }

    fn agent(&mut self, name: &str) -> Agent {
        let mut agent = Agent::named(name).with_env("API_TOKEN", &canary(self.seed));
        for _ in 0..self.random.u32(0..5) {
            agent = self.edited(agent, name);
        }
        agent
    }

    /// One change to a spec.
    fn edited(&mut self, agent: Agent, name: &str) -> Agent {
        match self.random.u32(0..15) {
            14 => agent.blue_green(),
            0..=2 => agent.with_env("N", &self.random.u32(0..4).to_string()),
            3..=4 => agent.with_tasks(self.random.u32(0..4)),
            5 => agent.scaled(self.random.u32(1..3), self.random.u32(3..7)),
            6 => agent.without("autoscaling"),
            // Deployments that shift traffic need a second target group.
            7 => agent.without("rollout").behind_the_load_balancer(),
            8 => agent.without("rollout").without("loadBalancer"),
            9 => agent.with_image(&format!("public.example.com/{name}:{}", self.random.u32(1..4))),
            10 => agent.with_image(&format!("public.example.com/{name}:bad")),
            11 => agent.with("tags", json!({"team": self.random.u32(0..3).to_string()})),
            12 => agent.with("logging", json!({"retentionDays": 7})),
            _ => agent.with("resources", json!({"cpu": 512, "memory": 1024 * self.random.u32(1..4)})),
        }
    }

    fn meddling(&mut self) -> Meddling {
        let all = [
            Meddling::Count(self.random.u32(0..5)),
            Meddling::Revision,
            Meddling::Exec,
            Meddling::Detach,
            Meddling::DeleteService,
            Meddling::Deregister,
            Meddling::Range(1, 9),
            Meddling::Policy,
            Meddling::Untag,
            Meddling::Retention(1),
            Meddling::Deregistered,
        ];
        self.random.choice(all).unwrap_or(Meddling::Exec)
    }

    /// What befalls the process itself.
    fn process(&mut self, length: u64) {
        for _ in 0..self.random.u32(0..4) {
            let now = self.random.u64(1..length);
            let act = match self.random.u32(0..8) {
                3 => Act::Stop,
                4 => Act::Freeze(self.random.u64(5..300)),
                5 => Act::Skew(self.random.i64(-3600..3600)),
                _ => Act::Kill,
            };
            let skewed = matches!(act, Act::Skew(_));
            self.at(now, act);
            if skewed {
                let back = now + self.random.u64(10..600);
                self.at(back, Act::Skew(0));
            }
        }
    }

    /// There are several processes, and trouble with their leases (F13, F15).
    fn peers(&mut self) {
        let replicas = self.random.usize(2..=3);
        for _ in 0..self.random.u32(1..5) {
            let (number, now) = (self.random.usize(0..replicas), self.random.u64(1..self.scale.length.1));
            let act = match self.random.u32(0..6) {
                0 => Act::Stop,
                1 => Act::Freeze(self.random.u64(5..120)),
                2 => Act::CutOff(self.random.u64(5..120)),
                _ => Act::Kill,
            };
            self.at(now, Act::Replica(number, Box::new(act)));
        }
        let strikes = (0..self.random.u32(0..4)).map(|_| {
            let call = self.random.u64(1..120);
            let blow = match self.random.u32(0..4) {
                0 => Blow::CrashBefore,
                1 => Blow::CrashAfter,
                _ => Blow::Fault(self.fault()),
            };
            Strike { call, blow }
        });
        self.replicas = Plan { replicas, lease_strikes: strikes.collect(), ..Plan::default() };
    }

    /// Single calls that fail.
    fn strikes(&mut self) -> Vec<Strike> {
        let number = self.random.u32(0..6);
        let mut strikes: Vec<Strike> = (0..number)
            .map(|_| {
                let call = self.random.u64(1..self.scale.calls);
                let blow = match self.random.u32(0..6) {
                    0 => Blow::CrashBefore,
                    1 => Blow::CrashAfter,
                    2 => Blow::Stop,
                    _ => Blow::Fault(self.fault()),
                };
                Strike { call, blow }
            })
            .collect();
        strikes.sort_by_key(|strike| strike.call);
        strikes.dedup_by_key(|strike| strike.call);
        strikes
    }

    /// Bad times.
    fn spells(&mut self) -> Vec<Spell> {
        let number = self.random.u32(0..5);
        let spell = |drawing: &mut Self| {
            let from = drawing.random.u64(0..drawing.scale.length.1);
            let percent = drawing.random.choice([3, 10, 30, 100]).unwrap_or(10);
            let long = if percent == 100 { 90 } else { 900 };
            let until = from + drawing.random.u64(5..long);
            Spell { from, until, percent, fault: drawing.fault() }
        };
        (0..number).map(|_| spell(self)).collect()
    }

    fn slips(&mut self) -> Vec<Slip> {
        let number = if self.one_in(3) { self.random.u32(1..4) } else { 0 };
        let how = [Slipping::CrashBefore, Slipping::CrashAfter, Slipping::Fails];
        let slip =
            |random: &mut Rng| Slip { write: random.u64(1..40), how: random.choice(how).unwrap_or(Slipping::Fails) };
        (0..number).map(|_| slip(&mut self.random)).collect()
    }

    fn fault(&mut self) -> FaultKind {
        let error = |code: &str| FaultKind::Error { code: code.to_owned(), message: "simulated".to_owned() };
        let all = [
            FaultKind::Throttle,
            FaultKind::ThrottleFor(self.random.u64(100..8000)),
            FaultKind::ServerError,
            FaultKind::ServerErrorAfter,
            FaultKind::HtmlError,
            FaultKind::EmptyError,
            FaultKind::Truncated,
            FaultKind::AccessDenied,
            FaultKind::ConnectTimeout,
            FaultKind::ResetBefore,
            FaultKind::ResetAfter,
            FaultKind::HangBefore,
            FaultKind::HangAfter,
            FaultKind::Stale(self.random.u64(500..30_000)),
            FaultKind::Stale(self.random.u64(500..30_000)),
            FaultKind::Omit(Omission::Missing),
            FaultKind::Omit(Omission::Denied),
            FaultKind::Omit(Omission::Silent),
            FaultKind::Paged(Paging::Single),
            FaultKind::Paged(Paging::Empty),
            FaultKind::Paged(Paging::Repeated),
            FaultKind::Paged(Paging::Shuffled),
            FaultKind::Paged(Paging::Expired),
            error("ExpiredTokenException"),
            error("UnrecognizedClientException"),
            error("LimitExceededException"),
            error("ServiceQuotaExceededException"),
        ];
        self.random.choice(all).unwrap_or(FaultKind::Throttle)
    }
}
