//! What people do with Fargateer, one thing at a time: each workload is played without faults first, then with every fault
//! at every call. The numbers in brackets are those of the lessons from other tools.

use std::time::Duration;

use fargateer_sim::Behaviour;
use serde_json::json;

use crate::agent::Agent;
use crate::plan::{Act, Meddling, Outage, Plan, Step};

/// A workload: what is there at first, and what then happens.
#[derive(Debug, Clone)]
pub struct Workload {
    /// Its name.
    pub name: &'static str,
    steps: Vec<Step>,
    replicas: usize,
    rows: bool,
    commits: bool,
    max_rollouts: Option<u32>,
    /// Calls before this second are of no interest: they belong to what is there at first.
    pub change: u64,
    /// So large that only its deaths are enumerated, and only in singles.
    pub is_large: bool,
}

/// When the change comes: long after all that was there at first is settled.
const CHANGE: u64 = 240;

impl Workload {
    /// The plan of the workload without faults. The canary of its seed stands in every spec.
    pub fn plan(&self) -> Plan {
        Plan {
            name: self.name.to_owned(),
            seed: 1,
            replicas: self.replicas,
            rows: self.rows,
            commits: self.commits,
            beside: self.steps.iter().any(|step| matches!(step.act, Act::Beside(_))),
            max_rollouts: self.max_rollouts,
            steps: self.steps.clone(),
            ..Plan::default()
        }
    }
}

fn at(at: u64, act: Act) -> Step {
    Step { at, act }
}

fn write(agent: &Agent) -> Act {
    Act::Write(agent.clone().document())
}

/// Something made from nothing.
fn first(name: &'static str, agents: &[Agent]) -> Workload {
    let steps = agents.iter().map(|agent| at(0, write(agent))).collect();
    settled(name, steps, 0)
}

/// Something that is there, and what then happens, with the seconds since the change.
fn then(name: &'static str, before: &[Agent], acts: Vec<(u64, Act)>) -> Workload {
    let steps = before.iter().map(|agent| at(0, write(agent)));
    let change = acts.into_iter().map(|(after, act)| at(CHANGE + after, act));
    settled(name, steps.chain(change).collect(), CHANGE)
}

/// Steps of one process with one source of files, of which those before `change` are of no interest.
fn settled(name: &'static str, steps: Vec<Step>, change: u64) -> Workload {
    let (replicas, max_rollouts) = (0, None);
    let (rows, commits, is_large) = (false, false, false);
    Workload { name, steps, replicas, rows, commits, max_rollouts, change, is_large }
}

/// The same after one more word about behaviours.
fn with_behaviour(mut workload: Workload, pattern: &str, behaviour: Behaviour) -> Workload {
    workload.steps.insert(0, at(0, Act::Behave(pattern.to_owned(), behaviour)));
    workload
}

/// An agent of every workload; the canary stands where a secret may stand.
pub fn bot(name: &str) -> Agent {
    Agent::named(name).with_env("API_TOKEN", &crate::leaks::canary(1))
}

fn full(name: &str) -> Agent {
    bot(name).with_tasks(2).scaled(2, 5).behind_the_load_balancer().with("tags", json!({"team": "support"}))
}

/// All workloads.
pub fn all() -> Vec<Workload> {
    let mut all = [
        making(),
        changing(),
        rescaling(),
        rearranging(),
        ending(),
        failing(),
        drifting(),
        learning(),
        sharing(),
        queueing(),
        tabling(),
        committing(),
        disputing(),
        moving(),
        assuming(),
        governing(),
    ]
    .concat();
    // Replicas beat and look all the time: they are struck by deaths alone, and by the swarm.
    let large = |workload: &Workload| workload.replicas > 0 || workload.name == "many revisions (21)";
    all.iter_mut().filter(|workload| large(workload)).for_each(|workload| workload.is_large = true);
    all
}

