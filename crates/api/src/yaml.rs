//! Documents in and out: the one file that knows serde_yaml.
//!
//! A file is cut at its `---` lines, and each document goes through the same steps: its outline (places, refused
//! constructs, keys given twice), its values (serde_yaml), its structure (unknown, missing and mistyped fields), its
//! rules (`validate.rs`). A fault ends neither the file nor the search for further faults.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

use crate::{
    fault::{ENOUGH, Fault, LONGEST, Violation},
    key::Key,
    meaning::{self, Meaning},
    outline::{self, Finding, Outline, Place},
    path,
    project::Project,
    request,
    spec::{AgentDeployment, Architecture, Build},
    structure, text,
    visible::{shorten, visible},
};

/// Largest file, in bytes.
pub const MAX_BYTES: usize = 256 * 1024;
/// Most documents in a file.
pub const MAX_DOCUMENTS: usize = 1000;
/// Most faults reported of one file.
pub const MAX_FAULTS: usize = ENOUGH;

/// No agent's name is longer, in characters.
const LONGEST_NAME: usize = 63;

/// What a file says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parsed {
    /// The agents of the documents without a fault.
    pub agents: Vec<Located>,
    /// Every fault, in the order of the file.
    pub faults: Vec<Fault>,
    /// Number of documents that are not empty.
    pub documents: usize,
    /// The agents named, also by documents with faults: present, though not understood.
    pub named: Vec<Key>,
}

/// An agent and where its document begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    /// The agent.
    pub agent: AgentDeployment,
    /// Line of the document's first field, from 1.
    pub line: usize,
    /// Column of it, from 1.
    pub column: usize,
}

/// What a policy file says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Projects {
    /// The projects of the documents without a fault.
    pub projects: Vec<Project>,
    /// Every fault, in the order of the file.
    pub faults: Vec<Fault>,
}

/// Reads a file of `AgentDeployment`s and flat requests, in YAML or JSON. `file` only names it in faults.
pub fn parse(file: &str, text: &str) -> Parsed {
    read(file, text, Reading::document).parsed
}

/// Reads a file of `Project`s, in YAML or JSON.
pub fn parse_projects(file: &str, text: &str) -> Projects {
    let Reading { parsed, projects, .. } = read(file, text, Reading::project);
    Projects { projects, faults: parsed.faults }
}

/// How to build an image, as a spec says it.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageBuild {
    /// The agent.
    pub name: String,
    /// `spec.image.build`.
    pub build: Build,
    /// `spec.resources.architecture`.
    pub architecture: Architecture,
}

/// The image builds of a file's specs, and what is wrong with them. The rest of a spec may be wrong or not there yet: an image
/// can be built before anybody knows where it will run.
pub fn parse_builds(file: &str, text: &str) -> (Vec<ImageBuild>, Vec<Fault>) {
    let builds = std::cell::RefCell::new(Vec::new());
    let reading = read(file, text, |reading, document, first_line| match values(document, first_line) {
        Ok(value) => match image_build(&value) {
            Ok(build) => builds.borrow_mut().extend(build),
            Err(violation) => {
                let place = outline::read(document, first_line).place("spec.image.build").unwrap_or(START);
                reading.report(None, [Finding { place, violation }]);
            }
        },
        Err(finding) => reading.report(None, [finding]),
    });
    (builds.into_inner(), reading.parsed.faults)
}

fn image_build(value: &Value) -> Result<Option<ImageBuild>, Violation> {
    let Some(build) = value.pointer("/spec/image/build") else { return Ok(None) };
    let fault = |path: &str, error: serde_json::Error| Violation::new(path, error.to_string());
    let build = Build::deserialize(build).map_err(|error| fault("spec.image.build", error))?;
    let architecture = value.pointer("/spec/resources/architecture").map_or(Ok(Architecture::default()), |word| {
        Architecture::deserialize(word).map_err(|error| fault("spec.resources.architecture", error))
    })?;
    let name = value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Some(ImageBuild { name, build, architecture }))
}

