//! Statuses in the rows of a table of specs, on the simulated AWS.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fargateer_api::status::{Condition, ConditionType, HistoryEntry, Reason, SourceStatus, Truth};
use fargateer_api::{AgentDeploymentStatus, Key};
use fargateer_controller::port::{Lease, LocalLease, Source as _, Statuses};
use fargateer_sim::{Fault, FaultKind};
use fargateer_store::source::table::TableSource;
use fargateer_store::status::memory::MemoryStatuses;
use fargateer_store::status::row::RowStatuses;
use serde_json::{Value, json};

use super::forgetful::Forgetful;
use super::tables::{Place, row};

/// A replica that has lost its shards.
struct Lost;

impl Lease for Lost {
    fn holds(&self, _key: &Key) -> bool {
        false
    }
}

fn statuses(place: &Place) -> Arc<RowStatuses> {
    held_by(place, Arc::new(LocalLease))
}

fn held_by(place: &Place, lease: Arc<dyn Lease>) -> Arc<RowStatuses> {
    Arc::new(RowStatuses::new(Arc::new(MemoryStatuses::default()), lease, vec![place.table.clone()]))
}

/// A status of the agent in the row `name` that says `message`.
fn status(name: &str, message: &str) -> AgentDeploymentStatus {
    let condition = Condition {
        kind: ConditionType::Ready,
        status: Truth::True,
        reason: Reason::Converged,
        message: message.to_owned(),
        last_transition_time: "2026-01-01T00:00:00Z".to_owned(),
        observed_generation: None,
    };
    let source = SourceStatus { location: format!("dynamodb://specs/{name}"), ..SourceStatus::default() };
    AgentDeploymentStatus { conditions: vec![condition], source: Some(source), ..AgentDeploymentStatus::default() }
}

/// What a row says of its agent.
fn said(place: &Place, name: &str) -> Value {
    place.row(name)["status"]["M"]["conditions"]["L"][0]["M"]["message"]["S"].clone()
}

