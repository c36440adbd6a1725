//! Which models are there? The list, and one of it.

use serde_json::{Value, json};

use super::error::ApiError;

/// The body of `/v1/models`.
pub(crate) fn list(names: &[String]) -> Vec<u8> {
    let all: Vec<_> = names.iter().map(|name| entry(name)).collect();
    json!({"object": "list", "data": all}).to_string().into_bytes()
}

/// The body of `/v1/models/{name}`. Any name is known unless `strict`.
pub(crate) fn one(names: &[String], name: &str, strict: bool) -> Result<Vec<u8>, ApiError> {
    known(names, name, strict).map(|()| entry(name).to_string().into_bytes())
}

/// Whether calls to a model are answered.
pub(crate) fn known(names: &[String], name: &str, strict: bool) -> Result<(), ApiError> {
    if !strict || names.iter().any(|known| known == name) {
        return Ok(());
    }
    let name: String = name.chars().take(200).collect();
    let message = format!("The model '{name}' does not exist; /v1/models lists those that do.");
    Err(ApiError { param: Some("model".into()), ..ApiError::invalid(404, message).coded("model_not_found") })
}

fn entry(name: &str) -> Value {
    json!({"id": name, "object": "model", "created": 1_767_225_600, "owned_by": "callboard-mock"})
}
