//! Files nobody means well with. Each must end in a fault that says why, and in no agent.

use std::fmt::Write;

use fargateer_api::yaml::{self, MAX_DOCUMENTS, MAX_FAULTS, Parsed};

const AGENT: &str = "apiVersion: fargateer/v1\nkind: AgentDeployment\nmetadata: {name: support-bot}\nspec:\n  cluster: agents\n  image: {uri: \"nginx:1\"}\n  network: {subnets: [subnet-1]}\n  logging: {enabled: false}\n";

/// The only fault of a file without agents.
fn refused(text: &str) -> String {
    let Parsed { agents, faults, .. } = yaml::parse("attack.yaml", text);
    assert_eq!(agents, []);
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults[0].problem.clone()
}

fn agents(text: &str) -> usize {
    let parsed = yaml::parse("attack.yaml", text);
    assert_eq!(parsed.faults, []);
    parsed.agents.len()
}

#[test]
fn the_unharmed_agent_of_these_tests_is_accepted() {
    assert_eq!(agents(AGENT), 1);
}

#[test]
fn a_hundred_kilobytes_of_opening_brackets_are_refused_for_their_depth() {
    assert_eq!(refused(&"[".repeat(100_000)), "nested more than 64 levels deep");
    assert_eq!(refused(&"{".repeat(100_000)), "nested more than 64 levels deep");
    assert_eq!(refused(&"{a: ".repeat(25_000)), "nested more than 64 levels deep");
    assert_eq!(refused(&"[{".repeat(50_000)), "nested more than 64 levels deep");
    assert_eq!(refused(&"[\n".repeat(50_000)), "nested more than 64 levels deep");
}

#[test]
fn brackets_inside_a_real_document_are_refused_for_their_depth() {
    let text = format!("{AGENT}  sidecars: {}", "[".repeat(100_000));
    assert_eq!(refused(&text), "nested more than 64 levels deep");
}

#[test]
fn brackets_in_a_string_are_only_text() {
    let text = format!("{AGENT}  tags: {{team: ok}}\n  container: {{environment: {{A: \"{}\"}}}}\n", "[".repeat(1000));
    assert_eq!(agents(&text), 1);
}

#[test]
fn deep_block_nesting_is_refused() {
    let mut text = String::new();
    for depth in 0..300 {
        writeln!(text, "{}a:", " ".repeat(depth)).unwrap();
    }
    assert_eq!(refused(&text), "nested more than 64 levels deep");
    assert_eq!(refused(&"- ".repeat(50_000)), "nested more than 64 levels deep");
    assert_eq!(refused(&"? ".repeat(50_000)), "a key must be a plain word, not a list or a mapping");
}

#[test]
fn sixty_four_levels_are_deep_enough_for_anyone_and_allowed() {
    let list = |levels: usize| format!("{AGENT}status: {}{}\n", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(agents(&list(63)), 1);
    assert_eq!(refused(&list(64)), "nested more than 64 levels deep");
}

#[test]
fn an_alias_bomb_is_refused_before_it_is_unfolded() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        writeln!(text, "a{level}: &a{level} [{}]", vec![format!("*a{}", level - 1); 9].join(", ")).unwrap();
    }
    let parsed = yaml::parse("attack.yaml", &text);
    assert_eq!(parsed.agents, []);
    assert!(parsed.faults.iter().all(|fault| fault.problem.contains("anchors and aliases")), "{:?}", parsed.faults);
    assert_eq!(parsed.faults.len(), 30 + 29 * 9);
}

#[test]
fn odd_tags_are_refused() {
    for tag in ["!!python/object/apply:os.system", "!include", "!!binary", "!<tag:example.org,2026:x>", "!!str"] {
        let text = AGENT.replace("cluster: agents", &format!("cluster: {tag} agents"));
        assert_eq!(refused(&text), "tags (`!name`) are not accepted", "{tag}");
    }
}

#[test]
fn a_key_given_twice_is_refused_wherever_it_stands() {
    assert_eq!(refused(&format!("{AGENT}  desiredCount: 1\n  desiredCount: 2\n")), "`desiredCount` is given twice");
    assert_eq!(refused(&format!("{AGENT}  tags: {{a: b, \"a\": c}}\n")), "`a` is given twice");
    assert_eq!(refused(&format!("{AGENT}  sidecars: [{{name: x, image: \"y\", name: z}}]\n")), "`name` is given twice");
}

