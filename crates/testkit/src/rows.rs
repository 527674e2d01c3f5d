//! Specs as rows of a table of the simulated DynamoDB, as people write them: past all faults.

use std::time::Duration;

use fargateer_sim::Simulation;
use serde_json::{Value, json};

use crate::clock::pass;
use crate::plan::Outage;
use crate::state::Ask as _;
use crate::truth::{Truth, Want};
use crate::{operator::asking, wiring::SPECS};

/// A table is there after so long.
const MADE: Duration = Duration::from_secs(30);
/// After so long a process either knows what stands in the rows or knows that it does not: a read may try three times.
pub(crate) const NEWS: Duration = Duration::from_mins(3);

/// The table.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    sim: Simulation,
    /// Rows of a table that shows none for a while.
    hidden: Option<Vec<Value>>,
}

impl Rows {
    /// The table in `sim`.
    pub(crate) fn of(sim: &Simulation) -> Self {
        Self { sim: sim.clone(), hidden: None }
    }

    /// Makes it, and waits until it can be written to.
    pub(crate) async fn create(sim: &Simulation) {
        let request = json!({"TableName": SPECS, "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "name", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "name", "KeyType": "HASH"}]});
        Self::of(sim).ask("CreateTable", &request);
        pass(MADE).await;
    }

    /// Somebody writes a spec; the status stays.
    pub(crate) fn write(&mut self, name: &str, spec: &str) {
        if let Some(hidden) = &mut self.hidden {
            hidden.retain(|row| row["name"]["S"] != name);
            hidden.push(json!({"name": {"S": name}, "spec": {"S": spec}}));
            return;
        }
        let request = json!({"TableName": SPECS, "Key": {"name": {"S": name}},
            "UpdateExpression": "SET #spec = :spec", "ExpressionAttributeNames": {"#spec": "spec"},
            "ExpressionAttributeValues": {":spec": {"S": spec}}});
        self.ask("UpdateItem", &request);
    }

    /// Somebody deletes a row.
    pub(crate) fn delete(&mut self, name: &str) {
        if let Some(hidden) = &mut self.hidden {
            hidden.retain(|row| row["name"]["S"] != name);
        }
        self.ask("DeleteItem", &json!({"TableName": SPECS, "Key": {"name": {"S": name}}}));
    }

    /// The table shows nothing; that it can't be read at all is seen to by the overseer.
    pub(crate) fn lose(&mut self, outage: Outage) {
        if outage == Outage::Empty && self.hidden.is_none() {
            let all = self.all();
            for row in &all {
                self.delete(row["name"]["S"].as_str().unwrap_or_default());
            }
            self.hidden = Some(all);
        }
    }

    /// It is as it was, and as people wrote meanwhile.
    pub(crate) fn restore(&mut self) {
        for row in self.hidden.take().into_iter().flatten() {
            self.ask("PutItem", &json!({"TableName": SPECS, "Item": row}));
        }
    }

    /// What the rows of a fleet that is settled do not tell as it is, which `ready` knows. Those whose specs stand `elsewhere`
    /// need none.
    pub(crate) fn untold(
        sim: &Simulation,
        truth: &Truth,
        (elsewhere, ready): (&[String], impl Fn(&str) -> String),
    ) -> Option<String> {
        let rows = Self::of(sim).all();
        let of = |name: &str| rows.iter().find(|row| row["name"]["S"] == name);
        // Of those nobody may touch nothing is told any more, or nothing new.
        let left =
            |name: &String| truth.is_hands_off(name) || truth.poisoned.contains(name) || elsewhere.contains(name);
        for (name, want) in truth.all().filter(|(name, _)| !left(name)) {
            match (want, of(name)) {
                (Want::Absent(_), Some(row)) => return Some(format!("{name}: a row was made: {row}")),
                (Want::Present(_), None) => return Some(format!("{name}: its row is gone")),
                (Want::Absent(_), None) => {}
                (Want::Present(_), Some(row)) => {
                    let status = &row["status"]["M"];
                    let meant = truth.generation(name).map(ToString::to_string).unwrap_or_default();
                    let told = status["observedGeneration"]["S"].as_str().unwrap_or_default();
                    let conditions = status["conditions"]["L"].as_array().into_iter().flatten();
                    let mut readiness = conditions.filter(|condition| condition["M"]["type"]["S"] == "Ready");
                    let says = readiness.next().map(|ready| ready["M"]["status"]["S"].as_str().unwrap_or_default());
                    if (told, says) != (meant.as_str(), Some(ready(name).as_str())) {
                        return Some(format!(
                            "{name}: its row tells of {told}, Ready {says:?}, instead of {meant}, {}",
                            ready(name)
                        ));
                    }
                }
            }
        }
        None
    }

    fn all(&self) -> Vec<Value> {
        let answer = asking(&self.sim).ask("dynamodb", "Scan", &json!({"TableName": SPECS}));
        answer["Items"].as_array().cloned().unwrap_or_default()
    }

    fn ask(&self, operation: &str, request: &Value) {
        asking(&self.sim).ask("dynamodb", operation, request);
    }
}
