//! What a table of specs says, on the simulated AWS. Time is paused: the next poll is always due.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use aws_types::SdkConfig;
use aws_types::region::Region;
use fargateer_api::Key;
use fargateer_controller::board::Board;
use fargateer_controller::fleet::Fleet;
use fargateer_controller::port::{Clock, Document, Snapshot, Source as _};
use fargateer_plan::prune::Policy;
use fargateer_sim::{Fault, FaultKind, Settings, Simulation};
use fargateer_store::source::table::TableSource;
use fargateer_store::status::memory::MemoryStatuses;
use fargateer_store::table::SpecTable;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::sources::names;

const REGION: &str = "us-east-1";
const POLL: Duration = Duration::from_secs(30);

/// A simulated AWS, and a table of specs in it.
pub(super) struct Place {
    pub(super) sim: Simulation,
    pub(super) table: SpecTable,
}

#[derive(Debug)]
struct Date(Simulation);

/// A time of day nobody looks at.
struct Epoch;

impl Clock for Epoch {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

impl TimeSource for Date {
    fn now(&self) -> SystemTime {
        self.0.date()
    }
}

impl Place {
    /// The table `specs`, made.
    pub(super) async fn new() -> Self {
        let place = Self::without();
        place.table.create().await.unwrap();
        place
    }

    /// The same, where each call takes `latency`.
    pub(super) async fn slow(latency: Duration) -> Self {
        let place = Self::with(latency);
        place.table.create().await.unwrap();
        place
    }

    /// The same, with no table yet.
    fn without() -> Self {
        Self::with(Settings::default().latency)
    }

    fn with(latency: Duration) -> Self {
        // Reads that are not consistent are told apart.
        let stale_reads = Duration::from_secs(50);
        let sim = Simulation::new(Settings { stale_reads, latency, ..Settings::default() });
        let table = SpecTable::new(&config(&sim), "specs");
        Self { sim, table }
    }

    pub(super) fn source(&self) -> TableSource {
        TableSource::new(self.table.clone(), POLL)
    }

    /// What somebody calls.
    #[track_caller]
    pub(super) fn call(&self, operation: &str, input: Value) -> Value {
        self.sim.call(REGION, "dynamodb", operation, input).unwrap()
    }

    /// Somebody writes a row as a whole.
    #[track_caller]
    pub(super) fn put(&self, name: &str, attributes: &Value) {
        let mut item = attributes.as_object().unwrap().clone();
        item.insert("name".to_owned(), json!({"S": name}));
        self.call("PutItem", json!({"TableName": "specs", "Item": item}));
    }

    pub(super) fn delete(&self, name: &str) {
        self.call("DeleteItem", json!({"TableName": "specs", "Key": {"name": {"S": name}}}));
    }

    pub(super) fn row(&self, name: &str) -> Value {
        let key = json!({"TableName": "specs", "Key": {"name": {"S": name}}, "ConsistentRead": true});
        self.call("GetItem", key)["Item"].clone()
    }

    pub(super) fn fault(&self, operation: &str, kind: FaultKind) {
        let operation = Some(operation.to_owned());
        self.sim.fault(Fault { operation, times: None, ..Fault::once(kind) });
    }

    pub(super) fn calls(&self, operation: &str) -> usize {
        self.sim.calls().iter().filter(|call| call.operation == operation).count()
    }
}

fn config(sim: &Simulation) -> SdkConfig {
    let credentials = Credentials::new("AKIASPECS", "secret", None, None, "test");
    SdkConfig::builder()
        .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SharedTimeSource::new(Date(sim.clone())))
        .http_client(sim.connector())
        .build()
}

/// A sound spec of the agent `name`.
pub(super) fn spec(name: &str) -> Value {
    json!({
        "cluster": "agents",
        "image": {"uri": format!("111122223333.dkr.ecr.us-east-1.amazonaws.com/agents/{name}:1.0")},
        "network": {"subnets": ["subnet-0a1b2c3d4e5f60718"]},
        "roles": {"execution": "agent-execution"},
        "resources": {"cpu": 512, "memory": 1024},
    })
}

