//! What a person does to a table of specs with our commands: list its rows, write and delete them.

use std::sync::Arc;

use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;
use aws_sdk_dynamodb::types::AttributeValue;
use fargateer_api::{AgentDeployment, Key};
use serde_json::{Map, Value, json};

use super::row::{self, LABELS, NAME, PROJECT, Row, SPEC, STATUS, SUSPEND};
use super::{Item, SpecTable, text, value};

/// A row as a person sees it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The agent's name.
    pub key: Key,
    /// Where it stands: `dynamodb://TABLE/NAME`.
    pub location: String,
    /// What it says, if that can be understood.
    pub agent: Option<Arc<AgentDeployment>>,
    /// What is wrong with it.
    pub faults: Vec<String>,
    /// What Fargateer answered; null when it did not yet.
    pub status: Value,
    /// Whether hands off is asked for beside the spec.
    suspended: bool,
}

impl Entry {
    fn of(row: Row, item: &Item) -> Self {
        let status = item.get(STATUS).map(|status| value::json(status, STATUS, &mut Vec::new()));
        let mut status = status.filter(Value::is_object).unwrap_or_default();
        if let Some(fields) = status.as_object_mut() {
            fields.remove(row::REVISION);
        }
        let suspended = item.get(SUSPEND).is_some_and(|suspend| *suspend != AttributeValue::Bool(false));
        let Row { key, location, agent, faults, .. } = row;
        Self { key, location, agent, faults, status, suspended }
    }

    /// Whether writing `agent` into the row would change what it says.
    pub fn says(&self, agent: &AgentDeployment) -> bool {
        let Some(said) = self.agent.as_deref() else { return false };
        let mut wanted = agent.clone();
        if self.suspended {
            wanted.spec.suspend.clone_from(&said.spec.suspend);
        }
        *said == wanted
    }
}

impl SpecTable {
    /// Every row, by name.
    pub async fn entries(&self) -> Result<Vec<Entry>, String> {
        self.check().await?;
        let (mut entries, mut start) = (Vec::new(), None);
        loop {
            let (items, next) = self.page(start).await?;
            let rows = self.rows(&items, |_| None)?;
            entries.extend(rows.into_iter().zip(&items).map(|((_, row), item)| Entry::of(row, item)));
            start = next;
            if start.is_none() {
                entries.sort_by(|left: &Entry, right| left.key.cmp(&right.key));
                return Ok(entries);
            }
        }
    }

    /// Writes what `agent` says into its row, which is made where there is none. Everything else of a row stays: its status,
    /// hands off, and what its owner keeps there.
    pub async fn put(&self, agent: &AgentDeployment) -> Result<(), String> {
        let metadata = &agent.metadata;
        let labels: Map<String, Value> =
            metadata.labels.iter().map(|(name, label)| (name.clone(), json!(label))).collect();
        let call = self
            .client()
            .update_item()
            .table_name(self.name())
            .key(NAME, text(&metadata.name))
            .update_expression("SET #spec = :spec, #labels = :labels, #project = :project")
            .expression_attribute_names("#spec", SPEC)
            .expression_attribute_names("#labels", LABELS)
            .expression_attribute_names("#project", PROJECT)
            .expression_attribute_values(":spec", value::attribute(spoken(agent)))
            .expression_attribute_values(":labels", AttributeValue::M(value::attributes(labels)))
            .expression_attribute_values(":project", text(&metadata.project));
        call.send().await.map_err(|error| self.told("UpdateItem", &error))?;
        Ok(())
    }

    /// Deletes the row `name`. False when there is none.
    pub async fn delete(&self, name: &str) -> Result<bool, String> {
        let call = self
            .client()
            .delete_item()
            .table_name(self.name())
            .key(NAME, text(name))
            .condition_expression("attribute_exists(#name)")
            .expression_attribute_names("#name", NAME);
        match call.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
            Err(error) => Err(self.told("DeleteItem", &error)),
        }
    }
}

/// The spec of `agent` without what it says by saying nothing: a row is read by people, too.
fn spoken(agent: &AgentDeployment) -> Value {
    let mut document = json!(agent);
    for field in keys(&document, &["spec"]) {
        leave_out(&mut document, &mut vec!["spec".to_owned(), field], agent);
    }
    document.get("spec").cloned().unwrap_or_default()
}

/// Leaves out what stands at `path`, or the parts of it, that `agent` says without it.
fn leave_out(document: &mut Value, path: &mut Vec<String>, agent: &AgentDeployment) {
    let mut without = document.clone();
    remove(&mut without, path);
    let same = serde_json::from_value::<AgentDeployment>(without.clone()).is_ok_and(|said| said == *agent);
    if same {
        *document = without;
        return;
    }
    for field in keys(document, &path.iter().map(String::as_str).collect::<Vec<_>>()) {
        path.push(field);
        leave_out(document, path, agent);
        path.pop();
    }
}

/// The names of the fields of the object at `path`, if one stands there.
fn keys(document: &Value, path: &[&str]) -> Vec<String> {
    let at = path.iter().try_fold(document, |value, field| value.get(field));
    at.and_then(Value::as_object).map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
}

fn remove(document: &mut Value, path: &[String]) {
    let Some((field, above)) = path.split_last() else { return };
    let at = above.iter().try_fold(document, |value, field| value.get_mut(field));
    if let Some(fields) = at.and_then(Value::as_object_mut) {
        fields.remove(field);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_its_author_said_and_no_defaults() {
        let spec = json!({
            "cluster": "agents",
            "image": {"uri": "x:1"},
            "network": {"subnets": ["subnet-0a"]},
            "roles": {"execution": "e"},
            "container": {"environment": {"A": ""}},
            "autoscaling": {"enabled": true, "max": 3},
        });
        let document = json!({
            "apiVersion": "fargateer/v1", "kind": "AgentDeployment", "metadata": {"name": "bot"}, "spec": spec,
        });
        let agent: AgentDeployment = serde_json::from_value(document).unwrap();
        assert_eq!(spoken(&agent), spec);
    }
}
