//! What a reading of the sources may lead to: nobody is deleted because something else cannot be read.

#![cfg(test)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fargateer_api::status::{AgentDeploymentStatus, Inventory, Reason, SourceStatus};
use fargateer_api::{AgentDeployment, Key};
use fargateer_controller::board::Board;
use fargateer_controller::fleet::Fleet;
use fargateer_controller::port::{Clock, Document, Snapshot, Statuses};
use fargateer_plan::desired::{Obstacle, Spec};
use fargateer_plan::prune::Policy;
use jiff::Timestamp;
use serde_json::json;

/// Two agents that ran before.
struct Ran;

#[async_trait]
impl Statuses for Ran {
    async fn load(&self) -> Result<BTreeMap<Key, AgentDeploymentStatus>, String> {
        let status = |name: &str| {
            let inventory = Inventory { service: name.to_owned(), ..Inventory::default() };
            (Key::new(name), AgentDeploymentStatus { inventory, ..AgentDeploymentStatus::default() })
        };
        Ok(["one", "two", "three"].map(status).into())
    }

    async fn save(&self, _key: &Key, _status: &AgentDeploymentStatus) -> Result<(), String> {
        Ok(())
    }

    async fn remove(&self, _key: &Key) -> Result<(), String> {
        Ok(())
    }
}

struct Epoch;