/// Where the field `path` of agent `name` stands in a file: line and column.
pub fn locate(text: &str, name: &str, path: &str) -> Option<(usize, usize)> {
    let outlines = text::split(text).into_iter().map(|(first_line, document)| outline::read(document, first_line));
    let outline = outlines.into_iter().find(|outline| outline.text("metadata.name") == Some(name))?;
    // What a spec leaves out has its place where it would stand.
    let mut path = path;
    loop {
        match outline.place(path) {
            Some(Place { line, column }) => return Some((line, column)),
            None if path.is_empty() => return None,
            None => path = path::parent(path),
        }
    }
}

fn read(file: &str, text: &str, document: impl Fn(&mut Reading, &str, usize)) -> Reading {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reading = Reading::new(file, text::end(text));
    if text.len() > MAX_BYTES {
        let violation = Violation::new("", format!("file of {} bytes is too large", text.len()));
        return reading.refuse(START, violation.hint(format!("at most {MAX_BYTES} bytes; split it")));
    }
    let documents = text::split(text);
    if documents.len() > MAX_DOCUMENTS {
        let violation = Violation::new("", format!("file of {} documents is too long", documents.len()));
        return reading.refuse(START, violation.hint(format!("at most {MAX_DOCUMENTS} documents; split it")));
    }
    for (first_line, part) in documents {
        document(&mut reading, part, first_line);
    }
    reading.finish()
}

/// Reads a file whose bytes may not even be text.
pub fn parse_bytes(file: &str, bytes: &[u8]) -> Parsed {
    match std::str::from_utf8(bytes) {
        Ok(text) => parse(file, text),
        Err(error) => {
            let sound = String::from_utf8_lossy(bytes.get(..error.valid_up_to()).unwrap_or_default());
            let violation = Violation::new("", "not valid UTF-8").hint("save the file as UTF-8");
            let end = text::end(&sound);
            Reading::new(file, end).refuse(end, violation).parsed
        }
    }
}

/// The spec as YAML, every default written out. Reading it gives the same spec.
pub fn print(agent: &AgentDeployment) -> String {
    quote_ambiguous(&serde_yaml::to_string(agent).unwrap_or_default())
}

/// Any value as YAML.
pub fn print_value(value: &Value) -> String {
    quote_ambiguous(&serde_yaml::to_string(value).unwrap_or_default())
}

/// serde_yaml leaves `yes` without quotes, which `parse` refuses.
fn quote_ambiguous(printed: &str) -> String {
    let outline = outline::read(printed, 1);
    let places = outline.ambiguous().into_iter().filter_map(|(path, text)| Some((outline.place(&path)?, text)));
    let mut lines = printed.lines().map(str::to_owned).collect::<Vec<_>>();
    for (place, text) in places {
        let line = lines.get_mut(place.line - 1);
        // Printed in block style, a scalar is the last thing in its line.
        if let Some(line) = line.filter(|line| line.ends_with(&text)) {
            let start = line.len() - text.len();
            line.replace_range(start.., &format!("'{text}'"));
        }
    }
    lines.join("\n") + "\n"
}

/// A file being read.
struct Reading {
    file: String,
    parsed: Parsed,
    projects: Vec<Project>,
    /// Where the file ends: a parser that wants more looks for it beyond.
    end: Place,
    /// Faults found beyond those worth finding the place of.
    more: usize,
}

const START: Place = Place { line: 1, column: 1 };

impl Reading {
    fn new(file: &str, end: Place) -> Self {
        // Who names files may not be who reads their faults.
        Self { file: visible(file), parsed: Parsed::default(), projects: Vec::new(), end, more: 0 }
    }

