//! The shape a document must have, taken from the types' own JSON Schema: one source for the schema file, for the
//! structural check and for the words its messages use.

use std::collections::BTreeMap;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

/// What may stand at a place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    /// Whatever is there.
    Any,
    /// A string.
    Text,
    /// True or false.
    Flag,
    /// A whole number from 0 to this one.
    Whole(u64),
    /// One of these strings.
    Choice(Vec<String>),
    /// A list of one shape.
    List(Box<Shape>),
    /// A mapping with free keys.
    Table(Box<Shape>),
    /// A mapping with known fields.
    Record(BTreeMap<String, Field>),
    /// The same, or null.
    Nullable(Box<Shape>),
}

/// A known field of a record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    pub(crate) shape: Shape,
    pub(crate) required: bool,
    /// The first sentence of its documentation.
    pub(crate) about: String,
}

impl Shape {
    /// The shape of `T`.
    pub(crate) fn of<T: JsonSchema>() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
        Self::from_schema(settings.into_generator().into_root_schema_for::<T>().as_value())
    }

    fn from_schema(schema: &Value) -> Self {
        if let Some(choices) = choices(schema) {
            return Self::Choice(choices);
        }
        if let Some(inner) = nullable(schema) {
            return Self::Nullable(Box::new(Self::from_schema(&inner)));
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("string") => Self::Text,
            Some("boolean") => Self::Flag,
            Some("integer") => Self::Whole(largest(schema)),
            Some("array") => Self::List(Box::new(schema.get("items").map_or(Self::Any, Self::from_schema))),
            Some("object") => Self::from_object(schema),
            _ => Self::Any,
        }
    }

    fn from_object(schema: &Value) -> Self {
        let required = |name: &str| strings(schema.get("required")).iter().any(|required| required == name);
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            let field = |(name, schema): (&String, &Value)| {
                let field =
                    Field { shape: Self::from_schema(schema), required: required(name), about: first_sentence(schema) };
                (name.clone(), field)
            };
            return Self::Record(properties.iter().map(field).collect());
        }
        match schema.get("additionalProperties") {
            Some(values @ Value::Object(_)) => Self::Table(Box::new(Self::from_schema(values))),
            _ => Self::Table(Box::new(Self::Any)),
        }
    }

    /// Something of this shape, to go on with when what stands there is not.
    pub(crate) fn placeholder(&self) -> Value {
        match self {
            Self::Any | Self::Nullable(_) => Value::Null,
            Self::Text => Value::from("placeholder"),
            Self::Flag => Value::from(false),
            Self::Whole(_) => Value::from(1),
            Self::Choice(names) => names.first().cloned().map_or(Value::Null, Value::from),
            Self::List(_) => Value::Array(Vec::new()),
            Self::Table(_) => Value::Object(serde_json::Map::new()),
            Self::Record(fields) => (fields.iter().filter(|(_, field)| field.required))
                .map(|(name, field)| (name.clone(), field.shape.placeholder()))
                .collect(),
        }
    }

    /// The shape in words, as in "must be a string".
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Any => "anything".to_owned(),
            Self::Text => "a string".to_owned(),
            Self::Flag => "true or false".to_owned(),
            Self::Whole(_) => "a whole number".to_owned(),
            Self::Choice(names) if names.len() == 1 => quoted(names),
            Self::Choice(names) => format!("one of {}", quoted(names)),
            Self::List(_) => "a list".to_owned(),
            Self::Table(_) | Self::Record(_) => "a mapping".to_owned(),
            Self::Nullable(inner) => inner.describe(),
        }
    }

    /// The paths below `base` at which a field called `name` is known.
    pub(crate) fn homes(&self, name: &str, base: &str) -> Vec<String> {
        self.fields(base, &|key| key == name).into_iter().map(|(home, _)| home).collect()
    }

    /// The one field below `base` of whose name `short` is the beginning, if there is just one.
    pub(crate) fn abbreviated(&self, short: &str, base: &str) -> Option<String> {
        let found = self.fields(base, &|key| short.len() > 2 && key.starts_with(short));
        match found.as_slice() {
            [(home, name)] => Some(crate::path::field(home, name)),
            _ => None,
        }
    }

    /// The fields below `base` whose names are `meant`: where they are, and what they are called.
    fn fields(&self, base: &str, meant: &dyn Fn(&str) -> bool) -> Vec<(String, String)> {
        match self {
            Self::Nullable(inner) => inner.fields(base, meant),
            Self::Record(fields) => (fields.iter())
                .flat_map(|(key, field)| {
                    let here = meant(key).then(|| (base.to_owned(), key.clone()));
                    let below = field.shape.fields(&crate::path::field(base, key), meant);
                    here.into_iter().chain(below)
                })
                .collect(),
            Self::Any | Self::Text | Self::Flag | Self::Whole(_) | Self::Choice(_) | Self::List(_) | Self::Table(_) => {
                Vec::new()
            }
        }
    }
}

/// `a`, `b`, `c` in backticks.
pub(crate) fn quoted<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn choices(schema: &Value) -> Option<Vec<String>> {
    if let Some(names) = schema.get("enum") {
        return Some(strings(Some(names)));
    }
    if let Some(name) = schema.get("const").and_then(Value::as_str) {
        return Some(vec![name.to_owned()]);
    }
    let variants = schema.get("oneOf")?.as_array()?;
    Some(variants.iter().filter_map(choices).flatten().collect())
}

/// The schema without its null, when it allows null.
fn nullable(schema: &Value) -> Option<Value> {
    let null = |schema: &Value| schema.get("type").and_then(Value::as_str) == Some("null");
    if let Some(either) = schema.get("anyOf").and_then(Value::as_array) {
        return either.iter().find(|schema| !null(schema)).cloned();
    }
    let types = strings(Some(schema.get("type").filter(|types| types.is_array())?));
    let mut inner = schema.clone();
    *inner.get_mut("type")? = Value::from(types.into_iter().find(|name| name != "null")?);
    Some(inner)
}

fn largest(schema: &Value) -> u64 {
    let maximum = schema.get("maximum").and_then(Value::as_u64);
    maximum.unwrap_or(if schema.get("format").and_then(Value::as_str) == Some("uint32") {
        u64::from(u32::MAX)
    } else {
        u64::MAX
    })
}

fn strings(list: Option<&Value>) -> Vec<String> {
    let list = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn first_sentence(schema: &Value) -> String {
    let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let text = text.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    text.split(". ").next().unwrap_or_default().trim_end_matches('.').to_owned()
}
