//! The outline of one YAML document: where each node stands, and the constructs we refuse.
//!
//! It is read before `yaml.rs` hands the document to serde_yaml, in linear time, so that nothing deeply nested, aliased
//! or tagged reaches that parser. It knows nothing of specs; values are serde_yaml's business.

use std::collections::BTreeSet;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

use crate::{
    fault::{ENOUGH, Violation},
    path,
};

/// Deepest nesting of lists and mappings.
pub(crate) const MAX_DEPTH: usize = 64;

/// Longest key, in bytes.
const MAX_KEY: usize = 256;

/// A place in a file, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// A fault found while reading the outline.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) place: Place,
    pub(crate) violation: Violation,
}

/// What could be read of a document.
#[derive(Debug)]
pub(crate) struct Outline {
    /// The outermost node; none for an empty document.
    pub(crate) root: Option<Node>,
    /// Everything refused, syntax faults included.
    pub(crate) findings: Vec<Finding>,
    /// Whether serde_yaml may read the document.
    pub(crate) readable: bool,
}

/// One node and where it stands.
#[derive(Debug)]
pub(crate) struct Node {
    place: Place,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Scalar { text: String, plain: bool },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Debug)]
struct Entry {
    key: String,
    place: Place,
    node: Node,
}

/// Reads the outline of `text`, one document that starts at line `first_line` of its file.
pub(crate) fn read(text: &str, first_line: usize) -> Outline {
    let mut reader = Reader::new(first_line);
    if let Some(line) = directive(text) {
        let place = Place { line: first_line + line, column: 1 };
        let violation = Violation::new("", "directives (`%YAML`, `%TAG`) are not accepted").hint("remove the line");
        reader.findings.push(Finding { place, violation });
        reader.readable = false;
        return reader.finish();
    }
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => reader.take(event, span.start),
            Err(error) => reader.stop(error.marker(), syntax(error.info())),
        }
        if reader.stopped {
            break;
        }
    }
    reader.finish()
}

impl Outline {
    /// Whether the document says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        let nothing = |node: &Node| matches!(&node.content, Content::Scalar { text, plain: true } if is_null(text));
        self.findings.is_empty() && self.root.as_ref().is_none_or(nothing)
    }

    /// Whether something stands at `path`.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.exact(path).is_some()
    }

    /// The text at `path`, when a scalar other than null stands there.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        match self.exact(path).map(|(_, node)| &node.content) {
            Some(Content::Scalar { text, plain: true }) if is_null(text) => None,
            Some(Content::Scalar { text, .. }) => Some(text),
            Some(Content::List(_) | Content::Map(_)) | None => None,
        }
    }

    /// Where the value at `path` stands, or the nearest thing above it that exists.
    pub(crate) fn place(&self, path: &str) -> Option<Place> {
        let mut path = path;
        loop {
            match self.exact(path) {
                Some((_, node)) if matches!(node.content, Content::Scalar { .. }) => return Some(node.place),
                Some((place, _)) => return Some(place),
                None if path.is_empty() => return None,
                None => path = path::parent(path),
            }
        }
    }

    /// Where the key at `path` stands.
    pub(crate) fn key_place(&self, path: &str) -> Option<Place> {
        self.exact(path).map_or_else(|| self.place(path), |(place, _)| Some(place))
    }

    /// Unquoted scalars that other YAML readers take for something else than a string, as paths and texts.
    pub(crate) fn ambiguous(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        if let Some(root) = &self.root {
            root.walk(&mut String::new(), &mut |path, node| match &node.content {
                Content::Scalar { text, plain: true } if is_ambiguous(text) && found.len() < ENOUGH => {
                    found.push((path.to_owned(), text.clone()));
                }
                Content::Scalar { .. } | Content::List(_) | Content::Map(_) => {}
            });
        }
        found
    }

    /// The node at exactly `path`, with the place of its key (of itself in a list).
    fn exact(&self, path: &str) -> Option<(Place, &Node)> {
        let root = self.root.as_ref()?;
        let mut found = (root.place, root);
        let mut rest = path;
        while !rest.is_empty() {
            let (place, node, length) = found.1.step(rest)?;
            found = (place, node);
            rest = rest.get(length..)?;
            rest = rest.strip_prefix('.').unwrap_or(rest);
        }
        Some(found)
    }
}

