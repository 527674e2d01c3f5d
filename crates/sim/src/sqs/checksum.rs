//! The MD5 of message attributes (SQS developer guide, "Calculating the MD5 message digest for message attributes").

use crate::input::Members;
use crate::md5::md5;
use aws_smithy_types::base64;
use serde_json::Value;

/// The MD5 of message attributes: names, types and values, each with its length, in the order of names.
pub(super) fn of_attributes(attributes: &Value) -> Option<String> {
    let members = attributes.as_object().filter(|members| !members.is_empty())?;
    let sorted: std::collections::BTreeMap<_, _> = members.iter().collect();
    let mut bytes = Vec::new();
    let add = |part: &[u8], bytes: &mut Vec<u8>| {
        bytes.extend(u32::try_from(part.len()).unwrap_or(0).to_be_bytes());
        bytes.extend(part);
    };
    for (name, value) in sorted {
        add(name.as_bytes(), &mut bytes);
        add(value.text("DataType").unwrap_or_default().as_bytes(), &mut bytes);
        if let Some(binary) = value.text("BinaryValue") {
            bytes.push(2);
            add(&base64::decode(binary).unwrap_or_default(), &mut bytes);
        } else {
            bytes.push(1);
            add(value.text("StringValue").unwrap_or_default().as_bytes(), &mut bytes);
        }
    }
    Some(md5(&bytes))
}
