//! A row of a table of specs: what it says about its agent, or everything that is wrong with it.
//!
//! Ours are the attributes `name` (the partition key), `spec`, `labels`, `project`, `suspend` and, of which we are the only
//! author, `status`. Whatever else stands in a row is its owner's.

use std::collections::BTreeMap;
use std::sync::Arc;

use fargateer_api::spec::Suspend;
use fargateer_api::yaml::{self, MAX_BYTES};
use fargateer_api::{AgentDeployment, Fault, Key, Violation, validate, visible};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Item, value};

/// The partition key: the agent's name.
pub(super) const NAME: &str = "name";
/// What should run: a map, or a text of YAML or JSON.
pub(super) const SPEC: &str = "spec";
/// Labels beside those of the spec's document.
pub(super) const LABELS: &str = "labels";
/// The project, in place of that of the spec's document.
pub(super) const PROJECT: &str = "project";
/// Hands off: a reason, `true`, or what stands in a spec under `suspend`.
pub(super) const SUSPEND: &str = "suspend";
/// What Fargateer answers.
pub(super) const STATUS: &str = "status";
/// The field of the status that counts its wordings.
pub(super) const REVISION: &str = "revision";

/// The attributes a person writes.
pub(super) const WRITTEN: [&str; 4] = [SPEC, LABELS, PROJECT, SUSPEND];
/// No agent's name is longer, in characters.
const LONGEST_NAME: usize = 63;
/// What is put before a spec that stands alone in a text, and how far its lines are moved to the right.
const HEAD: &str = "apiVersion: fargateer/v1\nkind: AgentDeployment\nmetadata: {name: NAME}\nspec:\n";
const HEAD_LINES: usize = 4;
const INDENT: &str = "  ";

/// A row as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Its agent, as far as a name can be one.
    pub(crate) key: Key,
    /// Where it stands, for people: `dynamodb://TABLE/NAME`.
    pub(crate) location: String,
    /// The newest usable wording, if there ever was one.
    pub(crate) agent: Option<Arc<AgentDeployment>>,
    /// What is wrong with the newest wording.
    pub(crate) faults: Vec<String>,
    /// How often its status was written; none when it has no status.
    pub(crate) revision: Option<u64>,
    /// What its status said when this process first read the row, as [`fingerprint`] has it.
    pub(crate) told: Option<[u8; 32]>,
    /// Bytes of what a person wrote.
    pub(crate) size: usize,
    digest: [u8; 32],
}

/// What a person wrote into a row.
struct Wording {
    fields: BTreeMap<&'static str, Value>,
    /// Paths of values no spec can have.
    binary: Vec<String>,
}

/// An agent, or everything that keeps a row from being one.
type Meaning = Result<AgentDeployment, Vec<String>>;

impl Row {
    /// The row `item`, whose name is `name`. What did not change since `known` is not parsed again, and what is faulty
    /// now keeps its last good wording.
    pub(super) fn read(location: String, name: &str, item: &Item, known: Option<&Self>) -> Self {
        let (wording, revision) = (Wording::of(item), revision(item));
        let text = json!(wording.fields).to_string();
        let digest = Sha256::digest(&text).into();
        if let Some(known) = known.filter(|known| known.digest == digest) {
            return Self { revision, ..known.clone() };
        }
        for (attribute, ours) in misnamed(item) {
            let attribute = visible(attribute);
            tracing::warn!(row = location, attribute, ours, "attribute ignored; the name of ours is another one");
        }
        let (agent, faults) = match wording.meaning(&location, name) {
            Ok(agent) => (Some(Arc::new(agent)), Vec::new()),
            Err(faults) => (known.and_then(|known| known.agent.clone()), faults),
        };
        // A status is compared at first sight alone: later ones are ours, or told by the revision.
        let told = match known {
            Some(known) => known.told,
            None => item.get(STATUS).map(|status| fingerprint(&value::json(status, STATUS, &mut Vec::new()))),
        };
        Self { key: key(name), location, agent, faults, revision, told, size: text.len(), digest }
    }

