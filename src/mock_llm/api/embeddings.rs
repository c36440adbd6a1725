//! Which vector does a text have? Its words hashed into places, so that texts with the same words are near each other.

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ApiError;
use super::fields::{Raw, Text, object, optional, required};
use crate::mock_llm::random::hash;
use crate::mock_llm::replies::tokens_of;

/// The length of a vector unless the request says another.
const DIMENSIONS: u64 = 256;

/// The longest vector.
const MOST_DIMENSIONS: u64 = 4096;

/// The most texts of one request, as with OpenAI.
const MOST_INPUTS: usize = 2048;

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    model: Raw<'a>,
    #[serde(borrow)]
    input: Raw<'a>,
    #[serde(borrow)]
    dimensions: Raw<'a>,
    #[serde(borrow)]
    encoding_format: Raw<'a>,
}

/// A request for vectors.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) model: String,
    /// Each text as bytes; a list of token numbers is its JSON.
    inputs: Vec<String>,
    pub(crate) tokens: u64,
    dimensions: usize,
    is_base64: bool,
}

/// Reads the body of a request.
pub(crate) fn decode(body: &[u8]) -> Result<Request, ApiError> {
    let fields: Fields<'_> = object(body)?;
    let model: Text<'_> = required("model", fields.model, "a string")?;
    let wrong = || ApiError::field("input", "expected a string, a list of strings, or lists of token numbers");
    let (mut inputs, mut tokens) = (Vec::new(), 0);
    let mut add = |value: Value| match value {
        Value::String(text) if text.is_empty() => Err(ApiError::field("input", "expected text that is not empty")),
        Value::String(text) => {
            tokens += tokens_of(text.len());
            inputs.push(text);
            Ok(())
        }
        Value::Array(numbers) if !numbers.is_empty() && numbers.iter().all(Value::is_u64) => {
            tokens += numbers.len() as u64;
            inputs.push(Value::Array(numbers).to_string());
            Ok(())
        }
        _ => Err(wrong()),
    };
    match required("input", fields.input, "a string or a list")? {
        Value::Array(many) if many.first().is_some_and(|first| !first.is_u64()) => {
            if many.len() > MOST_INPUTS {
                return Err(ApiError::field("input", "expected at most 2048 texts"));
            }
            many.into_iter().try_for_each(&mut add)?;
        }
        one => add(one)?,
    }
    let dimensions = optional("dimensions", fields.dimensions, "a whole number")?.unwrap_or(DIMENSIONS);
    if !(1..=MOST_DIMENSIONS).contains(&dimensions) {
        return Err(ApiError::field("dimensions", "expected a number from 1 to 4096"));
    }
    let format: Option<Text<'_>> = optional("encoding_format", fields.encoding_format, "float or base64")?;
    let is_base64 = match format.as_ref().map_or("float", |format| &*format.0) {
        "float" => false,
        "base64" => true,
        _ => return Err(ApiError::field("encoding_format", "expected float or base64")),
    };
    Ok(Request { model: model.0.into_owned(), inputs, tokens, dimensions: dimensions as usize, is_base64 })
}

/// The body of the reply. Without `usage` nothing is said about it.
pub(crate) fn body(request: &Request, usage: bool) -> Vec<u8> {
    let entry = |(index, text): (usize, &String)| {
        let vector = vector(text, request.dimensions);
        let embedding = match request.is_base64 {
            true => Value::from(base64(&vector.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>())),
            false => Value::from(vector),
        };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    };
    let data: Vec<_> = request.inputs.iter().enumerate().map(entry).collect();
    let mut reply = json!({"object": "list", "data": data, "model": request.model});
    if usage {
        reply["usage"] = json!({"prompt_tokens": request.tokens, "total_tokens": request.tokens});
    }
    reply.to_string().into_bytes()
}

/// A vector of length 1.
fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = vec![0f32; dimensions];
    for word in text.split_whitespace() {
        let hash = hash(word.to_lowercase().as_bytes());
        vector[(hash >> 1) as usize % dimensions] += if hash & 1 == 0 { 1.0 } else { -1.0 };
    }
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    match length > 0.0 {
        true => vector.iter_mut().for_each(|number| *number /= length),
        // No words, or words that cancel each other out.
        false => vector[0] = 1.0,
    }
    vector
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().enumerate().fold(0, |bits, (at, byte)| bits | u32::from(*byte) << (16 - 8 * at));
        for at in 0..4 {
            match at <= group.len() {
                true => text.push(LETTERS[(bits >> (18 - 6 * at)) as usize & 63].into()),
                false => text.push('='),
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_as_in_the_standard() {
        for (plain, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn texts_with_common_words_are_nearer() {
        let near = |a: &str, b: &str| -> f32 { vector(a, 256).iter().zip(vector(b, 256)).map(|(a, b)| a * b).sum() };
        assert!((near("a dead letter", "a dead letter") - 1.0).abs() < 1e-5);
        assert!(near("what is a dead letter", "a dead letter is counted") > near("what is a dead letter", "blue sky"));
        assert!((near("", "") - 1.0).abs() < 1e-5);
    }

    #[test]
    fn inputs_have_four_forms() {
        for (input, count, tokens) in [
            (json!("abcde"), 1, 2),
            (json!(["abcd", "e"]), 2, 2),
            (json!([1, 2, 3]), 1, 3),
            (json!([[1, 2], [3]]), 2, 3),
        ] {
            let request = decode(json!({"model": "m", "input": input}).to_string().as_bytes()).unwrap();
            assert_eq!((request.inputs.len(), request.tokens), (count, tokens), "{input}");
        }
        for input in [json!(""), json!([]), json!([""]), json!(7), json!([1, "x"]), json!({"a": 1}), json!([[]])] {
            let error = decode(json!({"model": "m", "input": input}).to_string().as_bytes()).unwrap_err();
            assert_eq!(error.param.as_deref(), Some("input"), "{input}");
        }
    }
}
