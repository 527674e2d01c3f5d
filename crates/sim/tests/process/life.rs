//! The life of a task: its start, its environment, its end.

use crate::place::{IMAGE, Place, address, ask, until};
use fargateer_sim::process::{Keeper, Program};
use serde_json::{Value, json};
use std::path::Path;
use tokio::sync::mpsc;

fn environment(name: &str, value: &str) -> Value {
    json!({"environment": [{"name": name, "value": value}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tasks_have_the_same_port_and_each_its_own_address_folder_and_process() {
    let place = Place::new().await;
    place.create(2, false, &json!({}));
    place.steady().await;
    let tasks = place.tasks("RUNNING");
    let mut seen = Vec::new();
    for task in &tasks {
        assert_eq!((&task["lastStatus"], &task["healthStatus"]), (&json!("RUNNING"), &json!("HEALTHY")));
        let (status, said) = ask(address(task), "GET", "/environment").await.unwrap();
        assert_eq!((status, &said["environment"]["HOST"]), (200, &json!(address(task).ip())));
        assert_eq!(said["environment"]["PORT"], "8000");
        seen.push((address(task), said["pid"].clone(), said["folder"].clone()));
    }
    let (one, other) = (&seen[0], &seen[1]);
    assert!(one.0 != other.0 && one.1 != other.1 && one.2 != other.2, "{seen:?}");
    assert!(place.log(&tasks[0])[0].contains("from-the-image"), "{:?}", place.log(&tasks[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_gets_its_definitions_environment_and_secrets_and_nothing_of_ours() {
    let place = Place::new().await;
    let secret = place.call(
        "secretsmanager",
        "CreateSecret",
        json!({"Name": "team/key", "SecretString": "{\"token\": \"from the vault\"}"}),
    );
    let parameter = json!({"Name": "/team/url", "Value": "from the store", "Type": "SecureString"});
    place.call("ssm", "PutParameter", parameter);
    let arn = format!("{}:token::", secret["ARN"].as_str().unwrap());
    place.create(
        1,
        false,
        &json!({
            "environment": [{"name": "GREETING", "value": "hello"}],
            "secrets": [
                {"name": "TOKEN", "valueFrom": arn},
                {"name": "URL", "valueFrom": "arn:aws:ssm:us-east-1:111122223333:parameter/team/url"},
            ],
        }),
    );
    place.steady().await;
    let (_, said) = ask(address(&place.tasks("RUNNING")[0]), "GET", "/environment").await.unwrap();
    let variables = &said["environment"];
    let values =
        ["GREETING", "TOKEN", "URL", "COMMON", "AWS_REGION"].map(|name| variables[name].as_str().unwrap_or(""));
    assert_eq!(values, ["hello", "from the vault", "from the store", "to all", "us-east-1"]);
    // Cargo sets it for us.
    assert!(variables["CARGO_MANIFEST_DIR"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_not_there_keeps_a_task_from_starting() {
    let place = Place::new().await;
    place.create(1, false, &json!({"secrets": [{"name": "TOKEN", "valueFrom": "/nowhere"}]}));
    let task = until("a task has stopped", || place.tasks("STOPPED").pop()).await;
    let reason = task["stoppedReason"].as_str().unwrap();
    assert!(reason.starts_with("ResourceInitializationError: unable to pull secrets"), "{reason}");
    assert!(reason.contains("/nowhere"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_lets_a_task_drain_and_its_exit_code_is_its_own() {
    let place = Place::new().await;
    place.create(1, false, &json!({}));
    place.steady().await;
    place.ecs("UpdateService", json!({"cluster": "blue", "service": "agent", "desiredCount": 0}));
    let task = until("it has stopped", || place.tasks("STOPPED").into_iter().find(stopped)).await;
    assert_eq!(task["containers"][0]["exitCode"], 0);
    assert_eq!(place.log(&task).last().unwrap(), "drained");
}

fn stopped(task: &Value) -> bool {
    task["lastStatus"] == "STOPPED"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_ignores_sigterm_is_killed_after_its_stop_timeout() {
    let place = Place::new().await;
    let mut changes = environment("IGNORE_TERM", "1");
    changes["stopTimeout"] = json!(2);
    place.create(1, false, &changes);
    place.steady().await;
    let (_, said) = ask(address(&place.tasks("RUNNING")[0]), "GET", "/environment").await.unwrap();
    let asked = place.aws.now();
    place.ecs("UpdateService", json!({"cluster": "blue", "service": "agent", "desiredCount": 0}));
    let task = until("it has stopped", || place.tasks("STOPPED").into_iter().find(stopped)).await;
    assert_eq!(task["containers"][0]["exitCode"], 137);
    assert_eq!(place.log(&task).last().unwrap(), "ignored SIGTERM");
    assert!(place.aws.now().saturating_sub(asked).as_secs() >= 2);
    assert!(std::fs::read_link(format!("/proc/{}/exe", said["pid"])).is_err(), "it still runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_crashes_is_replaced() {
    let place = Place::new().await;
    place.create(1, false, &json!({}));
    place.steady().await;
    let before = place.tasks("RUNNING").remove(0);
    assert!(ask(address(&before), "GET", "/crash").await.is_err());
    let after = until("another task is healthy", || {
        let fresh = |task: &Value| task["taskArn"] != before["taskArn"] && task["healthStatus"] == "HEALTHY";
        place.tasks("RUNNING").into_iter().find(fresh)
    })
    .await;
    assert_eq!(ask(address(&after), "GET", "/health").await.unwrap().0, 200);
    let ended = place.tasks("STOPPED").remove(0);
    assert_eq!(
        (&ended["stopCode"], &ended["containers"][0]["exitCode"]),
        (&json!("EssentialContainerExited"), &json!(3))
    );
    assert_eq!(place.log(&ended).last().unwrap(), "about to crash");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_whose_health_check_fails_is_replaced() {
    let place = Place::new().await;
    place.create(1, false, &json!({}));
    place.steady().await;
    let before = place.tasks("RUNNING").remove(0);
    assert_eq!(ask(address(&before), "GET", "/sick").await.unwrap().0, 200);
    let ended = until("it has stopped", || place.tasks("STOPPED").into_iter().find(stopped)).await;
    assert_eq!(ended["stoppedReason"], "Task failed container health checks");
    assert_eq!((&ended["taskArn"], &ended["healthStatus"]), (&before["taskArn"], &json!("UNHEALTHY")));
    place.steady().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_of_others_is_not_run_and_one_known_by_name_alone_is_a_virtual_task() {
    let place = Place::new().await;
    place.create(1, false, &json!({"image": IMAGE.replace("v1", "of-others")}));
    let task = until("a task has stopped", || place.tasks("STOPPED").pop()).await;
    let reason = task["stoppedReason"].as_str().unwrap();
    assert!(reason.starts_with("CannotPullContainerError: "), "{reason}");
    assert!(reason.contains("not an image that Fargateer built"), "{reason}");
    let revision = place.register(&json!({"image": IMAGE.replace("v1", "name-alone"), "healthCheck": null}));
    place.ecs("UpdateService", json!({"cluster": "blue", "service": "agent", "taskDefinition": revision}));
    place.steady().await;
    assert!(address(&place.tasks("RUNNING")[0]).to_string().starts_with("10."));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_cannot_be_found_says_so() {
    let place = Place::new().await;
    place.create(1, false, &json!({"entryPoint": ["/no/such/program"]}));
    let task = until("a task has stopped", || place.tasks("STOPPED").pop()).await;
    assert_eq!(task["containers"][0]["exitCode"], 127);
    assert!(place.log(&task).concat().contains("/no/such/program"), "{:?}", place.log(&task));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_driver_ends_all_tasks_end() {
    let mut place = Place::new().await;
    place.create(2, false, &json!({}));
    place.steady().await;
    let mut processes = Vec::new();
    for task in place.tasks("RUNNING") {
        let (_, said) = ask(address(&task), "GET", "/environment").await.unwrap();
        processes.push(format!("/proc/{}", said["pid"]));
    }
    place.end().await;
    assert_eq!(processes.len(), 2);
    assert!(!processes.iter().any(|process| Path::new(process).exists()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_we_leave_behind_when_we_die_is_killed() {
    let keeper = Keeper::start().unwrap();
    let (said, mut heard) = mpsc::channel(10);
    let script = "trap '' TERM; sleep 300 & echo $$ $!; wait";
    let words = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    let program = Program { words, environment: Vec::new(), folder: "/".into() };
    let running = keeper.run(&program, &said).await.unwrap();
    let line = heard.recv().await.unwrap();
    let processes: Vec<String> = line.split(' ').map(|id| format!("/proc/{id}/exe")).collect();
    assert!(processes.iter().all(|process| Path::new(process).exists()));
    // As if we had died: nobody ends the program, and the pipe to the keeper breaks.
    std::mem::forget(running);
    drop(keeper);
    // One that is dead and not yet buried has no program any more.
    until("both are gone", || processes.iter().all(|process| std::fs::read_link(process).is_err()).then_some(())).await;
}