/// A value as DynamoDB writes it.
pub(super) fn attribute(value: &Value) -> Value {
    match value {
        Value::Null => json!({"NULL": true}),
        Value::Bool(truth) => json!({"BOOL": truth}),
        Value::Number(number) => json!({"N": number.to_string()}),
        Value::String(text) => json!({"S": text}),
        Value::Array(items) => json!({"L": items.iter().map(attribute).collect::<Vec<_>>()}),
        Value::Object(_) => json!({"M": attributes(value)}),
    }
}

/// The fields of an object as attributes.
pub(super) fn attributes(fields: &Value) -> Value {
    fields.as_object().unwrap().iter().map(|(name, field)| (name.clone(), attribute(field))).collect()
}

/// A sound row.
pub(super) fn row(name: &str) -> Value {
    attributes(&json!({"spec": spec(name)}))
}

fn only<'a>(snapshot: &'a Snapshot, name: &str) -> &'a Document {
    let documents = &snapshot.documents[&Key::new(name)];
    assert_eq!(documents.len(), 1, "{documents:?}");
    &documents[0]
}

#[track_caller]
fn assert_told(faults: &[String], pieces: &[&str]) {
    assert_eq!(faults.len(), 1, "{faults:?}");
    for piece in pieces {
        assert!(faults[0].contains(piece), "{piece} in {faults:?}");
    }
}

/// The faults of a row with this spec.
async fn faults(attributes: &Value) -> Vec<String> {
    let place = Place::new().await;
    place.put("bot", attributes);
    let snapshot = place.source().next().await;
    assert!(snapshot.whole);
    let document = only(&snapshot, "bot");
    assert!(document.agent.is_none(), "{document:?}");
    document.faults.clone()
}