/// Lets the source read once more, and what follows from it happen.
async fn read(source: &mut TableSource) {
    source.next().await;
    tokio::time::timeout(Duration::from_secs(5), std::future::pending::<()>()).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_status_stands_in_its_row_as_a_map_and_nothing_else_of_the_row_changes() {
    let place = Place::new().await;
    let mut attributes = row("bot");
    attributes["owner"] = json!({"S": "kim"});
    place.put("bot", &attributes);
    let before = place.row("bot");
    let statuses = statuses(&place);
    statuses.save(&Key::new("bot"), &status("bot", "one")).await.unwrap();
    statuses.save(&Key::new("bot"), &status("bot", "two")).await.unwrap();
    assert_eq!(said(&place, "bot"), "two");
    let mut after = place.row("bot");
    assert_eq!(after["status"]["M"]["revision"], json!({"N": "2"}));
    after.as_object_mut().unwrap().remove("status");
    assert_eq!(after, before);
    let writes = place.sim.calls().iter().filter(|call| call.operation == "UpdateItem").count();
    assert_eq!(writes, 2, "one call each");
    assert_eq!(statuses.load().await.unwrap().len(), 1, "kept where it is read at the next start, too");
}

#[tokio::test(start_paused = true)]
async fn a_row_that_is_gone_is_not_made_again() {
    let place = Place::new().await;
    place.put("bot", &row("bot"));
    let statuses = statuses(&place);
    statuses.save(&Key::new("bot"), &status("bot", "one")).await.unwrap();
    place.delete("bot");
    statuses.save(&Key::new("bot"), &status("bot", "two")).await.unwrap();
    statuses.save(&Key::new("never"), &status("never", "two")).await.unwrap();
    assert_eq!((place.row("bot"), place.row("never")), (Value::Null, Value::Null));
    place.put("bot", &row("bot"));
    statuses.save(&Key::new("bot"), &status("bot", "three")).await.unwrap();
    assert_eq!(said(&place, "bot"), "three");
}

#[tokio::test(start_paused = true)]
async fn a_status_of_an_agent_whose_spec_stands_elsewhere_is_written_to_no_row() {
    let place = Place::new().await;
    place.put("bot", &row("bot"));
    let statuses = statuses(&place);
    let mut elsewhere = status("bot", "one");
    for location in ["specs/bot.yaml:1", "dynamodb://specs-of-others/bot", "dynamodb://specs", ""] {
        elsewhere.source = Some(SourceStatus { location: location.to_owned(), ..SourceStatus::default() });
        statuses.save(&Key::new("bot"), &elsewhere).await.unwrap();
    }
    elsewhere.source = None;
    statuses.save(&Key::new("bot"), &elsewhere).await.unwrap();
    assert_eq!(said(&place, "bot"), Value::Null);
}

#[tokio::test(start_paused = true)]
async fn what_several_places_say_of_one_agent_is_told_in_each_row_among_them() {
    let place = Place::new().await;
    for name in ["bot", "copy"] {
        place.put(name, &row(name));
    }
    let statuses = statuses(&place);
    let disputed = |message: &str, location: &str| {
        let also_in = ["dynamodb://specs/copy", "night/bot.yaml:3", "dynamodb://specs/bot"];
        let also_in = also_in.into_iter().filter(|place| *place != location).map(str::to_owned).collect();
        let mut status = status("bot", message);
        status.source = Some(SourceStatus { location: location.to_owned(), also_in, ..SourceStatus::default() });
        status
    };
    for location in ["dynamodb://specs/bot", "desk/bot.yaml:3"] {
        statuses.save(&Key::new("bot"), &disputed(location, location)).await.unwrap();
        for name in ["bot", "copy"] {
            assert_eq!(said(&place, name), location, "{name}");
        }
    }

    // What a row lacks because the table could not be reached follows there, too.
    place.fault("UpdateItem", FaultKind::AccessDenied);
    statuses.save(&Key::new("bot"), &disputed("late", "dynamodb://specs/bot")).await.unwrap();
    place.sim.clear_faults();
    statuses.finish().await;
    for name in ["bot", "copy"] {
        assert_eq!(said(&place, name), "late", "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_took_over_writes_on_and_whoever_lost_the_agent_does_not() {
    let place = Place::new().await;
    place.put("bot", &row("bot"));
    let (first, second) = (statuses(&place), statuses(&place));
    first.save(&Key::new("bot"), &status("bot", "of the first")).await.unwrap();
    second.save(&Key::new("bot"), &status("bot", "of the second")).await.unwrap();
    assert_eq!(said(&place, "bot"), "of the second", "it learns which revision stands there");
    held_by(&place, Arc::new(Lost)).save(&Key::new("bot"), &status("bot", "of the dead")).await.unwrap();
    assert_eq!(said(&place, "bot"), "of the second");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_whose_answer_is_lost_is_no_other_writer() {
    let place = Place::new().await;
    place.put("bot", &row("bot"));
    let statuses = statuses(&place);
    for kind in [FaultKind::ResetAfter, FaultKind::ServerErrorAfter, FaultKind::Truncated] {
        place.sim.fault(Fault { operation: Some("UpdateItem".to_owned()), ..Fault::once(kind.clone()) });
        let before = place.row("bot")["status"]["M"]["revision"]["N"].as_str().map_or(0, |text| text.parse().unwrap());
        let message = format!("{kind:?}");
        statuses.save(&Key::new("bot"), &status("bot", &message)).await.unwrap();
        assert_eq!(said(&place, "bot"), message.as_str());
        assert_eq!(place.row("bot")["status"]["M"]["revision"]["N"], json!((before + 1).to_string()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_fails_stops_nothing_and_is_made_up_for_after_the_next_read() {
    let place = Place::new().await;
    place.put("bot", &row("bot"));
    let statuses = statuses(&place);
    let mut source = place.source().telling(Arc::clone(&statuses));
    read(&mut source).await;
    for kind in [FaultKind::AccessDenied, FaultKind::Throttle, FaultKind::HangBefore, FaultKind::ConnectTimeout] {
        place.fault("UpdateItem", kind.clone());
        let message = format!("{kind:?}");
        let begun = tokio::time::Instant::now();
        statuses.save(&Key::new("bot"), &status("bot", &message)).await.unwrap();
        statuses.save(&Key::new("bot"), &status("bot", &message)).await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(6), "{kind:?} holds a pass up for {:?}", begun.elapsed());
        assert_ne!(said(&place, "bot"), message.as_str());
        place.sim.clear_faults();
        read(&mut source).await;
        assert_eq!(said(&place, "bot"), message.as_str(), "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_owed_at_the_end_of_a_run_is_written_then() {
    let place = Place::new().await;
    let statuses = statuses(&place);
    place.fault("UpdateItem", FaultKind::AccessDenied);
    for name in ["one", "two", "three"] {
        place.put(name, &row(name));
        statuses.save(&Key::new(name), &status(name, "done")).await.unwrap();
    }
    statuses.finish().await;
    assert_eq!(said(&place, "two"), Value::Null, "it ends all the same");
    place.sim.clear_faults();
    statuses.finish().await;
    for name in ["one", "two", "three"] {
        assert_eq!(said(&place, name), "done");
    }
    place.sim.clear_calls();
    statuses.finish().await;
    assert_eq!(place.calls("UpdateItem"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_somebody_writes_anew_without_its_status_gets_it_again() {
    let place = Place::new().await;
    place.put("bot", &row("bot"));
    let statuses = statuses(&place);
    let mut source = place.source().telling(Arc::clone(&statuses));
    read(&mut source).await;
    statuses.save(&Key::new("bot"), &status("bot", "one")).await.unwrap();
    place.put("bot", &row("bot"));
    read(&mut source).await;
    read(&mut source).await;
    assert_eq!(said(&place, "bot"), "one");
}

/// What its place calls it is not its name, and no store keeps its status; a person reads in the row all the same what is wrong.
#[tokio::test(start_paused = true)]
async fn a_row_whose_name_no_agent_may_have_gets_its_status_at_once_and_again() {
    let place = Place::new().await;
    place.put("a\nb", &row("bot"));
    let tables = vec![place.table.clone()];
    let statuses = Arc::new(RowStatuses::new(Arc::new(Forgetful), Arc::new(LocalLease), tables));
    let mut source = place.source().telling(Arc::clone(&statuses));
    let snapshot = source.next().await;
    let (key, _) = snapshot.documents.iter().next().unwrap();
    statuses.save(key, &status("a\\nb", "no name")).await.unwrap();
    assert_eq!(said(&place, "a\nb"), "no name");
    place.put("a\nb", &row("bot"));
    for _ in 0..3 {
        read(&mut source).await;
    }
    assert_eq!(said(&place, "a\nb"), "no name", "somebody wrote it anew");
    place.fault("UpdateItem", FaultKind::AccessDenied);
    statuses.save(key, &status("a\\nb", "still none")).await.unwrap();
    place.sim.clear_faults();
    read(&mut source).await;
    assert_eq!(said(&place, "a\nb"), "still none", "the write had failed");
}

#[tokio::test(start_paused = true)]
async fn what_another_replica_wrote_is_not_mended_with_something_older() {
    let place = Place::new().await;
    place.put("bot", &row("bot"));
    let (first, second) = (statuses(&place), statuses(&place));
    let mut source = place.source().telling(Arc::clone(&first));
    read(&mut source).await;
    place.fault("UpdateItem", FaultKind::AccessDenied);
    first.save(&Key::new("bot"), &status("bot", "old")).await.unwrap();
    place.sim.clear_faults();
    // The row is read, and then, before anything is made up for, the other one writes.
    let reading = source.next().await;
    assert!(reading.whole);
    second.save(&Key::new("bot"), &status("bot", "new")).await.unwrap();
    read(&mut source).await;
    assert_eq!(said(&place, "bot"), "new");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_held_up_does_not_stand_over_something_newer() {
    let place = Place::new().await;
    place.put("bot", &row("bot"));
    let (first, second) = (statuses(&place), statuses(&place));
    let mut source = place.source().telling(Arc::clone(&first));
    first.save(&Key::new("bot"), &status("bot", "known")).await.unwrap();
    place.fault("UpdateItem", FaultKind::AccessDenied);
    first.save(&Key::new("bot"), &status("bot", "old")).await.unwrap();
    place.sim.clear_faults();
    place.sim.fault(Fault { operation: Some("UpdateItem".to_owned()), ..Fault::once(FaultKind::ThrottleFor(3_000)) });
    source.next().await;
    // What the first one makes up for is refused once, and waits; meanwhile the second one writes.
    tokio::time::timeout(Duration::from_millis(100), std::future::pending::<()>()).await.unwrap_err();
    second.save(&Key::new("bot"), &status("bot", "new")).await.unwrap();
    read(&mut source).await;
    assert_eq!(said(&place, "bot"), "new");
}

#[tokio::test(start_paused = true)]
async fn a_row_with_little_room_gets_the_part_of_a_status_that_matters() {
    let place = Place::new().await;
    let mut attributes = row("bot");
    attributes["notes"] = json!({"S": "x".repeat(400 * 1024 - 3_000)});
    place.put("bot", &attributes);
    let mut long = status("bot", &"long ".repeat(200));
    let entry =
        HistoryEntry { at: "2026-01-01T00:00:00Z".to_owned(), generation: None, actions: vec!["x".repeat(3_000)] };
    long.history = vec![entry];
    statuses(&place).save(&Key::new("bot"), &long).await.unwrap();
    let written = said(&place, "bot");
    assert!(written.as_str().is_some_and(|text| text.len() == 200), "{written}");
    assert_eq!(place.row("bot")["status"]["M"]["history"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_row_without_any_room_stays_as_it_is_and_holds_no_other_up() {
    let place = Place::new().await;
    place.put("other", &row("other"));
    let full = |room: usize| {
        let mut item = row("bot");
        (item["name"], item["notes"]) = (json!({"S": "bot"}), json!({"S": "x".repeat(400 * 1024 - room)}));
        place.sim.call("us-east-1", "dynamodb", "PutItem", json!({"TableName": "specs", "Item": item}))
    };
    assert!((0..40).any(|room| full(room * 25).is_ok()), "a row as large as rows may be");
    let statuses = statuses(&place);
    statuses.save(&Key::new("bot"), &status("bot", "one")).await.unwrap();
    statuses.save(&Key::new("other"), &status("other", "two")).await.unwrap();
    assert_eq!((said(&place, "bot"), said(&place, "other")), (Value::Null, json!("two")));
    let mut source = place.source().telling(Arc::clone(&statuses));
    read(&mut source).await;
    place.sim.clear_calls();
    read(&mut source).await;
    read(&mut source).await;
    assert_eq!(place.calls("UpdateItem"), 0, "nor is it tried again and again");
}

#[tokio::test(start_paused = true)]
async fn the_status_is_the_whole_one_and_reads_as_the_same_again() {
    let place = Place::new().await;
    place.put("bot", &row("bot"));
    let mut whole = status("bot", "one");
    whole.inventory.arns = BTreeMap::from([("service".to_owned(), "arn:aws:ecs:us-east-1:1:service/a/b".to_owned())]);
    whole.inventory.service = "b".to_owned();
    statuses(&place).save(&Key::new("bot"), &whole).await.unwrap();
    let fields = &place.row("bot")["status"]["M"];
    assert_eq!(fields["inventory"]["M"]["arns"]["M"]["service"]["S"], "arn:aws:ecs:us-east-1:1:service/a/b");
    assert_eq!(fields["runningCount"], json!({"N": "0"}));
}