/// What an operator says beside the specs: a policy, what is handed back, what is adopted.
fn governing() -> Vec<Workload> {
    let edited = full("bot").with_env("A", "1");
    let frozen = json!({"freezes": [{"name": "now", "from": "2025-12-01T00:00", "until": "2027-01-01T00:00", "timeZone": "UTC"}]});
    let meddle = |after: u64, meddling: Meddling| (after, Act::Meddle("bot".to_owned(), meddling));
    let freeze = vec![
        (0, Act::Govern(Some(frozen))),
        (1, write(&edited)),
        meddle(60, Meddling::Exec),
        (120, Act::Delete("other".to_owned())),
        (600, Act::Govern(None)),
    ];
    let outside = vec![
        (0, Act::Govern(Some(json!({"limits": {"tasks": 5, "cpu": 256}})))),
        (1, write(&edited.clone().with("resources", json!({"cpu": 512, "memory": 1024})))),
        (200, Act::Govern(None)),
    ];
    // The log group, too, is another tool's then: of what is adopted the service alone is ours.
    let adopted = vec![
        meddle(0, Meddling::Strip),
        (1, Act::KillAndForget),
        meddle(60, Meddling::Adopt),
        (61, Act::Retry("bot".to_owned())),
        (200, write(&edited)),
    ];
    vec![
        then("a freeze", &[full("bot"), bot("other"), bot("stays")], freeze),
        then("outside the policy, and inside again", &[full("bot")], outside),
        then("adopted from another tool", &[full("bot")], adopted),
        then("handed back", &[full("bot"), bot("other")], vec![(0, Act::HandBack("bot".to_owned()))]),
    ]
}

/// Specs in the rows of a table, read now and again, and statuses told there.
fn tabling() -> Vec<Workload> {
    let two = [bot("bot"), full("other")];
    let gone = |name: &str| Act::Delete(name.to_owned());
    let rolling = vec![(0, write(&bot("bot").with_env("A", "1"))), (70, gone("bot"))];
    let lost = |outage: Outage| {
        vec![(0, Act::Lose(outage)), (5, write(&full("other").with_env("A", "1"))), (300, Act::Restore)]
    };
    let rows = |workload: Workload| Workload { rows: true, ..workload };
    vec![
        rows(then(
            "a row is made, edited and deleted",
            &two,
            vec![(0, write(&bot("bot").with_env("A", "1"))), (200, gone("bot"))],
        )),
        rows(then("a row is deleted while its agent rolls out", &two, rolling)),
        rows(then(
            "a row says nothing that can be used",
            &two,
            vec![(0, Act::Garble("bot".to_owned())), (200, write(&bot("bot")))],
        )),
        rows(then("a table that can't be read (24)", &two, lost(Outage::Unreadable))),
        rows(then("a table without rows (24)", &two, lost(Outage::Empty))),
    ]
}

/// Specs in a repository, where a commit says what it removes.
fn committing() -> Vec<Workload> {
    let two = [bot("bot"), full("other")];
    let gone = |name: &str| Act::Delete(name.to_owned());
    let commits = |workload: Workload| Workload { commits: true, ..workload };
    let rewritten = vec![(0, Act::Lose(Outage::Empty)), (130, gone("bot")), (300, Act::Restore)];
    let unread = vec![(0, Act::Lose(Outage::Unreadable)), (5, gone("bot")), (200, Act::Restore)];
    vec![
        commits(then("a commit removes an agent", &two, vec![(0, gone("bot"))])),
        commits(then("a commit is reverted", &two, vec![(0, gone("bot")), (100, write(&bot("bot")))])),
        commits(then("a commit renames an agent", &two, vec![(0, gone("bot")), (0, write(&bot("robot")))])),
        commits(then("a history without agents (24)", &two, rewritten)),
        commits(then("a commit nobody could read at first", &two, unread)),
    ]
}

/// The second source has `agents` from the beginning.
fn beside(mut workload: Workload, agents: &[Agent]) -> Workload {
    let steps = agents.iter().map(|agent| at(0, Act::Beside(Box::new(write(agent)))));
    workload.steps.splice(0..0, steps);
    workload
}

/// Two sources that speak of the same agent.
fn disputing() -> Vec<Workload> {
    let there = |after: u64, act: Act| (after, Act::Beside(Box::new(act)));
    let gone = || Act::Delete("bot".to_owned());
    let copy = || write(&bot("bot").with_env("A", "2").with_tasks(2));
    let settled_by_one = vec![there(0, copy()), (500, write(&bot("bot").with_env("A", "1"))), (560, gone())];
    let unread = vec![
        there(0, copy()),
        (500, Act::Lose(Outage::Unreadable)),
        (505, Act::Kill),
        (700, Act::Restore),
        there(800, gone()),
    ];
    vec![
        beside(then("two sources speak of an agent", &[bot("bot")], settled_by_one), &[bot("owl")]),
        beside(then("one of two that speak of an agent can't be read", &[bot("bot")], unread), &[bot("owl")]),
    ]
}