#[test]
fn nul_and_escape_are_refused_raw_and_written_out() {
    assert_eq!(refused(&format!("{AGENT}# \u{0}\n")), "control character U+0000");
    assert_eq!(refused(&format!("{AGENT}# \u{1b}[2J\n")), "control character U+001B");
    assert_eq!(refused(&format!("{AGENT}# \u{9b}2J\n")), "control character U+009B");
    for (written, code) in [("\\0", "0000"), ("\\e", "001B"), ("\\x9b", "009B"), ("\\r", "000D")] {
        let text = format!("{AGENT}  container: {{environment: {{A: \"{written}\"}}}}\n");
        assert_eq!(refused(&text), format!("control character U+{code} in a string"));
    }
}

#[test]
fn a_nul_hides_nothing_that_stands_behind_it() {
    let text = format!("---\na: 1 \u{0}\n---\n{AGENT}");
    let parsed = yaml::parse("attack.yaml", &text);
    assert_eq!((parsed.agents.len(), parsed.faults.len(), parsed.documents), (1, 1, 2));
}

#[test]
fn a_huge_file_is_refused_unread() {
    let text = format!("{AGENT}  container: {{environment: {{A: \"{}\"}}}}\n", "x".repeat(300_000));
    assert!(refused(&text).contains("is too large"));
}

#[test]
fn a_huge_scalar_below_the_limit_is_read() {
    let text = format!("{AGENT}  container: {{environment: {{A: \"{}\"}}}}\n", "x".repeat(200_000));
    assert_eq!(agents(&text), 1);
}

#[test]
fn ten_thousand_documents_are_refused_and_a_thousand_are_not() {
    assert!(refused(&"---\na: 1\n".repeat(10_000)).contains("10000 documents"));
    let documents = (0..MAX_DOCUMENTS).map(|_| "---\n# empty\n").collect::<String>();
    assert_eq!(yaml::parse("attack.yaml", &documents), Parsed::default());
}

#[test]
fn a_flood_of_faults_is_cut_and_says_so() {
    let mut text = AGENT.to_owned();
    for field in 0..5000 {
        writeln!(text, "  qqqqqqqq{field}: 1").unwrap();
    }
    let parsed = yaml::parse("attack.yaml", &text);
    assert_eq!(parsed.faults.len(), MAX_FAULTS);
    assert_eq!(parsed.faults[MAX_FAULTS - 1].hint.as_deref(), Some("4500 more faults follow"));
}

#[test]
fn bytes_that_are_no_text_are_refused_where_they_stand() {
    let parsed = yaml::parse_bytes("attack.yaml", b"a: 1\nb: \xff\n");
    assert_eq!(parsed.faults[0].to_string(), "attack.yaml:2:4: not valid UTF-8");
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_accepted() {
    assert_eq!(agents(&format!("\u{feff}{}", AGENT.replace('\n', "\r\n"))), 1);
}

#[test]
fn a_huge_key_is_refused() {
    let key = "k".repeat(100_000);
    assert_eq!(refused(&format!("? {key}\n: 1\n")), "a key of 100000 bytes is too long");
    assert_eq!(refused(&format!("{{\"{key}\": 1}}")), "a key of 100000 bytes is too long");
}

#[test]
fn a_fault_does_not_repeat_a_huge_value() {
    let text = AGENT.replace("cluster: agents", &format!("cluster: \"{}\"", "ä b".repeat(50_000)));
    assert!(refused(&text).chars().count() < 500);
}

#[test]
fn many_ambiguous_words_deep_down_are_cut() {
    let words = "on, ".repeat(50_000);
    let deep = format!("{}[{words}on]{}", "{a: ".repeat(58), "}".repeat(58));
    let parsed = yaml::parse("attack.yaml", &format!("{AGENT}  overrides: {{service: {deep}}}\n"));
    assert_eq!((parsed.agents.len(), parsed.faults.len()), (0, MAX_FAULTS));
}
