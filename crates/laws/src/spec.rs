//! Files of specs: understood or faulted, and what is understood is the same in every wording.

use fargateer_api::yaml::{self, MAX_FAULTS, Parsed};
use fargateer_api::{AgentDeployment, Generation, validate};

use crate::is_harmless;

/// Any file is read without a panic. Each document is an agent without a fault or has a fault with a place and a text for
/// one line; an agent obeys every rule, and printed as YAML or JSON it reads as itself.
///
/// # Panics
///
/// When the law is broken.
pub fn yaml_to_spec(data: &[u8]) {
    let parsed = yaml::parse_bytes("input.yaml", data);
    let lines = data.split(|byte| *byte == b'\n').count();
    assert!(parsed.agents.len() <= parsed.documents, "an agent without a document");
    assert!(parsed.agents.len() == parsed.documents || !parsed.faults.is_empty(), "neither understood nor faulted");
    assert!(parsed.faults.len() <= MAX_FAULTS, "a flood of faults");
    for fault in &parsed.faults {
        assert!((1..=lines).contains(&fault.line) && fault.column >= 1, "{fault:?} is nowhere");
        assert!(is_harmless(&fault.to_string()), "{fault:?}");
        assert!(fault.hint.as_deref().is_none_or(is_harmless), "{fault:?}");
        assert!(!fault.problem.is_empty(), "{fault:?} says nothing");
    }
    assert!(parsed.named.iter().all(|key| is_harmless(key.as_str())), "{:?}", parsed.named);
    for located in &parsed.agents {
        reads_as_itself(&located.agent);
    }
}

fn reads_as_itself(agent: &AgentDeployment) {
    assert_eq!(validate::check(agent), [], "an agent that breaks a rule");
    let printed = yaml::print(agent);
    assert!(printed.lines().all(is_harmless), "{printed:?}");
    let json = serde_json::to_string_pretty(agent).unwrap_or_default();
    for (file, text) in [("printed.yaml", printed), ("printed.json", json)] {
        let Parsed { agents, faults, .. } = yaml::parse(file, &text);
        assert_eq!(faults, [], "{text}");
        let again = agents.first().map(|located| &located.agent);
        assert_eq!(again, Some(agent), "{text}");
        assert_eq!(again.map(|agent| Generation::of(&agent.spec)), Some(Generation::of(&agent.spec)), "{text}");
    }
}
