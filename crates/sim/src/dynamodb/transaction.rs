//! TransactWriteItems and TransactGetItems: all or nothing.

use super::batch;
use super::item::{self, Write};
use super::store::{self, Moment};
use crate::input::Members;
use crate::refusal::{Answer, Refusal};
use crate::state::Region;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn items(input: &Value) -> Result<&[Value], Refusal> {
    let items = input.items("TransactItems").unwrap_or_default();
    let bound = match items.len() {
        1..=100 => return Ok(items),
        0 => "greater than or equal to 1",
        _ => "less than or equal to 100",
    };
    Err(Refusal::validation(format!(
        "1 validation error detected: Value at 'transactItems' failed to satisfy constraint: Member must have length {bound}"
    )))
}

/// TransactGetItems.
pub(super) fn get(region: &mut Region, input: &Value) -> Answer {
    let moment = Moment::of(region);
    let (mut responses, mut consumed) = (Vec::new(), Vec::new());
    for request in items(input)? {
        let mut request = request.get("Get").cloned().unwrap_or(Value::Null);
        request.put("ConsistentRead", json!(true));
        let table = store::table(&region.dynamodb, region.now, &request)?;
        let (item, units) = item::read_one(table, &moment, &request)?;
        responses.push(json!({"Item": item}));
        consumed.extend(store::consumed(input, &table.name, units * 2.0));
    }
    Ok(json!({"Responses": responses, "ConsumedCapacity": batch::some(consumed)}))
}

/// TransactWriteItems. A request repeated with its token within ten minutes does nothing more.
pub(super) fn write(region: &mut Region, input: &Value) -> Answer {
    let items = items(input)?;
    if let Some(token) = input.text("ClientRequestToken") {
        let request = json!(items);
        match region.dynamodb.transactions.get(token) {
            Some((_, known)) if *known == request => return Ok(json!({})),
            Some(_) => {
                let message = "The request contains an idempotent token that was used with different parameters.";
                return Err(Refusal::new("IdempotentParameterMismatchException", message));
            }
            None => {}
        }
    }
    let writes: Vec<Write> = items.iter().map(|item| understand(region, item)).collect::<Result<_, _>>()?;
    let keys: BTreeSet<_> = writes.iter().map(|write| (&write.table, &write.key)).collect();
    if keys.len() < writes.len() {
        return Err(Refusal::validation("Transaction request cannot include multiple operations on one item"));
    }
    let outcomes: Vec<_> = writes.iter().map(|write| write.outcome(&region.dynamodb)).collect();
    if outcomes.iter().any(Result::is_err) {
        return Err(cancelled(outcomes.into_iter().map(Result::err).collect()));
    }
    for (write, outcome) in writes.iter().zip(outcomes) {
        write.commit(region, outcome.ok().flatten());
    }
    if let Some(token) = input.text("ClientRequestToken") {
        region.dynamodb.transactions.insert(token.to_owned(), (region.now, json!(items)));
    }
    let tables: BTreeSet<&String> = writes.iter().map(|write| &write.table).collect();
    let consumed = tables.into_iter().filter_map(|table| {
        let writes = u32::try_from(writes.iter().filter(|write| write.table == *table).count()).unwrap_or(0);
        store::consumed(input, table, f64::from(writes) * 2.0)
    });
    Ok(json!({"ConsumedCapacity": batch::some(consumed.collect())}))
}

fn understand(region: &Region, item: &Value) -> Result<Write, Refusal> {
    let mut members = item.as_object().into_iter().flatten().filter(|(_, member)| !member.is_null());
    match (members.next(), members.next()) {
        (Some((kind, request)), None) => match kind.as_str() {
            "Put" => item::understand_put(region, request),
            "Update" => item::understand_update(region, request),
            "Delete" => item::understand_delete(region, request),
            "ConditionCheck" => item::understand_check(region, request),
            _ => Err(malformed()),
        },
        _ => Err(malformed()),
    }
}

fn malformed() -> Refusal {
    Refusal::validation("TransactItems can only contain one of Check, Put, Update or Delete")
}

/// The refusal of a transaction, with a reason for each of its writes.
fn cancelled(refusals: Vec<Option<Refusal>>) -> Refusal {
    let reasons: Vec<Value> = refusals
        .into_iter()
        .map(|refusal| match refusal {
            None => json!({"Code": "None"}),
            Some(refusal) => {
                let code = match refusal.code.as_str() {
                    "ConditionalCheckFailedException" => "ConditionalCheckFailed",
                    "ValidationException" => "ValidationError",
                    other => other,
                };
                let mut reason = json!({"Code": code, "Message": refusal.message});
                if let Some(item) = refusal.detail.get("Item") {
                    reason.put("Item", item.clone());
                }
                reason
            }
        })
        .collect();
    let codes: Vec<&str> = reasons.iter().filter_map(|reason| reason.text("Code")).collect();
    let message =
        format!("Transaction cancelled, please refer cancellation reasons for specific reasons [{}]", codes.join(", "));
    let detail = json!({"Message": message, "CancellationReasons": reasons});
    Refusal::new("TransactionCanceledException", message).with(detail)
}
