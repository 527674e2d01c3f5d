//! Buildspecs, as far as they are simulated: `phases`, and the `commands` of each as a list of one line a command.

use std::collections::BTreeMap;

/// The commands of each phase.
pub(super) type Phases = BTreeMap<String, Vec<String>>;

/// Reads a buildspec of block style; what is wrong with it otherwise.
pub(super) fn parse(text: &str) -> Result<Phases, String> {
    let (mut phases, mut inside, mut phase, mut commands) = (Phases::new(), false, String::new(), false);
    let mut version = false;
    for line in text.lines() {
        let (content, indent) = (line.trim(), line.len() - line.trim_start().len());
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        match (indent, content.strip_suffix(':')) {
            (0, key) => {
                inside = key == Some("phases");
                version = version || content.starts_with("version:");
            }
            (_, Some(key)) if inside && indent <= 2 => {
                key.clone_into(&mut phase);
                phases.entry(phase.clone()).or_default();
                commands = false;
            }
            (_, Some(key)) if inside && !content.starts_with('-') => commands = key == "commands",
            _ if inside && commands => {
                let Some(command) = content.strip_prefix("- ") else {
                    return Err(format!("Expected Commands[0] to be of string type: found {content}"));
                };
                phases.entry(phase.clone()).or_default().push(unquoted(command).to_owned());
            }
            _ => {}
        }
    }
    match (version, phases.is_empty()) {
        (false, _) => Err("Unsupported version ''".to_owned()),
        (true, true) => Err("phases: there is none".to_owned()),
        (true, false) => Ok(phases),
    }
}

fn unquoted(text: &str) -> &str {
    let quoted = |quote: char| text.len() > 1 && text.starts_with(quote) && text.ends_with(quote);
    if quoted('"') || quoted('\'') { text.get(1..text.len() - 1).unwrap_or(text) } else { text }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_commands_of_each_phase_are_read_in_their_order() {
        let text = "version: 0.2\nenv:\n  variables:\n    A: \"1\"\nphases:\n  pre_build:\n    commands:\n      - echo \"$A\" > x\n  \
                    build:\n    commands:\n      - docker build .\n      - \"docker push x\"\n";
        let phases = parse(text).unwrap();
        assert_eq!(phases["pre_build"], ["echo \"$A\" > x"]);
        assert_eq!(phases["build"], ["docker build .", "docker push x"]);
        assert!(parse("phases:\n  build:\n    commands:\n      - a\n").unwrap_err().contains("version"));
        assert!(parse("version: 0.2\n").is_err());
    }
}
