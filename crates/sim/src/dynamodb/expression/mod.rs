//! The expressions of DynamoDB: conditions, updates, projections, and the placeholders they share.

pub(super) mod condition;
pub(super) mod key_condition;
mod lexer;
mod parser;
pub(super) mod path;
mod reserved;
pub(super) mod update;

use super::read;
use crate::input::Members;
use crate::refusal::Refusal;
use crate::state::dynamodb::value::Attribute;
use condition::Condition;
use key_condition::KeyCondition;
use parser::Parser;
use path::Path;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use update::Update;

/// The largest expression, in bytes.
const LONGEST: usize = 4096;

/// The placeholders of one request, and which of them its expressions have used.
#[derive(Debug, Default)]
pub(super) struct Placeholders {
    names: BTreeMap<String, String>,
    values: BTreeMap<String, Attribute>,
    used: BTreeSet<String>,
}

impl Placeholders {
    /// Reads the placeholders of a request. `expressions` names the members one of which must be there for them.
    pub(super) fn of(input: &Value, expressions: &[&str]) -> Result<Self, Refusal> {
        let none = expressions.iter().all(|name| input.member(name).is_none());
        for member in ["ExpressionAttributeNames", "ExpressionAttributeValues"] {
            let Some(given) = input.member(member) else { continue };
            if none {
                let first = expressions.first().copied().unwrap_or_default();
                let reason = if expressions.len() > 1 { String::new() } else { format!(": {first} is null") };
                return Err(Refusal::validation(format!(
                    "{member} can only be specified when using expressions{reason}"
                )));
            }
            if given.as_object().is_none_or(serde_json::Map::is_empty) {
                return Err(Refusal::validation(format!("{member} must not be empty")));
            }
        }
        let mut placeholders = Self::default();
        for (name, real) in input.get("ExpressionAttributeNames").and_then(Value::as_object).into_iter().flatten() {
            check(name, '#', "ExpressionAttributeNames")?;
            placeholders.names.insert(name.clone(), real.as_str().unwrap_or_default().to_owned());
        }
        for (name, value) in input.get("ExpressionAttributeValues").and_then(Value::as_object).into_iter().flatten() {
            check(name, ':', "ExpressionAttributeValues")?;
            let value = read::attribute(value).map_err(|refusal| Refusal {
                message: format!(
                    "ExpressionAttributeValues contains invalid value: {} for key {name}",
                    refusal.message
                ),
                ..refusal
            })?;
            placeholders.values.insert(name.clone(), value);
        }
        Ok(placeholders)
    }

    fn parse<'a, T>(
        &'a mut self,
        kind: &'static str,
        text: &str,
        rule: fn(&mut Parser<'a>) -> Result<T, String>,
    ) -> Result<T, Refusal> {
        let invalid = |what: String| Refusal::validation(format!("Invalid {kind}: {what}"));
        if text.is_empty() {
            return Err(invalid("The expression can not be empty;".to_owned()));
        }
        if text.len() > LONGEST {
            let length = text.len();
            return Err(invalid(format!(
                "Expression size has exceeded the maximum allowed size; expression size: {length}"
            )));
        }
        let mut parser = Parser::new(text, self).map_err(invalid)?;
        rule(&mut parser).and_then(|parsed| parser.end().map(|()| parsed)).map_err(invalid)
    }

    /// The condition a member holds, if there is one.
    pub(super) fn condition(&mut self, input: &Value, member: &'static str) -> Result<Option<Condition>, Refusal> {
        input.text(member).map(|text| self.parse(member, text, Parser::condition)).transpose()
    }

    /// The update a member holds.
    pub(super) fn update(&mut self, input: &Value) -> Result<Option<Update>, Refusal> {
        const MEMBER: &str = "UpdateExpression";
        let Some(text) = input.text(MEMBER) else { return Ok(None) };
        let update = self.parse(MEMBER, text, Parser::update)?;
        update.check().map_err(|what| Refusal::validation(format!("Invalid {MEMBER}: {what}")))?;
        Ok(Some(update))
    }

    /// The paths of a projection.
    pub(super) fn projection(&mut self, input: &Value) -> Result<Option<Vec<Path>>, Refusal> {
        const MEMBER: &str = "ProjectionExpression";
        let Some(text) = input.text(MEMBER) else { return Ok(None) };
        let paths = self.parse(MEMBER, text, Parser::projection)?;
        path::distinct(&paths).map_err(|what| Refusal::validation(format!("Invalid {MEMBER}: {what}")))?;
        Ok(Some(paths))
    }

    /// The key condition of a query.
    pub(super) fn key_condition(&mut self, input: &Value) -> Result<KeyCondition, Refusal> {
        const MEMBER: &str = "KeyConditionExpression";
        let Some(text) = input.text(MEMBER) else {
            return Err(Refusal::validation(
                "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
            ));
        };
        let condition = self.parse(MEMBER, text, Parser::condition)?;
        KeyCondition::of(condition)
    }

    /// Refuses placeholders that no expression used.
    pub(super) fn all_used(&self) -> Result<(), Refusal> {
        let unused = |keys: Vec<&String>, member: &str| {
            let unused: Vec<&str> =
                keys.into_iter().filter(|key| !self.used.contains(*key)).map(String::as_str).collect();
            if unused.is_empty() {
                return Ok(());
            }
            let keys = unused.join(", ");
            Err(Refusal::validation(format!("Value provided in {member} unused in expressions: keys: {{{keys}}}")))
        };
        unused(self.values.keys().collect(), "ExpressionAttributeValues")?;
        unused(self.names.keys().collect(), "ExpressionAttributeNames")
    }
}

fn check(name: &str, sign: char, member: &str) -> Result<(), Refusal> {
    let rest = name.strip_prefix(sign).unwrap_or_default();
    if !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(());
    }
    Err(Refusal::validation(format!("{member} contains invalid key: Syntax error; key: \"{name}\"")))
}