    /// Whether two readings say the same, whatever the status is.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

/// The name under which the fleet knows a row, as a faulty document's in a file.
pub(super) fn key(name: &str) -> Key {
    let shown = visible(name);
    match shown.char_indices().nth(LONGEST_NAME) {
        Some((end, _)) => Key::new(format!("{}...", &shown[..end])),
        None => Key::new(shown),
    }
}

/// What a status says, whatever its revision is.
pub(crate) fn fingerprint(status: &Value) -> [u8; 32] {
    let mut status = status.clone();
    if let Value::Object(fields) = &mut status {
        fields.remove(REVISION);
    }
    Sha256::digest(status.to_string()).into()
}

/// How often the status of a row was written.
pub(super) fn revision(item: &Item) -> Option<u64> {
    let status = item.get(STATUS)?.as_m().ok()?;
    status.get(REVISION)?.as_n().ok()?.parse().ok()
}

/// The attributes that look like ones of ours and are not, each with ours.
fn misnamed(item: &Item) -> Vec<(&str, &'static str)> {
    let plain = |name: &str| name.trim_matches(['_', ' ']).to_ascii_lowercase().trim_end_matches('s').to_owned();
    let ours = |name: &&String| WRITTEN.iter().find(|ours| **ours != name.as_str() && plain(ours) == plain(name));
    let mut found: Vec<(&str, &'static str)> =
        item.keys().filter_map(|name| Some((name.as_str(), *ours(&name)?))).collect();
    found.sort_unstable();
    found
}

impl Wording {
    fn of(item: &Item) -> Self {
        let mut binary = Vec::new();
        let written = WRITTEN.iter().filter_map(|name| Some((*name, item.get(*name)?)));
        let fields = written.map(|(name, attribute)| (name, value::json(attribute, name, &mut binary))).collect();
        Self { fields, binary }
    }

    fn meaning(&self, location: &str, name: &str) -> Meaning {
        let told = |problem: String| format!("{location}: {problem}");
        let mut faults: Vec<String> =
            self.binary.iter().map(|path| told(format!("{}: a binary value", visible(path)))).collect();
        let agent = match self.fields.get(SPEC) {
            None => Err(vec![told(
                "no attribute `spec` (a map with the fields of AgentDeployment.spec, or a text of YAML or JSON)"
                    .to_owned(),
            )]),
            Some(Value::String(text)) => from_text(location, name, text),
            Some(spec @ Value::Object(_)) => from_map(location, name, spec),
            Some(_) => Err(vec![told("spec: expected a map, or a text of YAML or JSON".to_owned())]),
        };
        match agent.map(|agent| self.completed(agent)) {
            Ok((agent, wrong)) if faults.is_empty() && wrong.is_empty() => return Ok(agent),
            Ok((_, wrong)) => faults.extend(wrong.into_iter().map(told)),
            Err(wrong) => faults.extend(wrong),
        }
        Err(faults)
    }

    /// `agent` with what stands beside its spec, and what is wrong with that.
    fn completed(&self, mut agent: AgentDeployment) -> (AgentDeployment, Vec<String>) {
        let mut faults = Vec::new();
        if let Some(labels) = self.fields.get(LABELS) {
            match serde_json::from_value::<BTreeMap<String, String>>(labels.clone()) {
                Ok(labels) => agent.metadata.labels.extend(labels),
                Err(_) => faults.push("labels: expected a map of strings".to_owned()),
            }
        }
        match self.fields.get(PROJECT) {
            None => {}
            Some(Value::String(project)) => agent.metadata.project.clone_from(project),
            Some(_) => faults.push("project: expected a string".to_owned()),
        }
        match self.fields.get(SUSPEND).map(suspension) {
            None | Some(Ok(None)) => {}
            Some(Ok(suspend)) => agent.spec.suspend = suspend,
            Some(Err(problem)) => faults.push(format!("suspend: {problem}")),
        }
        if faults.is_empty() && self.fields.len() > 1 {
            faults.extend(validate::check(&agent).iter().map(violation));
        }
        (agent, faults)
    }
}

/// What a row says of hands off.
fn suspension(value: &Value) -> Result<Option<Suspend>, String> {
    let because = |reason: &str| Some(Suspend { reason: reason.to_owned(), by: None, until: None });
    match value {
        Value::Null | Value::Bool(false) => Ok(None),
        Value::Bool(true) => Ok(because("the row says so")),
        Value::String(reason) => Ok(because(reason)),
        Value::Object(_) => {
            serde_json::from_value(value.clone()).map(Some).map_err(|error| visible(&error.to_string()))
        }
        Value::Number(_) | Value::Array(_) => {
            Err("expected a reason, true or false, or a map of reason, by and until".to_owned())
        }
    }
}

/// A spec that is a map. Its faults have no line.
fn from_map(location: &str, name: &str, spec: &Value) -> Meaning {
    let document = json!({
        "apiVersion": "fargateer/v1",
        "kind": "AgentDeployment",
        "metadata": {"name": name},
        "spec": spec,
    });
    parsed(location, name, &document.to_string(), |fault| pathed(location, beside(&fault.path), &fault))
}

/// The path of a field for whoever writes a spec alone: the name is an attribute of the row.
fn beside(path: &str) -> &str {
    if path == "metadata.name" { "name" } else { path }
}

/// A spec that is a text: a whole document, or the spec alone.
fn from_text(location: &str, name: &str, text: &str) -> Meaning {
    if is_whole(text) {
        return parsed(location, name, text, |fault| placed(location, (fault.line, fault.column), &fault));
    }
    // Moved to the right as a whole it says the same, and its faults are found where they stand.
    let text = text.trim_start_matches('\u{feff}');
    let text = text.strip_prefix("---").filter(|rest| rest.starts_with(['\n', '\r'])).unwrap_or(text);
    let head = HEAD.replace("NAME", &Value::from(name).to_string());
    let document = text.split_inclusive('\n').fold(head, |document, line| document + INDENT + line);
    parsed(location, name, &document, |fault| match fault.line.checked_sub(HEAD_LINES) {
        Some(line) if line > 0 => placed(location, (line, fault.column.saturating_sub(INDENT.len()).max(1)), &fault),
        Some(_) | None => pathed(location, beside(&fault.path), &fault),
    })
}

/// Whether a text is a whole document, or a flat request, and not a spec alone: no field of a spec has such a name.
fn is_whole(text: &str) -> bool {
    const OUTER: [&str; 7] =
        ["apiVersion", "kind", "metadata", "spec", "deployment_type", "cluster_name", "service_name"];
    if let Ok(Value::Object(fields)) = serde_json::from_str(text) {
        return OUTER.iter().any(|key| fields.contains_key(*key));
    }
    let key = |line: &str| {
        line.split_once(':').map(|(key, _)| key.trim_end().trim_start_matches('{').trim_matches(['"', '\'']).to_owned())
    };
    text.lines().filter_map(key).any(|key| OUTER.contains(&key.as_str()))
}

/// The one agent of a document, its faults told by `fault`.
fn parsed(location: &str, name: &str, document: &str, fault: impl Fn(Fault) -> String) -> Meaning {
    let wrong = |problem: String| Err(vec![format!("{location}: {problem}")]);
    if document.len() > MAX_BYTES {
        return wrong(format!("spec: {} bytes, and at most {MAX_BYTES} are read", document.len()));
    }
    let parsed = yaml::parse(location, document);
    if parsed.documents > 1 {
        return wrong(format!("spec: {} documents, and a row speaks of one agent", parsed.documents));
    }
    if !parsed.faults.is_empty() {
        return Err(parsed.faults.into_iter().map(fault).collect());
    }
    match parsed.agents.into_iter().next() {
        None => wrong("spec: nothing stands in it".to_owned()),
        Some(found) if found.agent.metadata.name != name => {
            let other = visible(&found.agent.metadata.name);
            wrong(format!("spec: metadata.name is {other}, and the row's name is {}", visible(name)))
        }
        Some(found) => Ok(found.agent),
    }
}

fn pathed(location: &str, path: &str, fault: &Fault) -> String {
    let at = if path.is_empty() { String::new() } else { format!("{path}: ") };
    format!("{location}: {at}{}{}", fault.problem, hint(fault.hint.as_ref()))
}

fn placed(location: &str, (line, column): (usize, usize), fault: &Fault) -> String {
    pathed(&format!("{location}:{line}:{column}"), &fault.path, fault)
}

fn violation(violation: &Violation) -> String {
    format!("{}: {}{}", violation.path, violation.problem, hint(violation.hint.as_ref()))
}

fn hint(hint: Option<&String>) -> String {
    hint.map(|hint| format!(" ({hint})")).unwrap_or_default()
}