/// Agents that go from one source to another, read at different times, and sources that say nothing for a while.
fn moving() -> Vec<Workload> {
    let there = |after: u64, act: Act| (after, Act::Beside(Box::new(act)));
    let gone = || Act::Delete("bot".to_owned());
    let (pair, owl) = ([bot("bot"), bot("keeper")], [bot("owl")]);
    let commits = |workload: Workload| Workload { commits: true, ..workload };
    let rows = |workload: Workload| Workload { rows: true, ..workload };
    let out = vec![(65, gone()), there(70, write(&bot("bot")))];
    let over = vec![there(0, write(&bot("bot"))), (20, gone())];
    let back = vec![(0, write(&bot("owl"))), there(20, Act::Delete("owl".to_owned()))];
    let silent = vec![there(0, Act::Lose(Outage::Empty)), there(700, Act::Restore)];
    vec![
        commits(beside(then("an agent moves to another repository", &pair, out), &owl)),
        beside(then("an agent is copied to another folder, then removed", &pair[..1], over), &owl),
        rows(beside(
            then("an agent moves from a repository to a table", &pair[..1], back),
            &[bot("owl"), bot("eagle")],
        )),
        beside(then("one of two sources shows nothing (24)", &pair, silent), &owl),
    ]
}

/// Agents in whose name Fargateer assumes a role.
fn assuming() -> Vec<Workload> {
    let other = bot("other");
    let edit = |after: u64| (after, write(&full("bot").by_role().with_env("A", "1")));
    vec![
        first("made by a role", &[full("bot").by_role(), other.clone()]),
        // A role's credentials end after an hour.
        then("by a role, an hour later", &[full("bot").by_role(), other.clone()], vec![edit(3400)]),
        then("by a role from now on", &[full("bot"), other.clone()], vec![edit(0)]),
        then("a role's agent ends", &[full("bot").by_role(), other], vec![(0, Act::Delete("bot".to_owned()))]),
    ]
}

/// Agents that wait for one another: for those they depend on, and for their turn (I17).
fn queueing() -> Vec<Workload> {
    let needing = |name: &str, others: &[&str]| bot(name).with("dependsOn", json!(others));
    let chain = [needing("web", &["store"]), needing("store", &["base"]), bot("base")];
    let edit = |agents: &[Agent]| -> Vec<(u64, Act)> {
        agents.iter().map(|agent| (0, write(&agent.clone().with_env("A", "1")))).collect()
    };
    let three: Vec<Agent> = (0..3).map(|number| bot(&format!("bot-{number}"))).collect();
    let one_at_a_time = |workload| Workload { max_rollouts: Some(1), ..workload };
    vec![
        first("a chain of three", &chain),
        then("a chain of three changes", &chain, edit(&chain)),
        one_at_a_time(first("three made, one at a time", &three)),
        one_at_a_time(then("three change, one at a time", &three, edit(&three))),
    ]
}

/// Several processes over the same fleet (F13, F15, I9).
fn sharing() -> Vec<Workload> {
    let three: Vec<Agent> = (0..3).map(|number| bot(&format!("bot-{number}"))).collect();
    let edit = |after: u64, value: &str| -> Vec<(u64, Act)> {
        three.iter().map(|agent| (after, write(&agent.clone().with_env("A", value)))).collect()
    };
    let during = |after: u64, replica: usize, act: Act| vec![(after, Act::Replica(replica, Box::new(act)))];
    let workload =
        |name, replicas, acts: Vec<Vec<(u64, Act)>>| Workload { replicas, ..then(name, &three, acts.concat()) };
    // One that comes back must know at once that it may write no more, whatever there is to write.
    let returning = vec![edit(0, "1"), during(1, 0, Act::Freeze(90)), edit(91, "2"), edit(92, "3"), edit(94, "4")];
    // One that can't reach the table must stop by itself: nobody can tell it that it was taken over from.
    let cut_off = vec![edit(0, "1"), during(1, 0, Act::CutOff(90)), edit(60, "2"), edit(80, "3")];
    let rolling = (0..3).map(|number| during(1 + 40 * number, usize::try_from(number).unwrap_or(0), Act::Stop));
    vec![
        workload("two replicas, one dies", 2, vec![edit(0, "1"), during(1, 0, Act::Kill)]),
        workload("two replicas, one stands still", 2, returning),
        workload("two replicas, one loses the table", 2, cut_off),
        workload("three replicas, all replaced", 3, std::iter::once(edit(0, "1")).chain(rolling).collect()),
        leaving_when_their_replica_dies(),
        joining_in_the_middle(),
    ]
}