impl Node {
    /// The child `path` begins with, and how much of the path names it.
    fn step(&self, path: &str) -> Option<(Place, &Node, usize)> {
        match &self.content {
            Content::Scalar { .. } => None,
            Content::List(nodes) => {
                let (index, length) = path::names_item(path)?;
                nodes.get(index).map(|node| (node.place, node, length))
            }
            Content::Map(entries) => entries.iter().find_map(|entry| {
                let length = path::names_key(path, &entry.key)?;
                Some((entry.place, &entry.node, length))
            }),
        }
    }

    /// Visits every node. All share one path: it may be as long as the file is deep, and a file has many nodes.
    fn walk(&self, path: &mut String, visit: &mut impl FnMut(&str, &Node)) {
        visit(path, self);
        let length = path.len();
        match &self.content {
            Content::Scalar { .. } => {}
            Content::List(nodes) => {
                for (index, node) in nodes.iter().enumerate() {
                    path::push_item(path, index);
                    node.walk(path, visit);
                    path.truncate(length);
                }
            }
            Content::Map(entries) => {
                for entry in entries {
                    path::push_field(path, &entry.key);
                    entry.node.walk(path, visit);
                    path.truncate(length);
                }
            }
        }
    }
}

/// Builds the tree from the parser's events.
struct Reader {
    first_line: usize,
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
    findings: Vec<Finding>,
    readable: bool,
    stopped: bool,
}

/// A list or mapping whose end has not come yet.
struct Open {
    node: Node,
    key: Option<(String, Place)>,
}

impl Open {
    fn wants_key(&self) -> bool {
        self.key.is_none() && matches!(self.node.content, Content::Map(_))
    }
}

impl Reader {
    fn new(first_line: usize) -> Self {
        Self {
            first_line,
            open: Vec::new(),
            root: None,
            documents: 0,
            findings: Vec::new(),
            readable: true,
            stopped: false,
        }
    }

    fn place(&self, marker: &Marker) -> Place {
        Place { line: marker.line().max(1) + self.first_line - 1, column: marker.col() + 1 }
    }

