//! Updates: SET, REMOVE, ADD and DELETE.

use super::path::{Path, Step, distinct};
use crate::dynamodb::read::unstorable;
use crate::refusal::Refusal;
use crate::state::dynamodb::Item;
use crate::state::dynamodb::value::Attribute;
use std::collections::BTreeSet;

/// What SET computes.
#[derive(Clone, Debug)]
pub(crate) enum Term {
    Path(Path),
    Value(Attribute),
    IfNotExists(Path, Box<Term>),
    ListAppend(Box<Term>, Box<Term>),
    Plus(Box<Term>, Box<Term>),
    Minus(Box<Term>, Box<Term>),
}

/// An update of an item.
#[derive(Clone, Debug, Default)]
pub(crate) struct Update {
    pub(crate) set: Vec<(Path, Term)>,
    pub(crate) remove: Vec<Path>,
    pub(crate) add: Vec<(Path, Attribute)>,
    pub(crate) delete: Vec<(Path, Attribute)>,
}

impl Update {
    /// Every path it writes to.
    pub(crate) fn paths(&self) -> Vec<Path> {
        let set = self.set.iter().map(|(path, _)| path);
        let changed = self.add.iter().chain(&self.delete).map(|(path, _)| path);
        set.chain(&self.remove).chain(changed).cloned().collect()
    }

    /// Refuses what is wrong whatever the item is.
    pub(super) fn check(&self) -> Result<(), String> {
        for (_, value) in &self.add {
            let kind = value.kind_in_words();
            if !matches!(
                value,
                Attribute::Number(_) | Attribute::Texts(_) | Attribute::Numbers(_) | Attribute::BytesSet(_)
            ) {
                return Err(operand_type("ADD", kind));
            }
        }
        for (_, value) in &self.delete {
            if !matches!(value, Attribute::Texts(_) | Attribute::Numbers(_) | Attribute::BytesSet(_)) {
                return Err(operand_type("DELETE", value.kind_in_words()));
            }
        }
        for (_, term) in &self.set {
            term.check()?;
        }
        distinct(&self.paths())
    }

    /// The item as it is afterwards. Everything is computed from the item as it was.
    pub(crate) fn apply(&self, before: &Item) -> Result<Item, Refusal> {
        let mut after = before.clone();
        let nowhere =
            || Refusal::validation("The document path provided in the update expression is invalid for update");
        for (path, term) in &self.set {
            let value = term.value(before)?;
            if !path.put(&mut after, value) {
                return Err(nowhere());
            }
        }
        for (path, amount) in &self.add {
            let sum = added(path.find(before), amount)?;
            if !path.put(&mut after, sum) {
                return Err(nowhere());
            }
        }
        for (path, parts) in &self.delete {
            let left = deleted(path.find(before), parts)?;
            let done = match left {
                Some(left) => path.put(&mut after, left),
                None => path.find(before).is_none() || path.remove(&mut after),
            };
            if !done {
                return Err(nowhere());
            }
        }
        self.remove_all(&mut after).then_some(after).ok_or_else(nowhere)
    }

    /// Removes the highest index of a list first, so that no index means another element meanwhile.
    fn remove_all(&self, item: &mut Item) -> bool {
        let mut paths: Vec<&Path> = self.remove.iter().collect();
        paths.sort();
        paths.iter().rev().all(|path| path.remove(item))
    }

    /// Whether a list is written into, so that the parts returned are whole lists.
    pub(crate) fn touches_lists(&self) -> bool {
        self.paths().iter().any(|path| path.steps.iter().any(|step| matches!(step, Step::Index(_))))
    }
}

fn operand_type(operator: &str, kind: &str) -> String {
    format!("Incorrect operand type for operator or function; operator: {operator}, operand type: {kind}")
}