/// Whoever joins gets its share while the one who gives it is at work on it.
fn joining_in_the_middle() -> Workload {
    // Among these names are two that go from the one who was there to the one who joins.
    let four: Vec<Agent> = (6..10).map(|number| bot(&format!("bot-{number}"))).collect();
    let mut workload = Workload { replicas: 2, ..first("two replicas, one joins", &four) };
    workload.steps.push(at(10, Act::Replica(1, Box::new(Act::Kill))));
    workload.steps.extend(four.iter().map(|agent| at(13, write(&agent.clone().with_env("A", "1")))));
    workload
}

/// Whoever takes over never saw these agents, and their specs are gone: only their statuses tell what there is to delete.
fn leaving_when_their_replica_dies() -> Workload {
    // Among these names is one that goes from the one who dies to the one who was there before.
    let six: Vec<Agent> = (6..12).map(|number| bot(&format!("bot-{number}"))).collect();
    let mut workload = Workload { replicas: 2, ..first("two replicas, agents leave and one dies", &six) };
    workload.steps.extend((7..11).map(|number| at(50, Act::Delete(format!("bot-{number}")))));
    workload.steps.push(at(55, Act::Kill));
    workload
}

fn making() -> Vec<Workload> {
    let many: Vec<Agent> = (0..6).map(|number| bot(&format!("bot-{number}"))).collect();
    let batch: Vec<Agent> = (0..25).map(|number| bot(&format!("bot-{number:02}"))).collect();
    let mut failover = first("batch of 25 and a failover", &batch);
    failover.steps.push(at(4, Act::KillAndForget));
    failover.is_large = true;
    vec![
        first("create minimal", &[bot("bot")]),
        first("create full", &[full("bot")]),
        first("create without logs", &[bot("bot").with("logging", json!({"enabled": false}))]),
        first("create nothing running (7)", &[bot("bot").with_tasks(0)]),
        first("batch of 6", &many),
        failover,
    ]
}

fn changing() -> Vec<Workload> {
    let image = |agent: Agent| write(&agent.with_image("public.example.com/bot:2"));
    vec![
        then("image update", &[full("bot")], vec![(0, image(full("bot")))]),
        then(
            "two updates in a row",
            &[bot("bot")],
            vec![(0, write(&bot("bot").with_env("A", "1"))), (7, write(&bot("bot").with_env("A", "2")))],
        ),
        then(
            "there and back again",
            &[bot("bot")],
            vec![(0, write(&bot("bot").with_env("A", "1"))), (9, write(&bot("bot")))],
        ),
        then(
            "resize",
            &[bot("bot")],
            vec![(0, write(&bot("bot").with("resources", json!({"cpu": 512, "memory": 2048}))))],
        ),
        then("scale", &[bot("bot")], vec![(0, write(&bot("bot").with_tasks(3)))]),
        then("scale to nothing (7)", &[bot("bot")], vec![(0, write(&bot("bot").with_tasks(0)))]),
        then("scaling on", &[bot("bot").with_tasks(2)], vec![(0, write(&bot("bot").with_tasks(2).scaled(2, 5)))]),
        then("scaling off (6)", &[full("bot")], vec![(0, write(&full("bot").without("autoscaling")))]),
    ]
}

fn rescaling() -> Vec<Workload> {
    let image = |agent: Agent| write(&agent.with_image("public.example.com/bot:2"));
    vec![
        then(
            "another range and target",
            &[full("bot")],
            vec![(0, write(&full("bot").scaled(2, 7).with("autoscaling/targetMemory", json!(60))))],
        ),
        then(
            "scaled out, then an update (4)",
            &[full("bot")],
            vec![
                (0, Act::Load("bot".to_owned(), 180)),
                (120, Act::Load("bot".to_owned(), 70)),
                (130, image(full("bot"))),
            ],
        ),
        then(
            "one policy less",
            &[full("bot")],
            vec![(
                0,
                write(
                    &bot("bot")
                        .with_tasks(2)
                        .behind_the_load_balancer()
                        .with("tags", json!({"team": "support"}))
                        .with("autoscaling", json!({"enabled": true, "min": 2, "max": 5})),
                ),
            )],
        ),
        then(
            "a schedule comes and goes",
            &[full("bot")],
            vec![
                (
                    0,
                    write(&full("bot").with(
                        "autoscaling/scheduled",
                        json!([
                            {"name": "night", "schedule": "cron(0 3 * * ? *)", "min": 2, "max": 4},
                        ]),
                    )),
                ),
                (60, write(&full("bot"))),
            ],
        ),
    ]
}