    fn document(&mut self, document: &str, first_line: usize) {
        let controls = text::controls(document, first_line);
        let outline = outline::read(document, first_line);
        if outline.is_empty() && controls.is_empty() {
            return;
        }
        self.parsed.documents += 1;
        let flat = is_flat(&outline);
        let named = name(&outline, flat);
        self.parsed.named.extend(named.clone());
        let mut findings = found_in_text(controls);
        if outline.readable && findings.is_empty() {
            match values(document, first_line) {
                Ok(value) => {
                    let meaning = if flat { meaning::of_request(value) } else { meaning::of_agent(value) };
                    if let Some(agent) = self.conclude(meaning, &outline, named.as_ref()) {
                        let Place { line, column } = outline.place("").unwrap_or(START);
                        self.parsed.agents.push(Located { agent, line, column });
                    }
                }
                Err(finding) => findings.push(finding),
            }
        }
        findings.extend(outline.findings);
        self.report(named.as_ref(), findings);
    }

    fn project(&mut self, document: &str, first_line: usize) {
        let controls = text::controls(document, first_line);
        let outline = outline::read(document, first_line);
        if outline.is_empty() && controls.is_empty() {
            return;
        }
        let mut findings = found_in_text(controls);
        if outline.readable && findings.is_empty() {
            match values(document, first_line) {
                Ok(value) => {
                    let project = self.conclude(meaning::of_project(value), &outline, None);
                    findings.extend(project.and_then(|project| self.keep(project, &outline)));
                }
                Err(finding) => findings.push(finding),
            }
        }
        findings.extend(outline.findings);
        self.report(None, findings);
    }

    /// Keeps a project; two of one name would contradict each other.
    fn keep(&mut self, project: Project, outline: &Outline) -> Option<Finding> {
        let name = &project.metadata.name;
        if self.projects.iter().all(|known| known.metadata.name != *name) {
            self.projects.push(project);
            return None;
        }
        let place = outline.place("metadata.name").unwrap_or(START);
        let violation = Violation::new("metadata.name", format!("there is a project `{name}` already"));
        Some(Finding { place, violation: violation.hint("one document a project") })
    }

    /// Hands the agent (or project) out or reports what is wrong with it; keys given twice are reported with the outline.
    fn conclude<T>(&mut self, meaning: Meaning<T>, outline: &Outline, named: Option<&Key>) -> Option<T> {
        let Meaning { subject, mut at_key, mut at_value } = meaning;
        for violations in [&mut at_key, &mut at_value] {
            self.more += violations.len().saturating_sub(ENOUGH);
            violations.truncate(ENOUGH);
        }
        let unquoted = |violation: &&mut Violation| violation.hint.as_deref() == Some(structure::QUOTE);
        for violation in at_value.iter_mut().filter(unquoted) {
            let text = outline.text(&violation.path).filter(|text| !is_secret(&violation.path, text));
            if let Some(hint) = text.map(|text| format!("{}: \"{text}\"", structure::QUOTE)) {
                *violation = violation.clone().hint(hint);
            }
        }
        let ambiguous = ambiguous(outline, &at_value);
        let sound = outline.findings.is_empty() && ambiguous.is_empty();
        let at = |place: Option<Place>, violation| Finding { place: place.unwrap_or(START), violation };
        let keys = at_key.into_iter().map(|violation| at(outline.key_place(&violation.path), violation));
        let values = at_value.into_iter().chain(ambiguous);
        let values = values.map(|violation| at(outline.place(&violation.path), violation));
        self.report(named, keys.chain(values));
        subject.filter(|_| sound)
    }

    fn report(&mut self, agent: Option<&Key>, findings: impl IntoIterator<Item = Finding>) {
        for Finding { place, violation } in findings {
            let Place { line, column } = if place.line > self.end.line { self.end } else { place };
            let Violation { path, problem, hint } = violation;
            let (file, agent) = (self.file.clone(), agent.cloned());
            let path = shorten(visible(&path), LONGEST);
            self.parsed.faults.push(Fault { file, line, column, path, agent, problem, hint });
        }
    }

    fn refuse(mut self, place: Place, violation: Violation) -> Self {
        self.report(None, [Finding { place, violation }]);
        self
    }

