//! Smoke checks: an agent that runs and does not answer is not Ready.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use fargateer_api::status::{ConditionType, Reason, Truth};
use fargateer_aws::http::Http;
use serde_json::json;

use crate::world::{Agent, Options, World};

/// Answers every request with the same status, and remembers what was asked.
#[derive(Debug, Default)]
struct Answers {
    status: AtomicU16,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Http for Answers {
    async fn ask(&self, url: &str, body: Option<&str>) -> Result<u16, String> {
        self.asked.lock().unwrap().push(format!("{url} {}", body.unwrap_or("-")));
        match self.status.load(Ordering::Relaxed) {
            0 => Err("connection refused".to_owned()),
            status => Ok(status),
        }
    }
}

async fn world(status: u16) -> (World, Arc<Answers>) {
    let answers = Arc::new(Answers { status: status.into(), ..Answers::default() });
    let aws = fargateer_aws::Settings { http: answers.clone(), ..fargateer_aws::Settings::default() };
    (World::with(Options { aws, ..Options::default() }).await, answers)
}

fn checked() -> Agent {
    Agent::named("bot").with("verify", json!({"http": {"path": "/ready", "invoke": {"prompt": "ping"}}}))
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_answers_is_verified_by_path_and_invocation() {
    let (mut world, answers) = world(200).await;
    world.apply([checked()]).await;
    world.assert_ready("bot");
    assert_eq!(world.truth("bot", ConditionType::Verified), Truth::True);
    let asked = answers.asked.lock().unwrap().clone();
    assert!(asked[0].ends_with(":8000/ready -"), "{asked:?}");
    assert!(asked[1].ends_with(r#":8000/invocations {"prompt":"ping"}"#), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_runs_and_does_not_answer_is_not_ready_until_it_does() {
    for (status, word) in [(503, "answered 503"), (0, "connection refused")] {
        let (mut world, answers) = world(status).await;
        world.apply([checked()]).await;
        assert_eq!(world.reason("bot"), Reason::VerificationFailed);
        assert!(world.message("bot").contains(word), "{}", world.message("bot"));
        assert_eq!(world.truth("bot", ConditionType::Verified), Truth::False);
        let writes = world.writes();
        answers.status.store(200, Ordering::Relaxed);
        world.resync().await;
        world.assert_ready("bot");
        assert_eq!(world.writes(), writes, "nothing is deployed anew for it");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_where_no_task_runs_or_no_check_is_wanted() {
    let (mut world, answers) = world(503).await;
    world.apply([checked().with_tasks(0), Agent::named("other")]).await;
    world.assert_ready("bot");
    world.assert_ready("other");
    assert_eq!(answers.asked.lock().unwrap().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_query_of_a_check_is_asked_and_not_told() {
    for status in [0, 503] {
        let (mut world, answers) = world(status).await;
        world.apply([checked().with("verify", json!({"http": {"path": "/ready?token=canary"}}))]).await;
        assert_eq!(world.reason("bot"), Reason::VerificationFailed);
        assert!(answers.asked.lock().unwrap().iter().all(|url| url.contains("/ready?token=canary")));
        let told = serde_json::to_string(&world.status("bot")).expect("a status is JSON");
        assert!(told.contains(":8000/ready") && !told.contains("canary"), "{told}");
    }
}
