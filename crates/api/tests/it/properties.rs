//! Laws over arbitrary text and arbitrary specs.

use std::collections::BTreeMap;

use fargateer_api::{
    AgentDeployment, Generation, fargate,
    spec::{Architecture, Capacity, DeletionPolicy, Provider, StrategyItem},
    validate, yaml,
};
use proptest::prelude::*;

const MINIMAL: &str = include_str!("../../cases/minimal/input.yaml");

fn minimal() -> AgentDeployment {
    yaml::parse("minimal.yaml", MINIMAL).agents.remove(0).agent
}

/// Valid agents: names, sizes, counts, maps and capacity vary.
fn agent() -> impl Strategy<Value = AgentDeployment> {
    let size = prop::sample::select(fargate::CPUS.to_vec())
        .prop_flat_map(|cpu| (Just(cpu), prop::sample::select(fargate::memory_for(cpu))));
    let environment = prop::collection::btree_map("[A-Z_][A-Z0-9_]{0,12}", "[ -~äß€\n\t]{0,30}", 0..6);
    let tags = prop::collection::btree_map("x[a-zA-Z0-9 ._:/=+@-]{0,12}", "[a-zA-Z0-9 ._:/=+@-]{0,20}", 0..4);
    let capacity = prop::option::of((1u32..=1000, 0u32..=100_000).prop_map(|(weight, base)| Capacity {
        strategy: vec![StrategyItem { provider: Provider::FargateSpot, weight, base }],
        ..Capacity::default()
    }));
    let words = ("[a-z][a-z0-9]{0,20}", "(yes|no|on|1|1e3|null|~|0x1|[a-z0-9_-]{1,20})", 0u32..=100, any::<bool>());
    (words, size, environment, tags, capacity).prop_map(|(words, (cpu, memory), environment, tags, capacity)| {
        let (name, family, desired_count, arm) = words;
        let mut agent = minimal();
        agent.metadata.name = name;
        agent.spec.task_family = Some(family).filter(|family| family != "~");
        agent.spec.desired_count = desired_count;
        agent.spec.resources.cpu = cpu;
        agent.spec.resources.memory = memory;
        agent.spec.resources.architecture = if arm { Architecture::Arm64 } else { Architecture::X86_64 };
        agent.spec.deletion_policy = if arm { DeletionPolicy::Retain } else { DeletionPolicy::Delete };
        agent.spec.container.environment = environment;
        agent.spec.tags = tags;
        agent.spec.capacity = capacity;
        agent
    })
}

/// Text that looks like YAML often enough to get far.
fn likely() -> impl Strategy<Value = String> {
    let line = prop::sample::select(MINIMAL.lines().map(str::to_owned).collect::<Vec<_>>());
    let noise = "[ \\[\\]{}:,&*!|>'\"%@`#?a-z0-9\n\t~<-]{0,20}";
    let piece = prop_oneof![3 => line.prop_map(|line| line + "\n"), 1 => noise, 1 => Just("---\n".to_owned())];
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let parsed = yaml::parse_bytes("any.yaml", &bytes);
        prop_assert!(parsed.agents.is_empty());
    }

    #[test]
    fn arbitrary_text_is_read_without_a_panic_and_understood_or_faulted(text in "\\PC{0,200}") {
        let parsed = yaml::parse("any.yaml", &text);
        prop_assert!(parsed.documents == 0 || !parsed.faults.is_empty());
    }

    #[test]
    fn text_like_a_spec_is_read_without_a_panic_and_each_fault_has_a_place(text in likely()) {
        let parsed = yaml::parse("any.yaml", &text);
        let lines = text.lines().count() + 1;
        prop_assert!(parsed.faults.iter().all(|fault| fault.line >= 1 && fault.line <= lines && fault.column >= 1));
        prop_assert!(parsed.agents.len() <= parsed.documents);
        prop_assert!(parsed.agents.len() == parsed.documents || !parsed.faults.is_empty());
    }

    #[test]
    fn a_printed_spec_reads_as_itself(agent in agent()) {
        prop_assert_eq!(validate::check(&agent), vec![]);
        let parsed = yaml::parse("printed.yaml", &yaml::print(&agent));
        prop_assert_eq!(parsed.faults, vec![]);
        prop_assert_eq!(&parsed.agents[0].agent, &agent);
    }

    #[test]
    fn a_spec_written_as_json_reads_as_itself(agent in agent()) {
        let parsed = yaml::parse("printed.json", &serde_json::to_string_pretty(&agent).unwrap());
        prop_assert_eq!(parsed.faults, vec![]);
        prop_assert_eq!(&parsed.agents[0].agent, &agent);
    }

    #[test]
    fn the_order_of_fields_does_not_change_the_generation(agent in agent()) {
        // A `Value` sorts its keys, a struct prints them in its own order.
        let value = serde_json::to_value(&agent).unwrap();
        let sorted = yaml::parse("sorted.yaml", &yaml::print_value(&value));
        prop_assert_eq!(Generation::of(&sorted.agents[0].agent.spec), Generation::of(&agent.spec));
    }

    #[test]
    fn another_meaning_has_another_generation(agent in agent(), name in "[A-Z]{14}") {
        let mut changed = agent.clone();
        changed.spec.container.environment = BTreeMap::from([(name, "x".to_owned())]);
        prop_assert_ne!(Generation::of(&changed.spec), Generation::of(&agent.spec));
    }
}

#[test]
fn defaults_written_out_have_the_generation_of_defaults_left_out() {
    let spelled = "
  region: us-east-1
  container:
    name: strands-agent
    port: 8000
    readonlyRootFilesystem: false
    initProcess: false
    environment: {}
    command: []
    healthCheck: {path: /health, command: [], interval: 30, timeout: 5, retries: 3, startPeriod: 60}
  sidecars: []
  resources: {cpu: 256, memory: 512, architecture: X86_64, ephemeralStorageGiB: null}
  desiredCount: 1
  capacity: null
  logging: {enabled: true, retentionDays: 30, streamPrefix: ecs}
  loadBalancer: null
  autoscaling: {enabled: false, min: 1, max: 10, targetCpu: 70, scheduled: []}
  rollout:
    strategy: Rolling
    minimumHealthyPercent: 100
    maximumPercent: 200
    circuitBreaker: {enabled: true, rollback: true}
    alarms: []
  tags: {}
  enableExecuteCommand: false
  propagateTags: Service
  drift: {mode: Correct, ignore: []}
  deletionPolicy: Delete
  retainData: true
  dependsOn: []
  overrides: {taskDefinition: {}, service: {}}
";
    let written = yaml::parse("written.yaml", &format!("{}{}", MINIMAL.trim_end(), spelled));
    assert_eq!(written.faults, []);
    let written = &written.agents[0].agent;
    assert_eq!(Generation::of(&written.spec), Generation::of(&minimal().spec));
    assert_eq!(*written, minimal());
}
