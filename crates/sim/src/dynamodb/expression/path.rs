//! Document paths: `a.b[3]`.

use crate::state::dynamodb::Item;
use crate::state::dynamodb::value::Attribute;
use std::collections::BTreeMap;

/// One step into a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Member(String),
    Index(usize),
}

/// A path: an attribute's name, and steps below it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Path {
    pub(crate) name: String,
    pub(crate) steps: Vec<Step>,
}

impl Path {
    /// What is there.
    pub(crate) fn find<'a>(&self, item: &'a Item) -> Option<&'a Attribute> {
        self.steps.iter().try_fold(item.get(&self.name)?, |value, step| match (step, value) {
            (Step::Member(name), Attribute::Map(members)) => members.get(name),
            (Step::Index(index), Attribute::List(items)) => items.get(*index),
            _ => None,
        })
    }

    /// The value the path leads into, and the last step; `None` when there is no such place.
    fn parent<'a>(&self, item: &'a mut Item) -> Option<(&'a mut Attribute, &Step)> {
        let (last, before) = self.steps.split_last()?;
        let parent = before.iter().try_fold(item.get_mut(&self.name)?, |value, step| match (step, value) {
            (Step::Member(name), Attribute::Map(members)) => members.get_mut(name),
            (Step::Index(index), Attribute::List(items)) => items.get_mut(*index),
            _ => None,
        })?;
        Some((parent, last))
    }

    /// Puts a value there; an index beyond the end of a list appends. `false` when the path leads nowhere.
    pub(crate) fn put(&self, item: &mut Item, value: Attribute) -> bool {
        if self.steps.is_empty() {
            item.insert(self.name.clone(), value);
            return true;
        }
        match self.parent(item) {
            Some((Attribute::Map(members), Step::Member(name))) => {
                members.insert(name.clone(), value);
                true
            }
            Some((Attribute::List(items), Step::Index(index))) => {
                match items.get_mut(*index) {
                    Some(place) => *place = value,
                    None => items.push(value),
                }
                true
            }
            _ => false,
        }
    }

    /// Removes what is there. `false` when the path leads nowhere; a missing last step is no error.
    pub(crate) fn remove(&self, item: &mut Item) -> bool {
        if self.steps.is_empty() {
            item.remove(&self.name);
            return true;
        }
        match self.parent(item) {
            Some((Attribute::Map(members), Step::Member(name))) => {
                members.remove(name);
                true
            }
            Some((Attribute::List(items), Step::Index(index))) => {
                if *index < items.len() {
                    items.remove(*index);
                }
                true
            }
            _ => false,
        }
    }

    /// As an error writes it.
    pub(crate) fn text(&self) -> String {
        let steps = self.steps.iter().map(|step| match step {
            Step::Member(name) => format!(", {name}"),
            Step::Index(index) => format!(", [{index}]"),
        });
        format!("[{}{}]", self.name, steps.collect::<String>())
    }

    fn covers(&self, other: &Self) -> bool {
        self.name == other.name && other.steps.starts_with(&self.steps)
    }

    /// Whether two paths treat the same place as a map here and a list there.
    fn conflicts(&self, other: &Self) -> bool {
        let kind = |step: &Step| matches!(step, Step::Index(_));
        let differ = self.steps.iter().zip(&other.steps).find(|(one, another)| one != another);
        self.name == other.name && differ.is_some_and(|(one, another)| kind(one) != kind(another))
    }
}

/// Refuses paths one of which lies within another.
pub(crate) fn distinct(paths: &[Path]) -> Result<(), String> {
    for (index, one) in paths.iter().enumerate() {
        for other in paths.iter().skip(index + 1) {
            let (first, second) = (one.text(), other.text());
            if one.covers(other) || other.covers(one) {
                return Err(format!(
                    "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: \
                     {first}, path two: {second}"
                ));
            }
            if one.conflicts(other) {
                return Err(format!(
                    "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: \
                     {first}, path two: {second}"
                ));
            }
        }
    }
    Ok(())
}

/// The part of an item that some paths lead to. What lists keep closes ranks.
pub(crate) fn project(item: &Item, paths: &[Path]) -> Item {
    let mut tree = Tree::default();
    for path in paths.iter().filter(|path| path.find(item).is_some()) {
        let mut node = tree.members.entry(Step::Member(path.name.clone())).or_default();
        for step in &path.steps {
            node = node.members.entry(step.clone()).or_default();
        }
    }
    let all = item.iter().filter_map(|(name, value)| {
        let node = tree.members.get(&Step::Member(name.clone()))?;
        Some((name.clone(), node.cut(value)))
    });
    all.collect()
}

/// The wanted parts of a document; a leaf wants everything below.
#[derive(Debug, Default)]
struct Tree {
    members: BTreeMap<Step, Tree>,
}

impl Tree {
    fn cut(&self, value: &Attribute) -> Attribute {
        if self.members.is_empty() {
            return value.clone();
        }
        let wanted = self.members.iter();
        if let Attribute::Map(all) = value {
            let kept = wanted.filter_map(|(step, tree)| match step {
                Step::Member(name) => Some((name.clone(), tree.cut(all.get(name)?))),
                Step::Index(_) => None,
            });
            return Attribute::Map(kept.collect());
        }
        if let Attribute::List(all) = value {
            let kept = wanted.filter_map(|(step, tree)| match step {
                Step::Index(index) => Some(tree.cut(all.get(*index)?)),
                Step::Member(_) => None,
            });
            return Attribute::List(kept.collect());
        }
        value.clone()
    }
}
