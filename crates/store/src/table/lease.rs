//! Members and owners of shards in the table.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};
use fargateer_controller::lease::{Claim, Shard, Table};
use fargateer_controller::replica::LeaseTable;

use super::{ITEM, Item, StateTable, number, number_of, text_of};

/// The item that says who owns which shard.
const LEASE: &str = "lease";
/// What the sort key of a member begins with.
const MEMBER: &str = "lease#";
/// How often the owners changed.
const EPOCH: &str = "epoch";
/// A map of members to the shards they own: 32 bytes, bit `n % 8` of byte `n / 8` for shard `n`.
const OWNERS: &str = "owners";
/// How often a member has beaten.
const VERSION: &str = "version";

#[async_trait]
impl LeaseTable for StateTable {
    async fn read(&self) -> Result<Table, String> {
        let mut table = Table::default();
        for item in self.items(LEASE).await? {
            if let Some(member) = text_of(&item, ITEM).strip_prefix(MEMBER) {
                table.members.insert(member.to_owned(), number_of(&item, VERSION));
            } else {
                (table.epoch, table.owners) = (number_of(&item, EPOCH), owners(&item));
            }
        }
        Ok(table)
    }

    async fn join(&self, member: &str) -> Result<(), String> {
        let mut item = self.key(&format!("{MEMBER}{member}"));
        item.insert(VERSION.to_owned(), number(0));
        let call = self.client.put_item().table_name(&self.name).set_item(Some(item));
        let call = call.condition_expression("attribute_not_exists(#item)").expression_attribute_names("#item", ITEM);
        call.send().await.map_err(|error| self.told("PutItem", &error))?;
        Ok(())
    }

    async fn beat(&self, member: &str, version: u64) -> Result<bool, String> {
        // Only we set our version, so whether an earlier beat came through does not matter: this one says the same or more.
        let call = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(self.key(&format!("{MEMBER}{member}"))))
            .update_expression("SET #version = :version")
            .condition_expression("attribute_exists(#item)")
            .expression_attribute_names("#version", VERSION)
            .expression_attribute_names("#item", ITEM)
            .expression_attribute_values(":version", number(version));
        match call.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
            Err(error) => Err(self.told("UpdateItem", &error)),
        }
    }

    async fn claim(&self, claim: &Claim) -> Result<bool, String> {
        let wrong = |error: aws_sdk_dynamodb::error::BuildError| error.to_string();
        let mut item = self.key(LEASE);
        item.insert(EPOCH.to_owned(), number(claim.epoch + 1));
        item.insert(OWNERS.to_owned(), AttributeValue::M(bitmaps(&claim.owners)));
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression(if claim.epoch == 0 { "attribute_not_exists(#epoch)" } else { "#epoch = :epoch" })
            .expression_attribute_names("#epoch", EPOCH)
            .set_expression_attribute_values((claim.epoch > 0).then(|| values(":epoch", claim.epoch)))
            .build();
        let mut writes = vec![TransactWriteItem::builder().put(put.map_err(wrong)?).build()];
        for (member, version) in &claim.removed {
            let delete = Delete::builder()
                .table_name(&self.name)
                .set_key(Some(self.key(&format!("{MEMBER}{member}"))))
                .condition_expression("#version = :version")
                .expression_attribute_names("#version", VERSION)
                .set_expression_attribute_values(Some(values(":version", *version)))
                .build();
            writes.push(TransactWriteItem::builder().delete(delete.map_err(wrong)?).build());
        }
        match self.client.transact_write_items().set_transact_items(Some(writes)).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some("TransactionCanceledException") => Ok(false),
            Err(error) => Err(self.told("TransactWriteItems", &error)),
        }
    }

    async fn leave(&self, member: &str) -> Result<(), String> {
        let key = self.key(&format!("{MEMBER}{member}"));
        let call = self.client.delete_item().table_name(&self.name).set_key(Some(key));
        call.send().await.map_err(|error| self.told("DeleteItem", &error))?;
        Ok(())
    }
}

fn values(name: &str, value: u64) -> HashMap<String, AttributeValue> {
    HashMap::from([(name.to_owned(), number(value))])
}

fn owners(item: &Item) -> BTreeMap<Shard, Arc<str>> {
    let members = item.get(OWNERS).and_then(|owners| owners.as_m().ok());
    let shards_of = |bits: &AttributeValue| -> Vec<Shard> {
        let bits = bits.as_b().map(|bits| bits.as_ref().to_vec()).unwrap_or_default();
        let set = |shard: &Shard| {
            let byte = bits.get(usize::from(shard.number() / 8)).copied().unwrap_or_default();
            byte & (1 << (shard.number() % 8)) != 0
        };
        Shard::all().filter(set).collect()
    };
    let all = members.into_iter().flatten();
    all.flat_map(|(member, bits)| {
        let member: Arc<str> = Arc::from(member.as_str());
        shards_of(bits).into_iter().map(move |shard| (shard, Arc::clone(&member)))
    })
    .collect()
}

fn bitmaps(owners: &BTreeMap<Shard, Arc<str>>) -> HashMap<String, AttributeValue> {
    let mut bitmaps: HashMap<String, Vec<u8>> = HashMap::new();
    for (shard, owner) in owners {
        let bits = bitmaps.entry(owner.to_string()).or_insert_with(|| vec![0; 32]);
        if let Some(byte) = bits.get_mut(usize::from(shard.number() / 8)) {
            *byte |= 1 << (shard.number() % 8);
        }
    }
    bitmaps.into_iter().map(|(member, bits)| (member, AttributeValue::B(Blob::new(bits)))).collect()
}
