//! The real binary and a table of specs: rows become agents, agents answer in their rows, and nothing else of a row changes.

use serde_json::{Value, json};

use crate::binary::{self, Said, repository};
use crate::running::{self, Running};

const TABLE: &str = "fargateer-specs";
/// What no output may hold.
const CANARY: &str = "canary-row-5c1e";

/// A simulated AWS in a process of its own.
struct Place {
    folder: tempfile::TempDir,
    endpoint: String,
    _aws: Running,
}

impl Place {
    /// With the clusters of the example and a table of specs, made as a person makes it.
    fn new() -> Self {
        let place = Self::without_table();
        let made = place.run(&["table", "create", "--specs", TABLE]);
        assert_eq!(made.code, 0, "{}", made.err);
        assert!(made.err.contains("fargateer run dynamodb://fargateer-specs"), "{}", made.err);
        place
    }

    fn without_table() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let example = repository().join("examples/minimal.yaml").display().to_string();
        let arguments = ["sim", "--listen", "127.0.0.1:0", "--speed", "20", "--seed", &example];
        let aws = Running::start(binary::command(folder.path(), &[], &arguments));
        Self { endpoint: running::address(&aws.wait_for("http://")), _aws: aws, folder }
    }

    fn environment(&self) -> Vec<(String, String)> {
        binary::operator(&self.endpoint)
    }

    fn run(&self, arguments: &[&str]) -> Said {
        binary::run(self.folder.path(), &self.environment(), arguments)
    }

    fn daemon(&self, poll: &str) -> Running {
        let periods = ["--poll", poll, "--resync", "2s", "--prune-grace", "0s", "--listen", "127.0.0.1:0"];
        let arguments = [&["run", "--quota-share", "1"], periods.as_slice(), &["dynamodb://fargateer-specs"]].concat();
        let daemon = Running::start(binary::command(self.folder.path(), &self.environment(), &arguments));
        daemon.wait_for("serving http://");
        daemon
    }

    fn dynamodb(&self, operation: &str, request: &Value) -> Value {
        dynamodb(&self.endpoint, operation, request)
    }

    fn put(&self, name: &str, attributes: &Value) {
        let mut item = attributes.clone();
        item["name"] = json!({"S": name});
        self.dynamodb("PutItem", &json!({"TableName": TABLE, "Item": item}));
    }

    /// Somebody writes a row's spec and leaves the rest of the row as it is.
    fn update(&self, name: &str, spec: &str) {
        self.dynamodb(
            "UpdateItem",
            &json!({
                "TableName": TABLE, "Key": {"name": {"S": name}}, "UpdateExpression": "SET spec = :spec",
                "ExpressionAttributeValues": {":spec": {"S": spec}},
            }),
        );
    }

    fn row(&self, name: &str) -> Value {
        let request = json!({"TableName": TABLE, "Key": {"name": {"S": name}}, "ConsistentRead": true});
        self.dynamodb("GetItem", &request)["Item"].clone()
    }

    fn delete(&self, name: &str) {
        self.dynamodb("DeleteItem", &json!({"TableName": TABLE, "Key": {"name": {"S": name}}}));
    }

    /// The truth of a condition, as the row says, and why.
    fn condition(&self, name: &str, kind: &str) -> (String, String) {
        let row = self.row(name);
        let conditions = row["status"]["M"]["conditions"]["L"].as_array().cloned().unwrap_or_default();
        let found =
            conditions.iter().find(|condition| condition["M"]["type"]["S"] == kind).cloned().unwrap_or_default();
        let text = |field: &str| found["M"][field]["S"].as_str().unwrap_or_default().to_owned();
        (text("status"), text("message"))
    }

    fn is_ready(&self, name: &str) -> bool {
        self.condition(name, "Ready").0 == "True"
    }

    fn service(&self, name: &str) -> Value {
        let request = json!({"cluster": "agents", "services": [name]});
        running::ecs(&self.endpoint, "DescribeServices", &request)["services"][0]["status"].clone()
    }
}