impl Clock for Epoch {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

async fn fleet() -> Fleet {
    let board = Board::load(Arc::new(Ran), Arc::new(Epoch)).await.unwrap();
    let policy = Policy { grace: Duration::ZERO, reads: 1, ..Policy::default() };
    Fleet::new(Arc::new(board), "test", policy, 1)
}

fn good(name: &str) -> (Key, Vec<Document>) {
    let agent: AgentDeployment = serde_json::from_value(json!({
        "apiVersion": "fargateer/v1", "kind": "AgentDeployment", "metadata": {"name": name},
        "spec": {"cluster": "c", "image": {"uri": "x:1"}, "network": {"subnets": ["subnet-1"]}},
    }))
    .unwrap();
    let document =
        Document { agent: Some(std::sync::Arc::new(agent)), faults: Vec::new(), source: SourceStatus::default() };
    (Key::new(name), vec![document])
}

fn faulty(name: &str) -> (Key, Vec<Document>) {
    let (key, mut documents) = good(name);
    documents[0].faults = vec![format!("{name}.yaml:9:1: not YAML")];
    (key, documents)
}

fn read(documents: impl IntoIterator<Item = (Key, Vec<Document>)>) -> Snapshot {
    let documents = documents.into_iter().collect();
    Snapshot { source: "specs".to_owned(), whole: true, documents, ..Snapshot::default() }
}

fn held(fleet: &Fleet, name: &str) -> Option<Reason> {
    match fleet.spec(&Key::new(name)) {
        Spec::Gone(departure) => departure.held.map(|(reason, _)| reason),
        Spec::Present { .. } | Spec::Broken { .. } => panic!("{name} has a spec"),
    }
}

#[tokio::test]
async fn a_spec_that_is_gone_from_a_faultless_reading_may_be_deleted() {
    let fleet = fleet().await;
    fleet.update(read([good("one"), good("two"), good("three")]));
    fleet.update(read([good("one"), good("two")]));
    assert_eq!(held(&fleet, "three"), None);
}

/// A `---` that lost a dash makes one faulty document of two: the second one is not gone.
#[tokio::test]
async fn a_fault_anywhere_keeps_every_agent_that_is_not_found() {
    let fleet = fleet().await;
    fleet.update(read([good("one"), good("two"), good("three")]));
    let changes = fleet.update(read([faulty("one"), good("two")]));
    let Spec::Present { faults, .. } = fleet.spec(&Key::new("three")) else { panic!("three is kept") };
    assert!(faults[0].contains("not found by the last read"), "{faults:?}");
    assert!(changes.missing.is_empty());
    fleet.update(read([good("one"), good("two"), good("three")]));
    let Spec::Present { faults, .. } = fleet.spec(&Key::new("three")) else { panic!("three is back") };
    assert!(faults.is_empty());
}

/// After a restart there is no last good spec to keep; there is a status, and that is not deleted on.
#[tokio::test]
async fn a_fault_in_the_first_reading_deletes_nobody() {
    let fleet = fleet().await;
    fleet.update(read([faulty("one"), good("two")]));
    assert_eq!(held(&fleet, "three"), Some(Reason::PruneGrace));
}

/// A line more at the head of a file moves every document below it, and a commit that touches one agent of a file makes a
/// new revision of all of them.
#[tokio::test]
async fn a_spec_that_only_stands_elsewhere_wakes_nobody_and_tells_its_new_place() {
    let fleet = fleet().await;
    fleet.update(read([good("one"), good("two"), good("three")]));
    let (key, mut documents) = good("two");
    documents[0].source = SourceStatus { location: "b.yaml:9".to_owned(), ..SourceStatus::default() };
    let changes = fleet.update(read([good("one"), (key, documents), good("three")]));
    assert_eq!(changes.changed, Vec::<Key>::new());
    let Spec::Present { source, .. } = fleet.spec(&Key::new("two")) else { panic!("two has a spec") };
    assert_eq!(source.location, "b.yaml:9");
}

#[tokio::test]
async fn code_that_changes_beside_a_spec_wakes_its_agent_alone() {
    let fleet = fleet().await;
    let with_code = |name: &str, code: &str| {
        let (key, mut documents) = good(name);
        documents[0].source.code = Some(code.to_owned());
        (key, documents)
    };
    fleet.update(read([with_code("one", "a"), with_code("two", "a"), good("three")]));
    let changes = fleet.update(read([with_code("one", "b"), with_code("two", "a"), good("three")]));
    assert_eq!(changes.changed, [Key::new("one")]);
}

#[tokio::test]
async fn an_agent_that_is_kept_says_which_fault_keeps_it() {
    let fleet = fleet().await;
    fleet.update(read([good("one"), good("two"), good("three")]));
    let unread = Snapshot { whole: false, faults: vec!["git: branch main is gone".to_owned()], ..read([]) };
    fleet.update(unread);
    let Spec::Present { faults, .. } = fleet.spec(&Key::new("three")) else { panic!("three is kept") };
    assert!(faults[0].ends_with(": git: branch main is gone"), "{faults:?}");
}

/// What no memory of the specs is left of says it, too.
#[tokio::test]
async fn an_agent_known_by_its_status_alone_says_which_fault_keeps_it() {
    let fleet = fleet().await;
    fleet.update(Snapshot { whole: false, faults: vec!["git: branch main is gone".to_owned()], ..read([]) });
    let Spec::Gone(departure) = fleet.spec(&Key::new("one")) else { panic!("one has no spec") };
    let (reason, message) = departure.held.expect("it is held");
    assert_eq!(reason, Reason::PruneGrace);
    assert!(message.ends_with("nothing is deleted: git: branch main is gone"), "{message}");
}

/// Reading one source twice proves nothing about another one.
#[tokio::test]
async fn an_absence_must_be_read_in_every_source_twice() {
    let board = Board::load(Arc::new(Ran), Arc::new(Epoch)).await.unwrap();
    let policy = Policy { grace: Duration::ZERO, reads: 2, ..Policy::default() };
    let fleet = Fleet::new(Arc::new(board), "test", policy, 2);
    let other = || Snapshot { source: "others".to_owned(), ..read([]) };
    fleet.update(other());
    fleet.update(read([good("one"), good("two"), good("three")]));
    fleet.update(read([good("one"), good("two")]));
    fleet.update(other());
    fleet.update(other());
    assert_eq!(held(&fleet, "three"), Some(Reason::PruneGrace));
    fleet.update(read([good("one"), good("two")]));
    assert_eq!(held(&fleet, "three"), None);
}

/// A file that is renamed, or a row that becomes a file, is another place of the same spec.
#[tokio::test]
async fn a_spec_that_moves_from_one_source_to_another_is_not_missing() {
    let board = Board::load(Arc::new(Ran), Arc::new(Epoch)).await.unwrap();
    let policy = Policy { grace: Duration::ZERO, reads: 1, ..Policy::default() };
    let fleet = Fleet::new(Arc::new(board), "test", policy, 2);
    let other = |documents: Vec<(Key, Vec<Document>)>| Snapshot { source: "others".to_owned(), ..read(documents) };
    fleet.update(other(vec![]));
    fleet.update(read([good("one"), good("two"), good("three")]));
    fleet.update(other(vec![good("three")]));
    let changes = fleet.update(Snapshot { removed: [Key::new("three")].into(), ..read([good("one"), good("two")]) });
    assert!(changes.missing.is_empty());
    assert!(matches!(fleet.spec(&Key::new("three")), Spec::Present { .. }));
}

#[tokio::test]
async fn what_a_commit_removed_needs_no_second_read_and_what_is_merely_missing_does() {
    let board = Board::load(Arc::new(Ran), Arc::new(Epoch)).await.unwrap();
    let policy = Policy { grace: Duration::ZERO, reads: 2, ..Policy::default() };
    let fleet = Fleet::new(Arc::new(board), "test", policy, 1);
    fleet.update(read([good("one"), good("two"), good("three")]));
    fleet.update(Snapshot { removed: [Key::new("two")].into(), ..read([good("one")]) });
    assert_eq!(held(&fleet, "two"), None);
    assert_eq!(held(&fleet, "three"), Some(Reason::PruneGrace));
    fleet.update(read([good("one")]));
    assert_eq!(held(&fleet, "three"), None);
}

/// Two sources, each read whole; `three` ran before. The first one is called `specs`, this one `others`.
fn others(documents: impl IntoIterator<Item = (Key, Vec<Document>)>) -> Snapshot {
    Snapshot { source: "others".to_owned(), ..read(documents) }
}

async fn fleet_of_two(policy: Policy, statuses: impl Statuses + 'static) -> Fleet {
    let board = Board::load(Arc::new(statuses), Arc::new(Epoch)).await.unwrap();
    Fleet::new(Arc::new(board), "test", policy, 2)
}

fn at(location: &str, (key, mut documents): (Key, Vec<Document>)) -> (Key, Vec<Document>) {
    documents[0].source = SourceStatus { location: location.to_owned(), ..SourceStatus::default() };
    (key, documents)
}

fn running(name: &str, image: &str) -> (Key, Vec<Document>) {
    let (key, mut documents) = good(name);
    let mut agent = AgentDeployment::clone(documents[0].agent.as_ref().unwrap());
    agent.spec.image.uri = Some(image.to_owned());
    documents[0].agent = Some(Arc::new(agent));
    (key, documents)
}

/// The image of the spec that is followed, and whether it is told as disputed.
fn followed(fleet: &Fleet, name: &str) -> (Option<String>, bool) {
    match fleet.spec(&Key::new(name)) {
        Spec::Present { agent, obstacle, .. } => (agent.spec.image.uri.clone(), obstacle == Obstacle::Dispute),
        Spec::Broken { reason, .. } => (None, reason == Reason::Conflict),
        Spec::Gone(_) => panic!("{name} has no spec"),
    }
}

/// A commit moves an agent's spec into another repository, and that one is read later than the grace lasts.
#[tokio::test]
async fn what_a_commit_took_out_of_one_source_is_not_gone_before_the_others_were_read_again() {
    let policy = Policy { grace: Duration::ZERO, reads: 2, ..Policy::default() };
    let fleet = fleet_of_two(policy, Ran).await;
    fleet.update(others([]));
    fleet.update(read([good("one"), good("two"), good("three")]));
    fleet.update(Snapshot { removed: [Key::new("three")].into(), ..read([good("one"), good("two")]) });
    assert_eq!(held(&fleet, "three"), Some(Reason::PruneGrace));
    fleet.update(others([]));
    assert_eq!(held(&fleet, "three"), None);
}

/// A folder that cannot be read any more shows no documents; what stood in it may stand there still.
#[tokio::test]
async fn a_dispute_is_not_over_because_one_of_its_sources_cannot_be_read() {
    let fleet = fleet_of_two(Policy::default(), Ran).await;
    fleet.update(others([]));
    fleet.update(read([running("one", "x:1")]));
    fleet.update(others([running("one", "x:2")]));
    assert_eq!(followed(&fleet, "one"), (Some("x:1".to_owned()), true));
    let unread = || Snapshot { whole: false, faults: vec!["specs: not mounted".to_owned()], ..read([]) };
    fleet.update(unread());
    fleet.update(unread());
    assert_eq!(followed(&fleet, "one"), (Some("x:1".to_owned()), true));
    fleet.update(read([running("two", "x:1")]));
    assert_eq!(followed(&fleet, "one"), (Some("x:2".to_owned()), false), "it was read, and is not there any more");
}

/// What an earlier process told of `one`.
struct Told(AgentDeploymentStatus);

#[async_trait]
impl Statuses for Told {
    async fn load(&self) -> Result<BTreeMap<Key, AgentDeploymentStatus>, String> {
        Ok([(Key::new("one"), self.0.clone())].into())
    }