#[tokio::test(start_paused = true)]
async fn a_spec_is_a_map_or_a_text_of_yaml_or_json_alone_or_in_a_whole_document() {
    let place = Place::new().await;
    let yaml = "---\n# of the team\ncluster: agents\nimage:\n  uri: \"111122223333.dkr.ecr.us-east-1.amazonaws.com/agents/bot:1.0\"\nnetwork: {subnets: [subnet-0a1b2c3d4e5f60718]}\nroles:\n  execution: agent-execution\nresources: {cpu: 512,\n    memory: 1024}\n";
    let spec = spec("bot");
    let whole =
        json!({"apiVersion": "fargateer/v1", "kind": "AgentDeployment", "metadata": {"name": "bot"}, "spec": spec});
    let yaml_of_whole =
        format!("apiVersion: fargateer/v1\nkind: AgentDeployment\nmetadata: {{name: bot}}\nspec: {spec}\n");
    place.put("bot", &attributes(&json!({"spec": spec})));
    let mut source = place.source();
    let first = source.next().await;
    assert!(first.whole && first.faults.is_empty(), "{first:?}");
    let wanted = only(&first, "bot").clone();
    assert_eq!(wanted.source.location, "dynamodb://specs/bot");
    assert_eq!(wanted.agent.as_ref().unwrap().spec.resources.cpu, 512);
    let pretty = serde_json::to_string_pretty(&spec).unwrap();
    for text in [yaml.to_owned(), spec.to_string(), pretty, whole.to_string(), yaml_of_whole] {
        place.put("bot", &attributes(&json!({"spec": text})));
        assert_eq!(*only(&source.next().await, "bot"), wanted, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn labels_project_and_suspend_stand_beside_the_spec_and_everything_else_is_its_owners() {
    let place = Place::new().await;
    let beside = json!({
        "spec": spec("bot"), "labels": {"team": "support"}, "project": "desk", "suspend": "moving house",
        "owner": "kim", "cost-centre": 7, "status": "mine",
    });
    place.put("bot", &attributes(&beside));
    let mut source = place.source();
    let snapshot = source.next().await;
    let agent = only(&snapshot, "bot").agent.clone().unwrap();
    assert_eq!((agent.metadata.project.as_str(), agent.metadata.labels["team"].as_str()), ("desk", "support"));
    assert_eq!(agent.spec.suspend.as_ref().unwrap().reason, "moving house");
    for (suspend, reason) in [
        (json!({"reason": "holiday", "by": "kim"}), Some("holiday")),
        (json!(true), Some("the row says so")),
        (json!(false), None),
    ] {
        place.put("bot", &attributes(&json!({"spec": spec("bot"), "suspend": suspend})));
        let agent = only(&source.next().await, "bot").agent.clone().unwrap();
        assert_eq!(agent.spec.suspend.as_ref().map(|suspend| suspend.reason.as_str()), reason);
    }
    place.put("bot", &attributes(&json!({"spec": spec("bot"), "labels": {"team": 7}, "suspend": 7})));
    let snapshot = source.next().await;
    let faults = &only(&snapshot, "bot").faults;
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[0].contains("labels: expected a map of strings") && faults[1].contains("suspend: expected"));
}

#[tokio::test(start_paused = true)]
async fn a_faulty_row_keeps_its_last_good_spec_and_the_others_are_as_they_were() {
    let place = Place::new().await;
    place.put("one", &row("one"));
    place.put("two", &row("two"));
    let mut source = place.source();
    let good = source.next().await;
    let mut faulty = spec("two");
    faulty["resources"]["cpu"] = json!(300);
    place.put("two", &attributes(&json!({"spec": faulty})));
    let snapshot = source.next().await;
    assert!(snapshot.whole, "the row is there");
    assert_eq!(only(&snapshot, "two").agent, only(&good, "two").agent);
    assert_told(&only(&snapshot, "two").faults, &["dynamodb://specs/two: spec.resources.cpu: ", "300"]);
    assert_eq!(only(&snapshot, "one"), only(&good, "one"));
    let again = source.next().await;
    assert_eq!(only(&again, "two"), only(&snapshot, "two"), "it stays good however often it is read");
}

#[tokio::test(start_paused = true)]
async fn a_fault_in_a_text_is_told_with_its_place_in_the_text() {
    let text =
        "cluster: agents\nimage: {uri: \"x:1\"}\nnetwork: {subnets: [subnet-0a]}\nroles: {execution: e}\nclutser: b\n";
    assert_told(
        &faults(&attributes(&json!({"spec": text}))).await,
        &["dynamodb://specs/bot:5:1: spec.clutser: ", "did you mean"],
    );
    assert_told(&faults(&attributes(&json!({"spec": "cluster: [a"}))).await, &["dynamodb://specs/bot:"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_row_cannot_mean_is_told() {
    let other = json!({"apiVersion": "fargateer/v1", "kind": "AgentDeployment", "metadata": {"name": "other"}, "spec": spec("a")});
    let two = format!("{other}\n---\n{other}");
    let mut binary = row("bot");
    binary["spec"]["M"]["container"] = json!({"M": {"command": {"L": [{"B": "eA=="}]}}});
    for (attributes, pieces) in [
        (json!({}), vec!["dynamodb://specs/bot: no attribute `spec`"]),
        (attributes(&json!({"spec": 7})), vec!["spec: expected a map, or a text"]),
        (attributes(&json!({"spec": other.to_string()})), vec!["metadata.name is other", "the row's name is bot"]),
        (attributes(&json!({"spec": two})), vec!["spec: 2 documents"]),
        (attributes(&json!({"spec": format!("# {}\n", "x".repeat(300_000))})), vec!["300", "at most 262144"]),
    ] {
        assert_told(&faults(&attributes).await, &pieces);
    }
    let told = faults(&binary).await;
    assert!(told[0].contains("spec.container.command[0]: a binary value"), "{told:?}");
    assert!(!faults(&attributes(&json!({"spec": ""}))).await.is_empty());
    let place = Place::new().await;
    place.put("Bot_1", &row("bot"));
    assert_told(&only(&place.source().next().await, "Bot_1").faults, &["name: `Bot_1` is not a DNS label"]);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_rows_come_in_pages_and_one_that_changes_is_the_only_one_that_does() {
    let place = Place::new().await;
    let wordy = |name: &str, word: &str| {
        let mut spec = spec(name);
        spec["container"] = json!({"environment": {"PROMPT": word.repeat(300)}});
        attributes(&json!({"spec": spec}))
    };
    for number in 0..1000 {
        let name = format!("bot-{number}");
        place.put(&name, &wordy(&name, "tell "));
    }
    let clock = Arc::new(Epoch);
    let board = Board::load(Arc::new(MemoryStatuses::default()), clock).await.unwrap();
    let fleet = Fleet::new(Arc::new(board), "default", Policy::default(), 1);
    let mut source = place.source();
    let first = source.next().await;
    assert!(first.whole && first.documents.len() == 1000, "{} rows, {:?}", first.documents.len(), first.faults);
    assert!(place.calls("Scan") >= 2, "{} pages", place.calls("Scan"));
    place.put("bot-7", &wordy("bot-7", "ask "));
    let second = source.next().await;
    let agent = |snapshot: &Snapshot, name: &Key| snapshot.documents[name][0].agent.clone().unwrap();
    let changed: Vec<&Key> =
        first.documents.keys().filter(|name| !Arc::ptr_eq(&agent(&first, name), &agent(&second, name))).collect();
    assert_eq!(changed, [&Key::new("bot-7")], "nothing else was even parsed");
    assert_eq!(fleet.update(first.clone()).changed.len(), 1000);
    assert_eq!(fleet.update(second.clone()).changed, [Key::new("bot-7")], "and nobody else is woken");
}

#[tokio::test(start_paused = true)]
async fn a_row_that_is_deleted_is_gone_from_the_next_snapshot() {
    let place = Place::new().await;
    place.put("one", &row("one"));
    place.put("two", &row("two"));
    let mut source = place.source();
    source.next().await;
    place.delete("one");
    let snapshot = source.next().await;
    assert!(snapshot.whole);
    assert_eq!(names(&snapshot), ["two"]);
}

#[tokio::test(start_paused = true)]
async fn a_table_that_is_missing_is_told_with_how_to_make_it_and_read_when_it_is_there() {
    let place = Place::without();
    let mut source = place.source();
    let snapshot = source.next().await;
    assert!(!snapshot.whole);
    assert_told(
        &snapshot.faults,
        &["table specs: DescribeTable: there is no such table in us-east-1", "fargateer table create --specs specs"],
    );
    place.table.create().await.unwrap();
    place.table.create().await.unwrap();
    place.put("one", &row("one"));
    let snapshot = source.next().await;
    assert!(snapshot.whole && snapshot.faults.is_empty(), "{snapshot:?}");
    place.call("DeleteTable", json!({"TableName": "specs"}));
    let snapshot = source.next().await;
    assert!(!snapshot.whole);
    assert_eq!(names(&snapshot), ["one"], "a table that is deleted deletes nobody");
}

#[tokio::test(start_paused = true)]
async fn while_a_table_cannot_be_read_everything_is_as_it_was() {
    let place = Place::new().await;
    place.put("one", &row("one"));
    let mut source = place.source();
    let mut good = source.next().await;
    place.put("two", &row("two"));
    for (kind, pieces) in [
        (FaultKind::Throttle, vec!["table specs: Scan: throttled", "tried again later"]),
        (FaultKind::AccessDenied, vec!["dynamodb:Scan is not allowed", "fargateer iam-policy"]),
        (FaultKind::ServerError, vec!["table specs: Scan: "]),
        (FaultKind::ConnectTimeout, vec!["table specs: Scan: "]),
        (FaultKind::HangBefore, vec!["table specs: Scan: "]),
    ] {
        place.fault("Scan", kind.clone());
        let snapshot = source.next().await;
        assert!(!snapshot.whole, "{kind:?}");
        assert_told(&snapshot.faults, &pieces);
        assert_eq!(snapshot.documents, good.documents, "{kind:?}: one read that fails is no agent's news");
        let snapshot = source.next().await;
        assert!(!snapshot.whole && snapshot.documents.is_empty(), "{kind:?}: now every agent is told");
        place.sim.clear_faults();
        good = source.next().await;
        assert!(good.whole, "{kind:?}");
    }
    assert_eq!(names(&good), ["one", "two"]);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_breaks_off_at_its_second_page_says_nothing() {
    let place = Place::new().await;
    let filled = |number: usize| {
        let mut row = row(&format!("bot-{number}"));
        row["notes"] = json!({"S": "x".repeat(200_000)});
        row
    };
    for number in 0..10 {
        place.put(&format!("bot-{number}"), &filled(number));
    }
    let mut source = place.source();
    let good = source.next().await;
    assert_eq!(good.documents.len(), 10);
    for number in 0..10 {
        place.delete(&format!("bot-{number}"));
        place.put(&format!("new-{number}"), &filled(number));
    }
    let fault =
        Fault { operation: Some("Scan".to_owned()), skip: 1, times: None, ..Fault::once(FaultKind::AccessDenied) };
    place.sim.fault(fault);
    let snapshot = source.next().await;
    assert!(!snapshot.whole);
    assert_eq!(snapshot.documents, good.documents);
}

#[tokio::test(start_paused = true)]
async fn one_lost_page_is_asked_for_again() {
    let place = Place::new().await;
    place.put("one", &row("one"));
    for kind in [FaultKind::Throttle, FaultKind::ResetBefore, FaultKind::HtmlError] {
        place.sim.fault(Fault { operation: Some("Scan".to_owned()), ..Fault::once(kind.clone()) });
        let snapshot = place.source().next().await;
        assert!(snapshot.whole && snapshot.documents.len() == 1, "{kind:?}: {snapshot:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_table_of_another_kind_is_no_table_of_specs() {
    let place = Place::without();
    let (attribute, key) =
        (json!([{"AttributeName": "pk", "AttributeType": "S"}]), json!([{"AttributeName": "pk", "KeyType": "HASH"}]));
    place.call("CreateTable", json!({"TableName": "specs", "AttributeDefinitions": attribute, "KeySchema": key, "BillingMode": "PAY_PER_REQUEST"}));
    tokio::time::advance(Duration::from_secs(5)).await;
    place.call("PutItem", json!({"TableName": "specs", "Item": {"pk": {"S": "a"}}}));
    let snapshot = place.source().next().await;
    assert!(!snapshot.whole);
    assert_told(&snapshot.faults, &["the table specs is of another kind: its key is `pk`, not `name`"]);
}

#[tokio::test(start_paused = true)]
async fn a_next_that_is_given_up_loses_nothing() {
    let place = Place::new().await;
    place.put("one", &row("one"));
    let mut source = place.source();
    for _ in 0..20 {
        drop(tokio::time::timeout(Duration::from_millis(1), source.next()).await);
    }
    assert_eq!(names(&source.next().await), ["one"]);
    assert_eq!(place.calls("Scan"), 1);
}

#[tokio::test(start_paused = true)]
async fn polls_are_spread_around_their_time() {
    let place = Place::new().await;
    let mut source = place.source();
    let mut pauses = std::collections::BTreeSet::new();
    source.next().await;
    for _ in 0..20 {
        let begun = tokio::time::Instant::now();
        source.next().await;
        pauses.insert(begun.elapsed());
    }
    assert!(
        pauses.iter().all(|pause| (Duration::from_secs(27)..Duration::from_secs(34)).contains(pause)),
        "{pauses:?}"
    );
    assert!(pauses.len() > 10, "{pauses:?}");
}

/// CloudFormation's properties of a table are the members of the call that makes one, but for those that are calls of their own.
#[tokio::test(start_paused = true)]
async fn the_template_makes_the_table_that_the_command_makes() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/specs-table.json");
    let template: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut table = template["Resources"]["Specs"]["Properties"].clone();
    table.as_object_mut().unwrap().remove("PointInTimeRecoverySpecification").unwrap();
    table["TableName"] = json!("by-template");
    table["StreamSpecification"]["StreamEnabled"] = json!(true);
    let place = Place::new().await;
    place.call("CreateTable", table);
    tokio::time::advance(Duration::from_secs(5)).await;
    let described = |name: &str| place.call("DescribeTable", json!({"TableName": name}))["Table"].clone();
    let (made, by_template) = (described("specs"), described("by-template"));
    for part in ["AttributeDefinitions", "KeySchema", "BillingModeSummary", "StreamSpecification", "TableStatus"] {
        let billing = part == "BillingModeSummary";
        let part = |table: &Value| if billing { table[part]["BillingMode"].clone() } else { table[part].clone() };
        assert!(!part(&made).is_null());
        assert_eq!(part(&made), part(&by_template));
    }
}