/// Somebody's call to the DynamoDB at `base`, as any AWS CLI would make it.
pub fn dynamodb(base: &str, operation: &str, request: &Value) -> Value {
    let credential = "AKIASOMEBODY/20260101/us-east-1/dynamodb/aws4_request";
    let headers = [
        ("x-amz-target", format!("DynamoDB_20120810.{operation}")),
        ("content-type", "application/x-amz-json-1.0".to_owned()),
        ("authorization", format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0")),
    ];
    running::json(&running::http(base, "POST", "/", &headers, &request.to_string()))
}

/// The example's spec alone.
fn spec() -> Value {
    json!({
        "cluster": "agents",
        "image": {"uri": "111122223333.dkr.ecr.us-east-1.amazonaws.com/agents/minimal:1.0"},
        "network": {"subnets": ["subnet-0a1b2c3d4e5f60718"]},
        "roles": {"execution": "agent-execution"},
    })
}

/// A value as DynamoDB writes it.
fn attribute(value: &Value) -> Value {
    match value {
        Value::Null => json!({"NULL": true}),
        Value::Bool(truth) => json!({"BOOL": truth}),
        Value::Number(number) => json!({"N": number.to_string()}),
        Value::String(text) => json!({"S": text}),
        Value::Array(items) => json!({"L": items.iter().map(attribute).collect::<Vec<_>>()}),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, field)| (name.clone(), attribute(field)));
            json!({"M": fields.collect::<serde_json::Map<_, _>>()})
        }
    }
}

#[test]
fn a_table_is_followed_and_each_row_says_how_its_agent_is() {
    let place = Place::new();
    let mut secretive = spec();
    secretive["container"] = json!({"environment": {"API_TOKEN": CANARY}, "command": ["serve", CANARY]});
    place.put(
        "one",
        &json!({"spec": attribute(&secretive), "owner": {"S": "kim"}, "labels": {"M": {"team": {"S": "a"}}}}),
    );
    let before = place.row("one");
    place.put("two", &json!({"spec": {"S": spec().to_string()}}));
    let mut daemon = place.daemon("1s");
    daemon.until("both rows say Ready", || place.is_ready("one") && place.is_ready("two"));
    let mut after = place.row("one");
    assert_eq!(after["status"]["M"]["source"]["M"]["location"]["S"], "dynamodb://fargateer-specs/one");
    after.as_object_mut().expect("a row").remove("status");
    assert_eq!(after, before, "nothing of the row but its status");

    place.update("two", &format!("cluster: agents\nclutser: \"{CANARY}\"\n"));
    daemon.until("the row says what is wrong with it", || {
        let (truth, message) = place.condition("two", "SpecValid");
        truth == "False" && message.contains("dynamodb://fargateer-specs/two:2:1: spec.clutser")
    });
    assert!(place.is_ready("two"), "its last good spec is kept");
    place.update("two", &spec().to_string());
    daemon.until("the mended row", || place.condition("two", "SpecValid").0 == "True");

    // A new revision, and the row goes while it is rolled out.
    let mut newer = spec();
    newer["container"] = json!({"environment": {"MODE": "fast"}});
    place.update("two", &newer.to_string());
    daemon.until("the rollout", || place.condition("two", "Reconciling").0 == "True");
    place.delete("two");
    daemon.until("the deletion of the agent", || place.service("two") != "ACTIVE");
    assert_eq!(place.row("two"), Value::Null, "no row is made again");
    assert!(place.is_ready("one"));

    let text = |value: &Value| value["status"].to_string();
    assert!(!text(&place.row("one")).contains(CANARY));
    assert_eq!(daemon.end("-TERM").0, Some(0));
    assert!(!daemon.heard().contains(CANARY), "{}", daemon.heard());
}

#[test]
fn a_row_that_is_written_is_brought_about_long_before_the_next_poll() {
    let place = Place::new();
    place.put("one", &json!({"spec": attribute(&spec())}));
    let daemon = place.daemon("1d");
    daemon.until("the first row says Ready", || place.is_ready("one"));
    place.put("two", &json!({"spec": {"S": spec().to_string()}}));
    daemon.until("the second row says Ready", || place.is_ready("two"));
}

