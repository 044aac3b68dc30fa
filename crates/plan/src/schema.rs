//! The JSON Schema of the plan file, for editors and other tools.

use backout_core::plan::Plan;

/// The JSON Schema (draft 2020-12) of the plan file.
#[must_use]
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Plan).to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("$id".to_owned(), "https://backout.invalid/plan/v1.json".into());
    }
    schema
}