    async fn save(&self, _key: &Key, _status: &AgentDeploymentStatus) -> Result<(), String> {
        Ok(())
    }

    async fn remove(&self, _key: &Key) -> Result<(), String> {
        Ok(())
    }
}

/// `one`, which followed the spec of `image` in `place`.
fn told(place: &str, image: &str) -> Told {
    let (_, documents) = running("one", image);
    let spec = &documents[0].agent.as_ref().unwrap().spec;
    let inventory = Inventory { service: "one".to_owned(), specified_in: place.to_owned(), ..Inventory::default() };
    let observed_generation = Some(fargateer_api::Generation::of(spec));
    Told(AgentDeploymentStatus { inventory, observed_generation, ..AgentDeploymentStatus::default() })
}

/// A process that starts knows of a source it cannot read only what the statuses say.
#[tokio::test]
async fn a_spec_found_elsewhere_is_not_followed_while_a_source_was_never_read() {
    let unread = || Snapshot { whole: false, faults: vec!["specs: not mounted".to_owned()], ..read([]) };
    let fleet = fleet_of_two(Policy::default(), told("specs/one.yaml:3", "x:1")).await;
    fleet.update(unread());
    fleet.update(others([at("others/one.yaml:1", running("one", "x:2"))]));
    let Spec::Broken { faults, .. } = fleet.spec(&Key::new("one")) else { panic!("{:?}", followed(&fleet, "one")) };
    assert!(faults[0].contains("may stand in specs, too") && faults[0].ends_with("specs: not mounted"), "{faults:?}");
    fleet.update(read([running("two", "x:1")]));
    assert_eq!(followed(&fleet, "one"), (Some("x:2".to_owned()), false), "now it was read");

    // In its own place, in another line, it is edited like any other; and the same wording elsewhere changes nothing.
    for (place, image) in [("others/one.yaml:7", "x:2"), ("others/new.yaml:1", "x:1")] {
        let fleet = fleet_of_two(Policy::default(), told("others/one.yaml:3", "x:1")).await;
        fleet.update(unread());
        fleet.update(others([at(place, running("one", image))]));
        assert_eq!(followed(&fleet, "one"), (Some(image.to_owned()), false), "{place}");
    }
}

/// An unmounted folder is read whole, and is empty.
#[tokio::test]
async fn a_source_that_shows_nothing_any_more_deletes_none_of_its_agents() {
    let policy = Policy { grace: Duration::ZERO, reads: 1, ..Policy::default() };
    let fleet = fleet_of_two(policy, told("others/one.yaml:3", "x:1")).await;
    fleet.update(read([good("two"), good("three")]));
    fleet.update(others([]));
    assert_eq!(held(&fleet, "one"), Some(Reason::PruneBlocked));
    fleet.update(others([good("four")]));
    assert_eq!(held(&fleet, "one"), None, "a source that shows others is believed");
}

/// While a source was unmounted an agent was moved out of it, into one that is read rarely.
#[tokio::test]
async fn what_an_empty_source_did_not_show_is_missed_from_when_it_shows_something_again() {
    let policy = Policy { grace: Duration::ZERO, reads: 2, ..Policy::default() };
    let fleet = fleet_of_two(policy, told("others/one.yaml:3", "x:1")).await;
    fleet.update(read([good("two")]));
    fleet.update(others([at("others/one.yaml:3", good("one")), good("three")]));
    fleet.update(others([]));
    fleet.update(others([]));
    fleet.update(read([good("two")]));
    assert_eq!(held(&fleet, "one"), Some(Reason::PruneBlocked));
    fleet.update(others([good("three")]));
    assert_eq!(held(&fleet, "one"), Some(Reason::PruneGrace), "it was seen to be missing once");
    fleet.update(others([good("three")]));
    assert_eq!(held(&fleet, "one"), Some(Reason::PruneGrace), "it may stand in the other one by now");
    fleet.update(read([good("two")]));
    assert_eq!(held(&fleet, "one"), None);
}

/// Its new place is where its status is looked for, in a row, and what shows that it is gone.
#[tokio::test]
async fn a_spec_that_moves_to_another_source_wakes_its_agent() {
    let fleet = fleet_of_two(Policy::default(), Ran).await;
    let one = || at("specs/one.yaml:1", good("one"));
    fleet.update(others([]));
    fleet.update(read([one(), at("specs/two.yaml:1", good("two"))]));
    fleet.update(others([at("others/one.yaml:1", good("one"))]));
    let changes = fleet.update(read([at("specs/moved/two.yaml:9", good("two"))]));
    assert_eq!(changes.changed, [Key::new("one")], "two is in the same source as before");
}

/// It was never ours: whether it goes on standing in the list need not be confirmed.
#[tokio::test]
async fn what_is_somebody_elses_is_missed_like_any_other_though_nothing_else_is_there() {
    use fargateer_api::status::{Condition, ConditionType, Truth};
    let refused = |arns: &[&str]| {
        let mut told = told("specs/one.yaml:3", "x:1");
        told.0.inventory.arns = arns.iter().map(|kind| ((*kind).to_owned(), "arn".to_owned())).collect();
        told.0.conditions = vec![Condition {
            kind: ConditionType::Ready,
            status: Truth::False,
            reason: Reason::NotOurs,
            message: String::new(),
            last_transition_time: String::new(),
            observed_generation: None,
        }];
        told
    };
    for (arns, expected) in [(&[][..], Reason::PruneGrace), (&["service"], Reason::PruneBlocked)] {
        let board = Board::load(Arc::new(refused(arns)), Arc::new(Epoch)).await.unwrap();
        let fleet = Fleet::new(Arc::new(board), "test", Policy::default(), 1);
        fleet.update(read([]));
        assert_eq!(held(&fleet, "one"), Some(expected), "{arns:?}");
    }
}
