//! What `plan` says before anything is done.

use std::fs;

use serde_json::json;

use crate::place::Place;

/// A place with a cluster, and agents in it that depend on others.
fn place(agents: &[(&str, &[&str])]) -> Place {
    let spec = json!({"cluster": "agents", "image": {"uri": "x:1"}, "network": {"subnets": ["subnet-0a1"]},
        "roles": {"execution": "exec"}});
    let place = Place::new(spec);
    fs::create_dir(place.folder.path().join("specs")).expect("a folder");
    for (name, needs) in agents {
        write(&place, name, needs, 1);
    }
    place
}

fn write(place: &Place, name: &str, needs: &[&str], count: u32) {
    let agent = json!({"apiVersion": "fargateer/v1", "kind": "AgentDeployment", "metadata": {"name": name},
        "spec": {"cluster": "agents", "image": {"uri": "x:1"}, "network": {"subnets": ["subnet-0a1"]},
            "roles": {"execution": "exec"}, "desiredCount": count, "dependsOn": needs}});
    fs::write(place.folder.path().join(format!("specs/{name}.json")), agent.to_string()).expect("a spec");
}

#[test]
fn a_plan_says_whom_a_change_waits_for_and_why() {
    let place = place(&[("web", &["store", "audit"]), ("store", &[])]);
    let said = place.run(&["plan", "specs"]);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert!(said.out.contains("  > waits until store is Ready: it changes, too\n"), "{}", said.out);
    let elsewhere = "  > waits until audit is Ready: it is not among these specs, so it may be Ready or not\n";
    assert!(said.out.contains(elsewhere), "{}", said.out);
    let list = place.run(&["plan", "--format", "json", "specs"]).json();
    let waits = |index: usize| list["items"][index]["waitsFor"].clone();
    assert_eq!(waits(0), json!([]), "store waits for nobody");
    assert_eq!(waits(1)[0], json!({"agent": "store", "why": "it changes, too"}));
    let markdown = place.run(&["plan", "--format", "markdown", "specs"]).out;
    assert!(markdown.contains("> waits until store is Ready: it changes, too\n"), "{markdown}");

    // Once it is there nobody waits for it.
    let done = place.run(&["run", "--once", "--quota-share", "1", "specs/store.json"]);
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    let said = place.run(&["plan", "specs"]);
    assert!(!said.out.contains("waits until store") && said.out.contains("waits until audit"), "{}", said.out);
}

#[test]
fn a_plan_of_agents_that_wait_for_one_another_says_the_way_round() {
    let place = place(&[("web", &["store"]), ("store", &["web"])]);
    let said = place.run(&["plan", "specs"]);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    let line =
        "store: nothing is done: depends on itself: store -> web -> store; one of these has to go from spec.dependsOn";
    assert!(said.out.contains(line), "{}", said.out);
}
