//! SHA-256, and the one way a document is written where its bytes count.

use std::io::{self, Write};

use aws_lc_rs::digest::{Context, SHA256, digest};
use serde_json::Value;

/// `sha256:<hex>` of `bytes`.
pub(crate) fn of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(digest(&SHA256, bytes)))
}

/// The plain 32 bytes.
pub(crate) fn raw(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

/// Hashes and counts what is written through it.
pub(crate) struct Hashing<W> {
    inner: W,
    context: Context,
    written: u64,
}

impl<W> Hashing<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, context: Context::new(&SHA256), written: 0 }
    }

    /// What was written to, the digest and the number of bytes.
    pub(crate) fn finish(self) -> (W, String, u64) {
        (self.inner, format!("sha256:{}", hex::encode(self.context.finish())), self.written)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.context.update(bytes.get(..written).unwrap_or_default());
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// `value` with sorted keys and no blanks: the same bytes whatever order a library keeps objects in.
pub(crate) fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| key.as_str());
            let fields = fields.into_iter();
            let fields: Vec<String> =
                fields.map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical(value))).collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_same_document_is_the_same_bytes() {
        let written = canonical(&json!({"b": [1, {"z": null, "a": "é\""}], "a": true}));
        assert_eq!(written, r#"{"a":true,"b":[1,{"a":"é\"","z":null}]}"#);
    }

    #[test]
    fn hashing_on_the_way_is_hashing_at_the_end() {
        let mut hashing = Hashing::new(Vec::new());
        hashing.write_all(b"some").unwrap();
        hashing.write_all(b" bytes").unwrap();
        let (bytes, digest, count) = hashing.finish();
        assert_eq!((bytes.as_slice(), digest, count), (&b"some bytes"[..], of(b"some bytes"), 10));
    }
}
