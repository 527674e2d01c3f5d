//! The contract as JSON Schema, for editors and other languages: generated from the types and their comments.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::project::Project;
use crate::spec::AgentDeployment;

/// The schema's `$id`.
pub const ID: &str = "https://fargateer.dev/schema/v1/agentdeployment.json";

/// The same of a project's.
pub const PROJECT_ID: &str = "https://fargateer.dev/schema/v1/project.json";

/// The JSON Schema (draft 2020-12) of an `AgentDeployment`.
pub fn json_schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<AgentDeployment>().to_value();
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("$id".to_owned(), ID.into());
        schema.insert("title".to_owned(), "AgentDeployment".into());
    }
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        let status = json!({
            "description": "What Fargateer answered, when a document was printed with `get -o yaml`. Ignored in a spec.",
            "type": ["object", "null"],
        });
        properties.insert("status".to_owned(), status);
    }
    schema
}

/// The JSON Schema (draft 2020-12) of a `Project`.
pub fn project_schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Project>().to_value();
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("$id".to_owned(), PROJECT_ID.into());
        schema.insert("title".to_owned(), "Project".into());
    }
    schema
}

/// The words that an enum of the contract knows.
pub fn words<T: JsonSchema>() -> Vec<String> {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let schema = generator.into_root_schema_for::<T>().to_value();
    let variants = schema.get("oneOf").and_then(Value::as_array).cloned().unwrap_or_default();
    let word = |variant: &Value| variant.get("const").and_then(Value::as_str).map(str::to_owned);
    variants.iter().filter_map(word).collect()
}

/// The text of the schema file `manifests/project.schema.json`.
pub fn project_file() -> String {
    format!("{:#}\n", project_schema())
}

/// The text of the schema file `manifests/agentdeployment.schema.json`.
pub fn file() -> String {
    format!("{:#}\n", json_schema())
}