    fn finish(mut self) -> Self {
        let faults = &mut self.parsed.faults;
        faults.sort_by_key(|fault| (fault.line, fault.column));
        let more = self.more + faults.len().saturating_sub(MAX_FAULTS);
        faults.truncate(MAX_FAULTS);
        if let Some(last) = faults.last_mut().filter(|_| more > 0) {
            last.hint = Some(format!("{more} more faults follow"));
        }
        self
    }
}

/// The seed's flat request says none of the words an `AgentDeployment` begins with.
fn is_flat(outline: &Outline) -> bool {
    let ours = ["apiVersion", "kind", "metadata", "spec"].iter().any(|key| outline.has(key));
    let flat = ["deployment_type", "cluster_name", "service_name", "task_definition_family"];
    !ours && flat.iter().any(|key| outline.has(key))
}

/// The agent a document speaks of, whatever else it says.
fn name(outline: &Outline, flat: bool) -> Option<Key> {
    let written = |path| outline.text(path).map(str::to_owned);
    let name = if flat {
        written("name").or_else(|| outline.text("service_name").map(request::label))
    } else {
        written("metadata.name")
    };
    // Each fault of the document repeats it, and nobody has looked at it yet.
    name.map(|name| Key::new(shorten(visible(&name), LONGEST_NAME)))
}

fn found_in_text(controls: Vec<(Place, char)>) -> Vec<Finding> {
    let finding = |(place, character)| {
        let violation = Violation::new("", format!("control character U+{:04X}", u32::from(character)));
        let line_end = "end lines with a line feed";
        Finding { place, violation: violation.hint(if character == '\r' { line_end } else { "remove it" }) }
    };
    controls.into_iter().map(finding).collect()
}

fn values(document: &str, first_line: usize) -> Result<Value, Finding> {
    let refuse = |error: serde_yaml::Error| {
        let place = error.location().map_or(Place { line: first_line, column: 1 }, |location| Place {
            line: first_line + location.line().saturating_sub(1),
            column: location.column(),
        });
        // serde_yaml repeats the place, counted from the document's first line.
        let text = error.to_string();
        let problem = text.split(" at line ").next().unwrap_or_default();
        Finding { place, violation: Violation::new("", format!("not YAML: {problem}")) }
    };
    serde_yaml::from_str(document).map(|Plain(value)| value).map_err(refuse)
}

/// Unquoted words other YAML readers take for booleans or octal numbers; here they would be strings.
fn ambiguous(outline: &Outline, found: &[Violation]) -> Vec<Violation> {
    (outline.ambiguous().into_iter())
        .filter(|(path, _)| !path::covers("status", path) && !found.iter().any(|violation| violation.path == *path))
        .map(|(path, text)| {
            let secret = is_secret(&path, &text);
            let what = if secret { "a number".to_owned() } else { format!("`{text}`") };
            let hint = if secret { String::new() } else { format!(": \"{text}\"") };
            let violation = Violation::new(path, format!("{what} without quotes is no string to every YAML reader"));
            violation.hint(format!("must be a string, quote it{hint}"))
        })
        .collect()
}

/// Whether `text`, without quotes at `path`, may be a secret: a number may be one, and `yes` and `true` say nothing.
fn is_secret(path: &str, text: &str) -> bool {
    path::is_confidential(path) && text.contains(|character: char| character.is_ascii_digit())
}

/// A document's values as serde_yaml reads them, of a key given twice (a fault already) the first.
struct Plain(Value);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor).map(Self)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        // Infinities and not-a-number are no JSON; as a string they are refused wherever a number is wanted, and
        // without quotes wherever a string is.
        Ok(Number::from_f64(number).map_or_else(|| Value::from(number.to_string()), Value::Number))
    }

    fn visit_i128<E>(self, number: i128) -> Result<Value, E> {
        Ok(Value::from(number.to_string()))
    }

    fn visit_u128<E>(self, number: u128) -> Result<Value, E> {
        Ok(Value::from(number.to_string()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Plain(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        // A key is what is written, `0x10` as well as `~`.
        while let Some((key, Plain(value))) = entries.next_entry::<String, Plain>()? {
            map.entry(key).or_insert(value);
        }
        Ok(Value::Object(map))
    }
}
