//! Every law over every input.

use std::fs;

use fargateer_laws::{LAWS, Law};
use proptest::prelude::*;

use crate::inputs::{INPUTS, error, input, name, root, words};

fn law(name: &str) -> Law {
    LAWS.into_iter().find(|(known, _)| *known == name).expect("a law of this name").1
}

#[test]
fn every_law_holds_for_every_input_we_have() {
    assert!(INPUTS.len() > 200, "{} inputs", INPUTS.len());
    for (_, law) in LAWS {
        INPUTS.iter().for_each(|input| law(input));
    }
}

#[test]
fn the_inputs_reach_what_the_laws_speak_of() {
    let agents = INPUTS.iter().map(|input| fargateer_api::yaml::parse_bytes("input", input).agents.len());
    assert!(agents.sum::<usize>() > 100, "specs that are understood");
    assert!(words().len() > 60, "the dictionary is read");
    assert!(words().contains(&vec![0x1b]), "its escapes, too");
}

/// A target that is not there is never fuzzed, and a target without a law is not run here.
#[test]
fn every_law_is_a_fuzz_target_of_one_line() {
    let folder = root().join("fuzz/fuzz_targets");
    let targets = fs::read_dir(&folder).unwrap().count();
    assert_eq!(targets, LAWS.len());
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
    for (name, _) in LAWS {
        let source = fs::read_to_string(folder.join(format!("{name}.rs"))).unwrap();
        let line = format!("fuzz_target!(|data: &[u8]| fargateer_laws::{name}(data));");
        assert!(source.contains(&line) && manifest.contains(&format!("name = \"{name}\"")), "{name}");
    }
}

proptest! {
    // What is found becomes a file in `fuzz/seeds` or a case, not a seed of one version of proptest.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_file_is_understood_or_faulted_and_reads_as_itself(input in input()) {
        law("yaml_to_spec")(&input);
    }

    #[test]
    fn any_spec_is_settled_once_it_is_applied_and_shown_without_secrets(input in input()) {
        law("spec_to_requests")(&input);
    }

    #[test]
    fn any_error_has_a_class(input in prop_oneof![4 => error(), 1 => input()]) {
        law("error_classifier")(&input);
    }

    #[test]
    fn any_name_is_refused_or_sound(input in prop_oneof![4 => name(), 1 => input()]) {
        law("arn")(&input);
    }

    #[test]
    fn any_status_reads_as_itself(input in input()) {
        law("status")(&input);
    }
}
