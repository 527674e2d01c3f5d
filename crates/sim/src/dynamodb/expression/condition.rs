//! Conditions: what they are made of, and whether an item meets one.

use super::path::Path;
use crate::state::dynamodb::Item;
use crate::state::dynamodb::number::Number;
use crate::state::dynamodb::value::Attribute;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// What is compared.
#[derive(Clone, Debug)]
pub(crate) enum Operand {
    Path(Path),
    Value(Attribute),
    Size(Path),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A condition on an item.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    Compare(Operand, Comparator, Operand),
    Between(Operand, Operand, Operand),
    In(Operand, Vec<Operand>),
    Exists(Path),
    Missing(Path),
    OfType(Path, String),
    BeginsWith(Operand, Operand),
    Contains(Operand, Operand),
    Both(Box<Condition>, Box<Condition>),
    Either(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
}

impl Operand {
    fn value<'a>(&'a self, item: &'a Item) -> Option<Cow<'a, Attribute>> {
        match self {
            Self::Path(path) => path.find(item).map(Cow::Borrowed),
            Self::Value(value) => Some(Cow::Borrowed(value)),
            Self::Size(path) => {
                let size = length(path.find(item)?)?;
                Number::parse(&size.to_string()).ok().map(|size| Cow::Owned(Attribute::Number(size)))
            }
        }
    }
}

/// What `size` says of a value.
fn length(value: &Attribute) -> Option<usize> {
    Some(match value {
        Attribute::Text(text) => text.len(),
        Attribute::Bytes(bytes) => bytes.len(),
        Attribute::Texts(set) => set.len(),
        Attribute::Numbers(set) => set.len(),
        Attribute::BytesSet(set) => set.len(),
        Attribute::List(items) => items.len(),
        Attribute::Map(members) => members.len(),
        Attribute::Number(_) | Attribute::Flag(_) | Attribute::Null => return None,
    })
}

impl Condition {
    /// Whether an item meets it.
    pub(crate) fn met(&self, item: &Item) -> bool {
        match self {
            Self::Compare(left, comparator, right) => compare(left.value(item), *comparator, right.value(item)),
            Self::Between(value, low, high) => {
                let value = value.value(item);
                compare(value.clone(), Comparator::GreaterOrEqual, low.value(item))
                    && compare(value, Comparator::LessOrEqual, high.value(item))
            }
            Self::In(value, list) => {
                let value = value.value(item);
                list.iter().any(|one| compare(value.clone(), Comparator::Equal, one.value(item)))
            }
            Self::Exists(path) => path.find(item).is_some(),
            Self::Missing(path) => path.find(item).is_none(),
            Self::OfType(path, kind) => path.find(item).is_some_and(|value| value.kind() == kind),
            Self::BeginsWith(value, prefix) => match (value.value(item).as_deref(), prefix.value(item).as_deref()) {
                (Some(Attribute::Text(text)), Some(Attribute::Text(prefix))) => text.starts_with(prefix.as_str()),
                (Some(Attribute::Bytes(bytes)), Some(Attribute::Bytes(prefix))) => bytes.starts_with(prefix),
                _ => false,
            },
            Self::Contains(value, part) => match (value.value(item), part.value(item)) {
                (Some(value), Some(part)) => contains(&value, &part),
                _ => false,
            },
            Self::Both(one, other) => one.met(item) && other.met(item),
            Self::Either(one, other) => one.met(item) || other.met(item),
            Self::Not(condition) => !condition.met(item),
        }
    }

    /// The attributes it looks at.
    pub(crate) fn names(&self, into: &mut BTreeSet<String>) {
        let mut add = |operand: &Operand| match operand {
            Operand::Path(path) | Operand::Size(path) => {
                into.insert(path.name.clone());
            }
            Operand::Value(_) => {}
        };
        match self {
            Self::Compare(one, _, other) | Self::BeginsWith(one, other) | Self::Contains(one, other) => {
                [one, other].into_iter().for_each(add);
            }
            Self::Between(one, low, high) => [one, low, high].into_iter().for_each(add),
            Self::In(one, list) => std::iter::once(one).chain(list).for_each(add),
            Self::Exists(path) | Self::Missing(path) | Self::OfType(path, _) => add(&Operand::Path(path.clone())),
            Self::Both(one, other) | Self::Either(one, other) => {
                one.names(into);
                other.names(into);
            }
            Self::Not(condition) => condition.names(into),
        }
    }
}

/// Missing values compare with nothing, but for `<>`, which they meet; so do values of different types.
fn compare(left: Option<Cow<Attribute>>, comparator: Comparator, right: Option<Cow<Attribute>>) -> bool {
    let (Some(left), Some(right)) = (left, right) else {
        return comparator == Comparator::NotEqual;
    };
    let order = order(&left, &right);
    match comparator {
        Comparator::Equal => left == right,
        Comparator::NotEqual => left != right,
        Comparator::Less => order == Some(Ordering::Less),
        Comparator::LessOrEqual => order.is_some_and(Ordering::is_le),
        Comparator::Greater => order == Some(Ordering::Greater),
        Comparator::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
    }
}

/// Only texts, numbers and binaries have an order, each among themselves.
fn order(left: &Attribute, right: &Attribute) -> Option<Ordering> {
    let ordered = matches!(left, Attribute::Text(_) | Attribute::Number(_) | Attribute::Bytes(_));
    (ordered && left.kind() == right.kind()).then(|| left.cmp(right))
}

fn contains(value: &Attribute, part: &Attribute) -> bool {
    match (value, part) {
        (Attribute::Text(text), Attribute::Text(part)) => text.contains(part.as_str()),
        (Attribute::Bytes(bytes), Attribute::Bytes(part)) => {
            part.is_empty() || bytes.windows(part.len()).any(|window| window == part.as_slice())
        }
        (Attribute::Texts(set), Attribute::Text(part)) => set.contains(part),
        (Attribute::Numbers(set), Attribute::Number(part)) => set.contains(part),
        (Attribute::BytesSet(set), Attribute::Bytes(part)) => set.contains(part),
        (Attribute::List(items), part) => items.contains(part),
        _ => false,
    }
}