    fn take(&mut self, event: Event<'_>, at: Marker) {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse(&at, anchor != 0, tag.is_some());
                if text.len() > MAX_KEY && self.open.last().is_some_and(Open::wants_key) {
                    return self.stop(&at, Violation::new("", format!("a key of {} bytes is too long", text.len())));
                }
                let plain = style == ScalarStyle::Plain;
                self.add(Node { place: self.place(&at), content: Content::Scalar { text: text.into_owned(), plain } });
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse(&at, anchor != 0, tag.is_some());
                self.enter(&at, Content::List(Vec::new()));
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse(&at, anchor != 0, tag.is_some());
                self.enter(&at, Content::Map(Vec::new()));
            }
            Event::SequenceEnd | Event::MappingEnd => self.leave(),
            Event::Alias(_) => {
                self.refuse(&at, true, false);
                self.add(Node {
                    place: self.place(&at),
                    content: Content::Scalar { text: String::new(), plain: false },
                });
            }
            Event::DocumentStart(_) => self.begin(&at),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
    }

    /// A chunk of text is one document; a second one began after `...` or in a way we do not split at.
    fn begin(&mut self, at: &Marker) {
        self.documents += 1;
        if self.documents > 1 {
            let violation = Violation::new("", "a second document begins without `---`");
            self.stop(at, violation.hint("begin each document with a line `---`"));
        }
    }

    fn refuse(&mut self, at: &Marker, anchor: bool, tag: bool) {
        if anchor {
            let violation = Violation::new("", "anchors and aliases (`&name`, `*name`) are not accepted");
            self.find(at, violation.hint("write the value out where it is used"));
        }
        if tag {
            let violation = Violation::new("", "tags (`!name`) are not accepted");
            self.find(at, violation.hint("quote the value when it must be a string"));
        }
    }

    fn find(&mut self, at: &Marker, violation: Violation) {
        let place = self.place(at);
        self.findings.push(Finding { place, violation });
        self.readable = false;
    }

    fn stop(&mut self, at: &Marker, violation: Violation) {
        self.find(at, violation);
        self.stopped = true;
    }

    fn enter(&mut self, at: &Marker, content: Content) {
        if self.open.last().is_some_and(Open::wants_key) {
            return self.stop(at, Violation::new("", "a key must be a plain word, not a list or a mapping"));
        }
        if self.open.len() >= MAX_DEPTH {
            return self.stop(at, too_deep());
        }
        let place = self.place(at);
        self.open.push(Open { node: Node { place, content }, key: None });
    }

    fn leave(&mut self) {
        if let Some(open) = self.open.pop() {
            self.add(open.node);
        }
    }

    fn add(&mut self, node: Node) {
        let Some(open) = self.open.last_mut() else {
            self.root.get_or_insert(node);
            return;
        };
        match &mut open.node.content {
            Content::Scalar { .. } => {}
            Content::List(nodes) => nodes.push(node),
            Content::Map(entries) => match (open.key.take(), node) {
                (Some((key, place)), node) => entries.push(Entry { key, place, node }),
                (None, Node { place, content: Content::Scalar { text, .. } }) => open.key = Some((text, place)),
                // `enter` let no list or mapping in as a key.
                (None, _) => {}
            },
        }
    }

    /// Closes what is still open, so that the names in a broken document are known, and looks at the keys.
    fn finish(mut self) -> Outline {
        while !self.open.is_empty() {
            self.leave();
        }
        if let Some(root) = &self.root {
            root.walk(&mut String::new(), &mut |path, node| keys(path, node, &mut self.findings));
        }
        Outline { root: self.root, findings: self.findings, readable: self.readable }
    }
}

fn too_deep() -> Violation {
    Violation::new("", format!("nested more than {MAX_DEPTH} levels deep"))
}

/// The parser reads brackets ahead of the events it hands out, and stops at 255 of them by itself.
fn syntax(info: &str) -> Violation {
    if info.contains("recursion limit") {
        return too_deep();
    }
    // The parser's own text may repeat the place, counted from the document's first line.
    Violation::new("", format!("not YAML: {}", info.split(" at line ").next().unwrap_or_default()))
}

/// Finds keys given twice, and merge keys.
fn keys(path: &str, node: &Node, findings: &mut Vec<Finding>) {
    let Content::Map(entries) = &node.content else {
        return;
    };
    let mut seen = BTreeSet::new();
    for Entry { key, place, .. } in entries {
        if findings.len() >= ENOUGH {
            return;
        }
        let (problem, hint) = if key == "<<" {
            ("merge keys (`<<`) are not accepted".to_owned(), "write the fields out")
        } else if seen.insert(key) {
            continue;
        } else {
            (format!("`{key}` is given twice"), "keep one of them")
        };
        let violation = Violation::new(path::field(path, key), problem).hint(hint);
        findings.push(Finding { place: *place, violation });
    }
}

/// The line of a directive, from 0, when the document begins with one.
fn directive(text: &str) -> Option<usize> {
    let says = |line: &str| !line.trim().is_empty() && !line.starts_with('#');
    let (number, line) = text.lines().enumerate().find(|(_, line)| says(line))?;
    line.starts_with('%').then_some(number)
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// YAML 1.1 booleans, numbers with a leading zero, which are octal there, and numbers that no JSON number can hold.
fn is_ambiguous(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let octal = text.len() > 1 && text.starts_with('0') && digits(text);
    let magnitude = text.strip_prefix(['+', '-']).unwrap_or(text);
    let huge = digits(magnitude) && text.parse::<i64>().is_err() && text.parse::<u64>().is_err();
    let endless = [".inf", ".nan"].iter().any(|word| magnitude.eq_ignore_ascii_case(word));
    octal || huge || endless || ["yes", "no", "on", "off"].iter().any(|word| text.eq_ignore_ascii_case(word))
}
