//! A table's stream of changes makes its source quicker, on the simulated AWS. The next poll is an hour away.

use std::sync::Arc;
use std::time::Duration;

use fargateer_api::{AgentDeploymentStatus, Key};
use fargateer_controller::port::{LocalLease, Snapshot, Source as _, Statuses as _};
use fargateer_sim::{Fault, FaultKind};
use fargateer_store::source::table::TableSource;
use fargateer_store::status::memory::MemoryStatuses;
use fargateer_store::status::row::RowStatuses;
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::sources::names;
use super::tables::{Place, row};

const HOUR: Duration = Duration::from_hours(1);

/// A source of one row that has been read and stands at the end of the stream.
async fn following(place: &Place) -> TableSource {
    place.put("one", &row("one"));
    let mut source = TableSource::new(place.table.clone(), HOUR).following();
    assert_eq!(names(&source.next().await), ["one"]);
    nothing_for(&mut source, Duration::from_secs(10)).await;
    place.sim.clear_calls();
    source
}

async fn nothing_for(source: &mut TableSource, time: Duration) {
    let snapshot = timeout(time, source.next()).await;
    assert!(snapshot.is_err(), "{snapshot:?}");
}

/// The next snapshot, which must come within `time`.
async fn within(source: &mut TableSource, time: Duration) -> Snapshot {
    timeout(time, source.next()).await.unwrap_or_else(|_| panic!("no snapshot within {time:?}"))
}