fn rearranging() -> Vec<Workload> {
    let spot = json!({"strategy": [{"provider": "FARGATE_SPOT", "weight": 1}, {"provider": "FARGATE", "base": 1}]});
    let reordered = bot("bot").with("network/subnets", json!(["subnet-0b2", "subnet-0a1"]));
    vec![
        then("load balancer on (17)", &[bot("bot")], vec![(0, write(&bot("bot").behind_the_load_balancer()))]),
        then("load balancer off (18)", &[bot("bot").behind_the_load_balancer()], vec![(0, write(&bot("bot")))]),
        then("Spot on", &[bot("bot")], vec![(0, write(&bot("bot").with("capacity", spot.clone())))]),
        then("Spot off (18)", &[bot("bot").with("capacity", spot)], vec![(0, write(&bot("bot")))]),
        then("other words, same meaning (2, 15)", &[bot("bot")], vec![(0, write(&reordered))]),
        then(
            "tags and retention (16)",
            &[full("bot")],
            vec![(
                0,
                write(&full("bot").with("tags", json!({"tier": "2"})).with("logging", json!({"retentionDays": 7}))),
            )],
        ),
        then(
            "many revisions (21)",
            &[bot("bot")],
            (0..13).map(|number| (number * 90, write(&bot("bot").with_env("N", &number.to_string())))).collect(),
        ),
    ]
}

fn ending() -> Vec<Workload> {
    let keeper = || bot("keeper");
    let gone = |name: &str| Act::Delete(name.to_owned());
    vec![
        then("delete", &[full("bot"), keeper()], vec![(0, gone("bot"))]),
        then("delete with its data", &[bot("bot").with("retainData", json!(false)), keeper()], vec![(0, gone("bot"))]),
        then(
            "delete and keep running",
            &[bot("bot").with("deletionPolicy", json!("Retain")), keeper()],
            vec![(0, gone("bot"))],
        ),
        then("rename", &[bot("bot"), keeper()], vec![(0, gone("bot")), (0, write(&bot("robot")))]),
        then("delete and change one's mind", &[bot("bot"), keeper()], vec![(0, gone("bot")), (90, write(&bot("bot")))]),
        then("delete and recreate (22)", &[full("bot"), keeper()], vec![(0, gone("bot")), (186, write(&full("bot")))]),
        then(
            "delete while rolling out",
            &[bot("bot"), keeper()],
            vec![(0, write(&bot("bot").with_env("A", "1"))), (5, gone("bot"))],
        ),
        then("an empty source (24)", &[bot("bot"), keeper()], vec![(0, Act::Lose(Outage::Empty)), (400, Act::Restore)]),
        then(
            "a source that can't be read (24)",
            &[bot("bot"), keeper()],
            vec![(0, Act::Lose(Outage::Unreadable)), (400, Act::Restore)],
        ),
        then(
            "a garbled spec (24)",
            &[bot("bot"), keeper()],
            vec![(0, Act::Garble("bot".to_owned())), (400, write(&bot("bot").with_env("A", "1")))],
        ),
    ]
}

fn failing() -> Vec<Workload> {
    let bad = |agent: Agent| agent.with_image("public.example.com/bot:bad");
    let crash = Behaviour::CrashLoop { exit_code: 1 };
    let slow = Behaviour::SlowStart(Duration::from_secs(50));
    vec![
        with_behaviour(
            then(
                "a bad image, rolled back, mended (8)",
                &[bot("bot")],
                vec![(0, write(&bad(bot("bot")))), (200, write(&bot("bot").with_image("public.example.com/bot:2")))],
            ),
            "bot:bad",
            crash.clone(),
        ),
        with_behaviour(
            then("a bad image stays (8)", &[full("bot")], vec![(0, write(&bad(full("bot"))))]),
            "bot:bad",
            crash.clone(),
        ),
        with_behaviour(first("the first deployment fails (10)", &[bad(bot("bot"))]), "bot:bad", crash),
        with_behaviour(
            then(
                "never healthy behind a load balancer",
                &[full("bot")],
                vec![(0, write(&bad(full("bot")))), (900, write(&full("bot")))],
            ),
            "bot:bad",
            Behaviour::UnhealthyTarget,
        ),
        with_behaviour(
            then("a slow start (11, 12)", &[bot("bot")], vec![(0, write(&bad(bot("bot"))))]),
            "bot:bad",
            slow,
        ),
    ]
}