impl Term {
    fn check(&self) -> Result<(), String> {
        let only = |term: &Self, name: &str, good: fn(&Attribute) -> bool| {
            if let Self::Value(value) = term
                && !good(value)
            {
                let kind = value.kind();
                return Err(format!(
                    "Incorrect operand type for operator or function; operator or function: {name}, operand type: {kind}"
                ));
            }
            term.check()
        };
        let number = |value: &Attribute| matches!(value, Attribute::Number(_));
        let list = |value: &Attribute| matches!(value, Attribute::List(_));
        match self {
            Self::Path(_) | Self::Value(_) => Ok(()),
            Self::IfNotExists(_, other) => other.check(),
            Self::ListAppend(one, other) => {
                only(one, "list_append", list).and_then(|()| only(other, "list_append", list))
            }
            Self::Plus(one, other) => only(one, "+", number).and_then(|()| only(other, "+", number)),
            Self::Minus(one, other) => only(one, "-", number).and_then(|()| only(other, "-", number)),
        }
    }

    fn value(&self, item: &Item) -> Result<Attribute, Refusal> {
        match self {
            Self::Value(value) => Ok(value.clone()),
            Self::Path(path) => path.find(item).cloned().ok_or_else(|| {
                Refusal::validation("The provided expression refers to an attribute that does not exist in the item")
            }),
            Self::IfNotExists(path, other) => {
                path.find(item).map_or_else(|| other.value(item), |value| Ok(value.clone()))
            }
            Self::ListAppend(one, other) => match (one.value(item)?, other.value(item)?) {
                (Attribute::List(mut one), Attribute::List(other)) => {
                    one.extend(other);
                    Ok(Attribute::List(one))
                }
                _ => Err(wrong_type()),
            },
            Self::Plus(one, other) | Self::Minus(one, other) => match (one.value(item)?, other.value(item)?) {
                (Attribute::Number(left), Attribute::Number(right)) => {
                    let sum = if matches!(self, Self::Plus(..)) { left.plus(&right) } else { left.minus(&right) };
                    sum.map(Attribute::Number).map_err(unstorable)
                }
                _ => Err(wrong_type()),
            },
        }
    }
}

fn wrong_type() -> Refusal {
    Refusal::validation("An operand in the update expression has an incorrect data type")
}

/// ADD: a number is added to a number or to nothing, a set is joined.
fn added(before: Option<&Attribute>, amount: &Attribute) -> Result<Attribute, Refusal> {
    match (before, amount) {
        (None, amount) => Ok(amount.clone()),
        (Some(Attribute::Number(one)), Attribute::Number(other)) => {
            one.plus(other).map(Attribute::Number).map_err(unstorable)
        }
        (Some(Attribute::Texts(one)), Attribute::Texts(other)) => Ok(Attribute::Texts(one | other)),
        (Some(Attribute::Numbers(one)), Attribute::Numbers(other)) => Ok(Attribute::Numbers(one | other)),
        (Some(Attribute::BytesSet(one)), Attribute::BytesSet(other)) => Ok(Attribute::BytesSet(one | other)),
        _ => Err(wrong_type()),
    }
}

/// DELETE: what is left of a set; an empty one is removed.
fn deleted(before: Option<&Attribute>, parts: &Attribute) -> Result<Option<Attribute>, Refusal> {
    fn kept<T: Ord + Clone>(one: &BTreeSet<T>, other: &BTreeSet<T>) -> Option<BTreeSet<T>> {
        let left = one - other;
        (!left.is_empty()).then_some(left)
    }
    match (before, parts) {
        (None, _) => Ok(None),
        (Some(Attribute::Texts(one)), Attribute::Texts(other)) => Ok(kept(one, other).map(Attribute::Texts)),
        (Some(Attribute::Numbers(one)), Attribute::Numbers(other)) => Ok(kept(one, other).map(Attribute::Numbers)),
        (Some(Attribute::BytesSet(one)), Attribute::BytesSet(other)) => Ok(kept(one, other).map(Attribute::BytesSet)),
        _ => Err(wrong_type()),
    }
}