const SOON: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn a_row_that_is_written_changed_or_deleted_is_seen_within_seconds() {
    let place = Place::new().await;
    let mut source = following(&place).await;
    place.put("two", &row("two"));
    assert_eq!(names(&within(&mut source, SOON).await), ["one", "two"]);
    place.put("two", &json!({"spec": {"S": "cluster: 7"}}));
    let snapshot = within(&mut source, SOON).await;
    assert!(!snapshot.documents[&Key::new("two")][0].faults.is_empty());
    place.delete("two");
    let snapshot = within(&mut source, SOON).await;
    assert!(snapshot.whole);
    assert_eq!(names(&snapshot), ["one"]);
    nothing_for(&mut source, HOUR / 2).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_written_between_the_first_read_and_the_place_in_the_stream_is_seen() {
    let place = Place::new().await;
    place.put("one", &row("one"));
    let mut source = TableSource::new(place.table.clone(), HOUR).following();
    source.next().await;
    place.put("two", &row("two"));
    assert_eq!(names(&within(&mut source, SOON).await), ["one", "two"]);
}

#[tokio::test(start_paused = true)]
async fn our_own_statuses_are_no_reason_to_read() {
    let place = Place::new().await;
    let mut source = following(&place).await;
    let statuses =
        RowStatuses::new(Arc::new(MemoryStatuses::default()), Arc::new(LocalLease), vec![place.table.clone()]);
    let location = place.table.location("one");
    for count in 1..10 {
        let mut status = AgentDeploymentStatus { running_count: count, ..AgentDeploymentStatus::default() };
        status.source.get_or_insert_default().location.clone_from(&location);
        statuses.save(&Key::new("one"), &status).await.unwrap();
        nothing_for(&mut source, Duration::from_secs(3)).await;
    }
    assert_eq!(place.row("one")["status"]["M"]["runningCount"]["N"], "9");
    assert_eq!(place.calls("Scan"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_means_nothing_is_read_and_told_to_nobody() {
    let place = Place::new().await;
    let mut source = following(&place).await;
    let mut annotated = row("one");
    annotated["wiki"] = json!({"S": "page"});
    place.put("one", &annotated);
    nothing_for(&mut source, Duration::from_mins(1)).await;
    assert_eq!(place.calls("Scan"), 1);
}

#[tokio::test(start_paused = true)]
async fn many_who_write_at_once_are_read_together() {
    let place = Place::new().await;
    let mut source = following(&place).await;
    for number in 0..500 {
        place.put(&format!("bot-{number}"), &row(&format!("bot-{number}")));
    }
    assert_eq!(within(&mut source, SOON).await.documents.len(), 501);
    nothing_for(&mut source, Duration::from_mins(1)).await;
    assert!(place.calls("Scan") <= 2, "{} reads", place.calls("Scan"));
}

#[tokio::test(start_paused = true)]
async fn however_much_is_written_reading_takes_a_tenth_of_the_time() {
    let place = Place::slow(Duration::from_secs(1)).await;
    let mut source = following(&place).await;
    for number in 0..120 {
        place.put(&format!("bot-{number}"), &row(&format!("bot-{number}")));
        drop(timeout(Duration::from_secs(1), source.next()).await);
    }
    let reads = place.calls("Scan");
    assert!((5..14).contains(&reads), "{reads} reads of a second each");
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_closes_is_followed_by_its_child() {
    let place = Place::new().await;
    let mut source = following(&place).await;
    for step in 0..60 {
        // Every four hours the row stands in a child before anybody knows of it.
        place.sim.leap(Duration::from_mins(10));
        let name = format!("bot-{step}");
        place.put(&name, &row(&name));
        assert!(within(&mut source, SOON).await.documents.contains_key(&Key::new(name)), "step {step}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_lost_the_place_reads_the_table_and_begins_anew() {
    let place = Place::new().await;
    let mut source = following(&place).await;
    // The iterator expires; a day later the records are gone, too.
    for away in [Duration::from_hours(2), Duration::from_hours(30)] {
        let name = format!("bot-{}", away.as_secs());
        place.put(&name, &row(&name));
        place.sim.leap(away);
        assert!(within(&mut source, SOON * 4).await.documents.contains_key(&Key::new(name)), "{away:?}");
    }
    place.put("last", &row("last"));
    assert!(within(&mut source, SOON * 4).await.documents.contains_key(&Key::new("last")));
}

#[tokio::test(start_paused = true)]
async fn while_the_stream_does_not_answer_it_is_asked_more_slowly_and_nothing_is_missed() {
    let place = Place::new().await;
    let mut source = following(&place).await;
    for kind in [FaultKind::Throttle, FaultKind::ServerError, FaultKind::ResetBefore] {
        place.sim.clear_calls();
        place.fault("GetRecords", kind.clone());
        let name = format!("{kind:?}");
        place.put(&name, &row("one"));
        nothing_for(&mut source, Duration::from_mins(10)).await;
        // Each question with the attempts of the SDK.
        assert!(place.calls("GetRecords") < 120, "{kind:?}: {} questions", place.calls("GetRecords"));
        place.sim.clear_faults();
        let snapshot = within(&mut source, Duration::from_mins(1)).await;
        assert!(snapshot.documents.contains_key(&Key::new(name)), "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_stream_or_the_right_to_read_it_the_table_is_polled() {
    for operation in ["DescribeStream", "GetShardIterator", "GetRecords", "DescribeTable"] {
        let place = Place::new().await;
        place.put("one", &row("one"));
        place.fault(operation, FaultKind::AccessDenied);
        let mut source = TableSource::new(place.table.clone(), HOUR).following();
        source.next().await;
        place.put("two", &row("two"));
        let begun = Instant::now();
        let snapshot = source.next().await;
        assert!(snapshot.whole && snapshot.documents.len() == 2, "{operation}: {snapshot:?}");
        assert!(operation == "GetRecords" || begun.elapsed() > HOUR / 2, "{operation}: {:?}", begun.elapsed());
        assert!(place.calls(operation) < 30, "{operation}: {} calls", place.calls(operation));
    }
}

#[tokio::test(start_paused = true)]
async fn a_table_without_a_stream_is_asked_for_one_now_and_then() {
    let place = Place::new().await;
    place.call("UpdateTable", json!({"TableName": "specs", "StreamSpecification": {"StreamEnabled": false}}));
    tokio::time::advance(Duration::from_secs(10)).await;
    place.sim.clear_calls();
    let mut source = TableSource::new(place.table.clone(), HOUR).following();
    source.next().await;
    assert!(source.next().await.whole);
    let questions = place.calls("DescribeTable");
    assert!((5..20).contains(&questions), "{questions} questions an hour");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_switched_off_and_on_again_is_found() {
    let place = Place::new().await;
    let mut source = following(&place).await;
    let stream = |specification| {
        place.call("UpdateTable", json!({"TableName": "specs", "StreamSpecification": specification}));
    };
    stream(json!({"StreamEnabled": false}));
    nothing_for(&mut source, Duration::from_mins(2)).await;
    stream(json!({"StreamEnabled": true, "StreamViewType": "KEYS_ONLY"}));
    nothing_for(&mut source, Duration::from_mins(10)).await;
    place.put("two", &row("two"));
    assert_eq!(names(&within(&mut source, SOON).await), ["one", "two"]);
}

#[tokio::test(start_paused = true)]
async fn a_read_because_of_a_change_that_fails_is_made_up_for() {
    let place = Place::new().await;
    let mut source = following(&place).await;
    let denied = Fault { operation: Some("Scan".to_owned()), ..Fault::once(FaultKind::AccessDenied) };
    place.sim.fault(denied);
    place.put("two", &row("two"));
    assert_eq!(names(&within(&mut source, Duration::from_mins(1)).await), ["one", "two"]);
}