/// What other tools get wrong and no other workload is about.
fn learning() -> Vec<Workload> {
    let defaults = bot("bot")
        .with_tasks(1)
        .with("resources", json!({"cpu": 256, "memory": 512, "architecture": "X86_64"}))
        .with("network/assignPublicIp", json!(false))
        .with("container/port", json!(8000))
        .with("logging", json!({"enabled": true, "group": "/ecs/bot", "retentionDays": 30}))
        .with("rollout", json!({"strategy": "Rolling", "minimumHealthyPercent": 100, "maximumPercent": 200}));
    let long = bot("bot")
        .with("cluster", json!("arn:aws:ecs:us-east-1:111122223333:cluster/agents"))
        .with("roles/execution", json!("execution"));
    let unlisted = bot("bot").with("overrides/taskDefinition", json!({"enableFaultInjection": true}));
    let lost = bot("lost").with("cluster", json!("nowhere"));
    vec![
        then(
            "the same again, to a process that knows nothing (1)",
            &[full("bot")],
            vec![(0, Act::KillAndForget), (0, write(&full("bot")))],
        ),
        then("every default written out (3)", &[bot("bot")], vec![(0, write(&defaults))]),
        then("names as ARNs (26)", &[bot("bot")], vec![(0, write(&long))]),
        then("an unlisted field (19)", &[bot("bot")], vec![(0, write(&unlisted))]),
        first("one cluster is not there, the other is (13)", &[lost, bot("bot")]),
        then(
            "blue/green moves the target groups (20)",
            &[bot("bot").blue_green()],
            vec![(0, write(&bot("bot").blue_green().with_env("A", "1")))],
        ),
        then(
            "another installation's (23)",
            &[full("bot"), bot("keeper")],
            vec![(0, Act::Meddle("bot".to_owned(), Meddling::TakeOver)), (1, write(&full("bot").with_env("A", "1")))],
        ),
    ]
}

fn drifting() -> Vec<Workload> {
    let meddle = |meddling: Meddling| vec![(0, Act::Meddle("bot".to_owned(), meddling))];
    vec![
        then("drift: count", &[bot("bot")], meddle(Meddling::Count(3))),
        then("drift: revision", &[bot("bot")], meddle(Meddling::Revision)),
        then("drift: load balancer", &[full("bot")], meddle(Meddling::Detach)),
        then("drift: service deleted", &[full("bot")], meddle(Meddling::DeleteService)),
        then("drift: tags (16)", &[full("bot")], meddle(Meddling::Untag)),
        then("drift: scaling deregistered", &[full("bot")], meddle(Meddling::Deregister)),
        then("drift: range", &[full("bot")], meddle(Meddling::Range(1, 9))),
        then("drift: policy", &[full("bot")], meddle(Meddling::Policy)),
        then("drift: retention", &[full("bot")], meddle(Meddling::Retention(1))),
        // A revision's status is believed for a day: a new process sees it at once.
        then(
            "drift: log group deleted, then an update",
            &[bot("bot")],
            vec![(0, Act::Meddle("bot".to_owned(), Meddling::DeleteLogs)), (60, write(&bot("bot").with_env("A", "1")))],
        ),
        then(
            "drift: revision deregistered (21)",
            &[bot("bot")],
            vec![(0, Act::Meddle("bot".to_owned(), Meddling::Deregistered)), (1, Act::Kill)],
        ),
        then("disowned (3)", &[full("bot")], meddle(Meddling::Disown)),
        then(
            "Spot interruption",
            &[bot("bot").with("capacity", json!({"provider": "FARGATE_SPOT"}))],
            vec![(0, Act::Interrupt("bot".to_owned()))],
        ),
        then(
            "a poisoned neighbour",
            &[bot("bot"), full("other")],
            vec![(0, Act::Poison("bot".to_owned())), (1, write(&full("other").with_env("A", "1")))],
        ),
    ]
}