#[test]
fn a_run_that_ends_has_told_every_row() {
    let place = Place::new();
    place.put("one", &json!({"spec": attribute(&spec())}));
    place.put("two", &json!({"spec": {"S": "cluster: 7"}}));
    let said = place.run(&["run", "--once", "-o", "json", "dynamodb://fargateer-specs"]);
    assert_eq!(said.code, 2, "one is faulty: {}{}", said.out, said.err);
    assert!(place.is_ready("one"), "{}", place.row("one"));
    let (truth, message) = place.condition("two", "SpecValid");
    assert!(truth == "False" && message.contains("spec.cluster"), "{truth} {message}");
    place.delete("two");
    let said = place.run(&["run", "--once", "-o", "json", "dynamodb://fargateer-specs"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert_eq!(said.json()["calls"]["ecs.CreateService"], Value::Null, "nothing is left to do");
}

#[test]
fn a_table_that_is_not_there_is_told_with_the_command_that_makes_it() {
    let place = Place::without_table();
    let said = place.run(&["run", "--once", "dynamodb://fargateer-specs"]);
    assert_eq!(said.code, 2, "{}{}", said.out, said.err);
    assert!(said.err.contains("fargateer table create --specs fargateer-specs"), "{}", said.err);
    let said = place.run(&["run", "--once", "dynamodb://no such table"]);
    assert_eq!(said.code, 2, "{}{}", said.out, said.err);
    assert!(said.err.contains("a table's name has 3 to 255"), "{}", said.err);
}

#[test]
fn an_embedded_simulation_brings_the_table_along() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = binary::run(folder.path(), &[], &["run", "--once", "--local", "-o", "json", "dynamodb://specs"]);
    assert_eq!((said.code, said.json()["items"].clone()), (0, json!([])), "{}{}", said.out, said.err);
}

#[test]
fn specs_are_written_to_rows_listed_with_their_statuses_and_deleted() {
    let place = Place::new();
    let at = "dynamodb://fargateer-specs";
    let example = repository().join("examples/minimal.yaml").display().to_string();
    let asked = place.run(&["apply", "--to", at, &example]);
    assert!(asked.code == 2 && asked.err.contains("add -y"), "{}", asked.err);
    assert_eq!(place.row("minimal"), Value::Null, "nobody said yes");
    let said = place.run(&["apply", "--to", at, "-y", &example]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.err.contains("dynamodb://fargateer-specs/minimal: a new row"), "{}", said.err);
    assert_eq!(place.row("minimal")["spec"], attribute(&spec()), "what the file says, and no defaults");

    let listed = place.run(&["get", "--from", at]);
    assert!(listed.code == 0 && listed.out.contains("minimal"), "{}{}", listed.out, listed.err);
    assert_eq!(place.run(&["get", "--from", at, "minimal"]).code, 1, "nobody brought it about yet");
    assert_eq!(place.run(&["get", "--from", at, "maximal"]).code, 2, "there is none of that name");
    let daemon = place.daemon("1s");
    daemon.until("the row says Ready", || place.is_ready("minimal"));
    let one = place.run(&["get", "--from", at, "minimal", "-o", "json"]);
    assert_eq!(one.code, 0, "{}{}", one.out, one.err);
    let (one, revision) = (one.json(), place.row("minimal")["status"]["M"]["revision"].clone());
    assert_eq!(
        (&one["spec"]["cluster"], &one["status"]["source"]["location"]),
        (&json!("agents"), &json!(format!("{at}/minimal")))
    );

    // Once more, it changes nothing; and what its owner keeps in the row stays where a changed spec is written.
    let said = place.run(&["apply", "--to", at, &example]);
    assert!(said.code == 0 && said.err.contains("minimal: unchanged"), "{}", said.err);
    assert_eq!(place.row("minimal")["status"]["M"]["revision"], revision);
    let suspend = json!({
        "TableName": TABLE, "Key": {"name": {"S": "minimal"}}, "UpdateExpression": "SET suspend = :why, wiki = :page",
        "ExpressionAttributeValues": {":why": {"S": "moving"}, ":page": {"S": "page"}},
    });
    place.dynamodb("UpdateItem", &suspend);
    let said = place.run(&["apply", "--to", at, &example]);
    assert!(said.err.contains("minimal: unchanged"), "hands off stands beside the spec: {}", said.err);
    let larger = place.folder.path().join("larger.yaml");
    let text = std::fs::read_to_string(&example).expect("the example");
    std::fs::write(&larger, format!("{}\n  resources: {{cpu: 512, memory: 1024}}\n", text.trim_end())).expect("a file");
    let said = place.run(&["apply", "--to", at, "-y", &larger.display().to_string()]);
    assert!(said.code == 0 && said.err.contains("minimal: changed"), "{}", said.err);
    let row = place.row("minimal");
    assert_eq!((&row["wiki"]["S"], &row["suspend"]["S"]), (&json!("page"), &json!("moving")));
    assert_eq!(row["spec"]["M"]["resources"]["M"]["cpu"]["N"], "512");

    let missing = place.run(&["delete", "--from", at, "-y", "nobody"]);
    assert!(missing.code == 2 && missing.err.contains("no row dynamodb://fargateer-specs/nobody"), "{}", missing.err);
    let said = place.run(&["delete", "--from", at, "-y", "minimal"]);
    assert_eq!((said.code, place.row("minimal")), (0, Value::Null), "{}", said.err);
    let wrong = place.run(&["get", "--from", "specs"]);
    assert!(wrong.code == 2 && wrong.err.contains("specs is no table of specs"), "{}", wrong.err);
}

/// The daemon has no grace period here: what were deleted but for the word would be gone within a second.
#[test]
fn a_row_that_is_deleted_with_a_word_leaves_its_agent_running_without_our_tags() {
    let place = Place::new();
    for name in ["one", "two"] {
        place.put(name, &json!({"spec": attribute(&spec())}));
    }
    let mut daemon = place.daemon("1s");
    let server = running::address(&daemon.heard()[daemon.heard().find("serving http://").expect("an address")..]);
    daemon.until("both rows say Ready", || place.is_ready("one") && place.is_ready("two"));
    let at = "dynamodb://fargateer-specs";
    let alone = place.run(&["delete", "--from", at, "--retain", "-y", "--server", "http://127.0.0.1:9", "one"]);
    assert!(alone.code == 2 && alone.err.contains("does not answer"), "{}", alone.err);
    assert_ne!(place.row("one"), Value::Null, "without the daemon's word the row stays");
    let said = place.run(&["delete", "--from", at, "--retain", "-y", "--server", &server, "one"]);
    assert_eq!((said.code, place.row("one")), (0, Value::Null), "{}", said.err);
    let tags = || {
        let request = json!({"cluster": "agents", "services": ["one"], "include": ["TAGS"]});
        running::ecs(&place.endpoint, "DescribeServices", &request)["services"][0]["tags"].to_string()
    };
    daemon.until("the service carries no tag of ours", || !tags().contains("fargateer:"));
    assert_eq!(place.service("one"), "ACTIVE");
    assert!(place.is_ready("two"));
    assert_eq!(daemon.end("-TERM").0, Some(0));
}

#[test]
fn replicas_answer_in_the_rows_of_those_they_take_over() {
    let place = Place::new();
    assert_eq!(place.run(&["table", "create", "fargateer"]).code, 0);
    // So many that each replica has some.
    let names: Vec<String> = (0..14).map(|number| format!("bot-{number}")).collect();
    let write = |mode: &str| {
        for name in &names {
            let mut spec = spec();
            spec["container"] = json!({"environment": {"MODE": mode}});
            place.update(name, &spec.to_string());
        }
    };
    let generation = |name: &String| place.row(name)["status"]["M"]["observedGeneration"]["S"].clone();
    let generations = || names.iter().map(generation).collect::<Vec<Value>>();
    write("calm");
    let replica = |key: &str| {
        let arguments =
            ["run", "--state", "dynamodb://fargateer", "--poll", "1s", "--resync", "5s", "--quota-share", "1"];
        let arguments = [&arguments[..], &["--listen", "127.0.0.1:0", "dynamodb://fargateer-specs"]].concat();
        let environment = place.environment().into_iter();
        let environment: Vec<(String, String)> = environment
            .map(|(name, value)| if name == "AWS_ACCESS_KEY_ID" { (name, key.to_owned()) } else { (name, value) })
            .collect();
        let replica = Running::start(binary::command(place.folder.path(), &environment, &arguments));
        let server = running::address(&replica.wait_for("serving http://"));
        (replica, server)
    };
    let (mut first, _) = replica("AKIAFIRST");
    first.until("every row says Ready", || names.iter().all(|name| place.is_ready(name)));
    let (second, server) = replica("AKIASECOND");
    second.until("its share", || {
        let metrics = running::http(&server, "GET", "/metrics", &[], "");
        metrics.lines().any(|line| line.starts_with("fargateer_shards_owned ") && !line.ends_with(" 0"))
    });
    let before = generations();
    write("fast");
    assert_eq!(first.end("-TERM").0, Some(0));
    second.until("every row tells of its new spec", || {
        generations().iter().zip(&before).all(|(now, before)| now != before)
            && names.iter().all(|name| place.is_ready(name))
    });
    let calls = running::json(&running::http(&place.endpoint, "GET", "/_sim/calls", &[], ""));
    let calls = calls.as_array().cloned().unwrap_or_default();
    let of_rows = calls.into_iter().filter(|call| call["operation"] == "UpdateItem" && call["resource"] == TABLE);
    let mut writers: Vec<String> = of_rows.map(|call| call["caller"].to_string()).collect();
    writers.sort();
    writers.dedup();
    assert_eq!(writers, ["\"AKIAFIRST\"", "\"AKIASECOND\"", "\"AKIASOMEBODY\""]);
}

#[test]
fn no_row_acts_on_a_screen() {
    let place = Place::new();
    let evil = "a\u{1b}[2J\u{202e}\nReady: True\u{9b}";
    place.put(evil, &json!({"spec": {"S": spec().to_string()}, "Labels\u{1b}[2J": {"S": evil}, "_specs": {"S": evil}}));
    place.put("one", &json!({"spec": {"S": format!("cluster: {evil}")}, "labels": {"M": {(evil): {"S": evil}}}}));
    place.put(
        "two",
        &json!({"spec": attribute(&json!({"cluster": evil, (evil): 1})), "suspend": {"M": {(evil): {"S": evil}}}}),
    );
    place.put(
        "three",
        &json!({"spec": attribute(&spec()), "suspend": {"M": {"reason": {"S": evil}, (evil): {"S": evil}}}}),
    );
    let at = "dynamodb://fargateer-specs";
    for arguments in [
        &["run", "--once", "--log", "info", at][..],
        &["run", "--once", "-o", "json", "--log-format", "json", at],
        &["get", "--from", at, "-o", "wide"],
        &["get", "--from", at, "-o", "yaml"],
        &["delete", "--from", at, evil],
        &["delete", "--from", at, "-y", "nobody\u{1b}[2J"],
    ] {
        let said = place.run(arguments);
        for line in said.out.lines().chain(said.err.lines()) {
            assert_eq!(
                line.chars().find(|letter| letter.is_control() || *letter == '\u{202e}'),
                None,
                "{arguments:?}: {line:?}"
            );
            assert!(!line.starts_with("Ready: True") && !line.contains("panicked"), "{arguments:?}: {line}");
        }
    }
    for name in ["one", "two", "three"] {
        let (truth, message) = place.condition(name, "SpecValid");
        assert!(truth == "False" && !message.contains(char::is_control), "{name}: {truth} {message:?}");
    }
}

/// The name of another table is a slip of a moment, and must not look like a source without rows.
#[test]
fn a_dispute_of_a_file_and_a_row_is_told_in_the_row_until_one_of_them_is_left() {
    let place = Place::new();
    std::fs::create_dir(place.folder.path().join("desk")).expect("a folder");
    let file = place.folder.path().join("desk/bot.yaml");
    let metadata = json!({"name": "bot"});
    let agent = json!({"apiVersion": "fargateer/v1", "kind": "AgentDeployment", "metadata": metadata, "spec": spec()});
    std::fs::write(&file, agent.to_string()).expect("a file");
    let mut arguments = vec!["run", "--quota-share", "1", "--poll", "2s", "--resync", "2s", "--prune-grace", "0s"];
    arguments.extend(["--listen", "127.0.0.1:0", "desk", "dynamodb://fargateer-specs"]);
    let mut daemon = Running::start(binary::command(place.folder.path(), &place.environment(), &arguments));
    daemon.wait_for("serving http://");
    daemon.until("the agent of the file", || place.service("bot") == "ACTIVE");

    place.put("bot", &json!({"spec": attribute(&spec())}));
    let both =
        |message: &str| message.contains("desk/bot.yaml:1") && message.contains("dynamodb://fargateer-specs/bot");
    daemon.until("word of the conflict", || {
        let (valid, message) = place.condition("bot", "SpecValid");
        valid == "False" && both(&message)
    });

    std::fs::remove_file(&file).expect("the file is removed");
    daemon.until("the row alone", || place.condition("bot", "SpecValid").0 == "True" && place.is_ready("bot"));
    assert_eq!(place.row("bot")["status"]["M"]["source"]["M"].get("alsoIn"), None);
    assert_eq!(daemon.end("-TERM").0, Some(0));
}

#[test]
fn a_table_that_is_deleted_deletes_nobody_and_every_agent_says_so() {
    let place = Place::new();
    for name in ["one", "two"] {
        place.put(name, &json!({"spec": attribute(&spec())}));
    }
    let mut daemon = place.daemon("1s");
    daemon.until("both rows say Ready", || place.is_ready("one") && place.is_ready("two"));
    let serving = daemon.heard().lines().find(|line| line.contains("serving http://")).map(str::to_owned);
    let server = running::address(&serving.expect("where it serves"));
    let status = |name: &str| place.run(&["get", name, "--server", &server, "-o", "json"]).json()["status"].clone();
    let condition = |name: &str, kind: &str| {
        let status = status(name);
        let mut conditions = status["conditions"].as_array().cloned().unwrap_or_default().into_iter();
        conditions.find(|condition| condition["type"] == kind).unwrap_or_default()
    };

    place.dynamodb("DeleteTable", &json!({"TableName": TABLE}));
    for name in ["one", "two"] {
        daemon.until("the status says why", || condition(name, "SpecValid")["reason"] == "SourceUnavailable");
        let valid = condition(name, "SpecValid");
        let message = valid["message"].to_string();
        assert!(message.contains("there is no such table") && message.contains("is kept"), "{message}");
        assert_eq!(
            (&valid["status"], &condition(name, "Ready")["status"]),
            (&json!("False"), &json!("True")),
            "{name}"
        );
    }

    // Made again, it is empty: nobody confirmed that all of them are to go.
    assert_eq!(place.run(&["table", "create", "--specs", TABLE]).code, 0);
    daemon.until("word of the guard", || condition("one", "Ready")["reason"] == "PruneBlocked");
    assert_eq!((place.service("one"), place.service("two")), (json!("ACTIVE"), json!("ACTIVE")));
    assert_eq!(status("one")["source"]["location"], "dynamodb://fargateer-specs/one", "where it stood");
    assert_eq!(daemon.end("-TERM").0, Some(0));
}

#[test]
fn a_table_of_another_kind_is_refused_wherever_it_is_named() {
    let place = Place::new();
    assert_eq!(place.run(&["table", "create", "fargateer-state"]).code, 0);
    assert_eq!(place.run(&["table", "create", "--specs", TABLE]).code, 0);
    for wrong in [
        vec!["table", "create", "--specs", "fargateer-state"],
        vec!["table", "create", TABLE],
        vec!["get", "--from", "dynamodb://fargateer-state"],
    ] {
        let said = place.run(&wrong);
        assert_eq!(said.code, 2, "{wrong:?}: {}{}", said.out, said.err);
        assert!(said.err.contains("of another kind"), "{wrong:?}: {}", said.err);
    }
    let said = place.run(&["run", "--once", "--timeout", "20s", "dynamodb://fargateer-state"]);
    assert_ne!(said.code, 0, "{}{}", said.out, said.err);
    assert!(said.err.contains("its key is `owner` and `item`, not `name`"), "{}", said.err);
}

/// A name with a line break in it is shown as people can read it, and told in the very row all the same.
#[test]
fn a_row_whose_name_no_agent_may_have_is_told_once_and_in_the_row() {
    let place = Place::new();
    for name in ["Bad_Name", "a\nb"] {
        place.put(name, &json!({"spec": attribute(&spec())}));
    }
    let daemon = place.daemon("1s");
    let says = |name: &str| place.row(name)["status"]["M"]["conditions"]["L"][0]["M"]["message"]["S"].clone();
    daemon.until("both rows tell what is wrong", || !says("Bad_Name").is_null() && !says("a\nb").is_null());
    let label = "is not a DNS label (lower-case letters, digits and inner hyphens, 1 to 63 characters)";
    assert_eq!(says("Bad_Name"), format!("dynamodb://fargateer-specs/Bad_Name: name: `Bad_Name` {label}"));
    assert_eq!(says("a\nb"), format!("dynamodb://fargateer-specs/a\\nb: name: `a\\nb` {label}"));
    let heard = daemon.heard().clone();
    assert_eq!(heard.matches("name: `Bad_Name`").count(), 1, "{heard}");
    assert!(!heard.contains("not saved"), "{heard}");
}

#[test]
fn a_table_of_specs_named_as_the_state_is_told_as_what_it_is() {
    let place = Place::new();
    let example = repository().join("examples/minimal.yaml").display().to_string();
    let said = place.run(&["run", "--once", "--state", "dynamodb://fargateer-specs", &example]);
    assert_eq!(said.code, 2, "{}{}", said.out, said.err);
    let what = "the table fargateer-specs is of another kind: its key is `name`, not `owner` and `item`; name another table (`fargateer table create NAME` makes one for --state; a table of specs is a source: `fargateer run dynamodb://fargateer-specs`)";
    assert!(said.err.contains(what) && !said.err.contains("ValidationException"), "{}", said.err);
}
