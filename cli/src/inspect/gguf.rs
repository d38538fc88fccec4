//! What a GGUF file says of its model.

use std::collections::HashMap;

use candle_core::quantized::gguf_file::Value;
use serde_json::{Value as Json, json};

/// How much of an array is shown. Vocabularies have a hundred thousand entries.
const FIRST: usize = 8;

/// In the order of the keys.
pub(super) fn metadata(all: &HashMap<String, Value>) -> Vec<(String, Json)> {
    let mut all: Vec<_> = all.iter().map(|(key, value)| (key.clone(), json(value))).collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    all
}

/// A long array is its length and its first elements.
fn json(value: &Value) -> Json {
    match value {
        Value::U8(value) => json!(value),
        Value::I8(value) => json!(value),
        Value::U16(value) => json!(value),
        Value::I16(value) => json!(value),
        Value::U32(value) => json!(value),
        Value::I32(value) => json!(value),
        Value::U64(value) => json!(value),
        Value::I64(value) => json!(value),
        // With the digits that tell it from other numbers of its width.
        Value::F32(value) => value.to_string().parse::<f64>().map_or(Json::Null, |value| json!(value)),
        Value::F64(value) => json!(value),
        Value::Bool(value) => json!(value),
        Value::String(value) => json!(value),
        Value::Array(values) => {
            let first: Vec<_> = values.iter().take(FIRST).map(json).collect();
            if values.len() > FIRST { json!({ "length": values.len(), "first": first }) } else { json!(first) }
        }
    }
}
