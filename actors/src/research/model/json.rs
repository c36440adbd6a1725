//! Which JSON is in a model's reply? Tolerant of what stands around it, strict in what it says.

use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::Unfit;

/// The object in `reply`, which may stand in a code block or behind a sentence.
pub(super) fn object<T: DeserializeOwned>(reply: &str) -> Result<T, Unfit> {
    let inside = match (reply.find('{'), reply.rfind('}')) {
        (Some(first), Some(last)) if first < last => &reply[first..=last],
        _ => return Err(Unfit("there is no JSON object in it".to_owned())),
    };
    serde_json::from_str(inside).map_err(|error| unreadable(&error))
}

/// What is wrong and where, without a word of the reply: the reason is shown to people, and a reply may say anything.
fn unreadable(error: &serde_json::Error) -> Unfit {
    let what = match error.classify() {
        Category::Data => "a field is missing or has another type than was asked for",
        Category::Eof => "it ends before its end",
        Category::Syntax | Category::Io => "it is no valid JSON",
    };
    Unfit(format!("its JSON cannot be read: {what}, at line {} and column {}", error.line(), error.column()))
}

/// A list of texts, as a schema.
pub(super) fn texts(name: &str, most: usize) -> serde_json::Value {
    serde_json::json!({
        "type": "object",
        "properties": { name: { "type": "array", "items": { "type": "string" }, "maxItems": most } },
        "required": [name],
        "additionalProperties": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Tasks {
        tasks: Vec<String>,
    }

    #[test]
    fn what_stands_around_an_object_does_not_matter() {
        let tasks = |texts: &[&str]| Ok(Tasks { tasks: texts.iter().map(ToString::to_string).collect() });
        for (reply, read) in [
            (r#"{"tasks": ["a"]}"#, tasks(&["a"])),
            ("```json\n{\"tasks\": [\"a\", \"b\"], \"more\": 1}\n```", tasks(&["a", "b"])),
            ("Here you are: {\"tasks\": []} I hope it helps", tasks(&[])),
        ] {
            assert_eq!(object(reply), read, "{reply}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (reply, why) in [
            ("", "there is no JSON object in it"),
            ("}{", "there is no JSON object in it"),
            (r#"{"tasks": [1]}"#, "its JSON cannot be read"),
            (r#"{"task": []}"#, "a field is missing"),
            (r#"{"tasks": "see http://evil.example"}"#, "another type than was asked for, at line 1 and column"),
            (r#"{"tasks": ["a"}"#, "its JSON cannot be read"),
        ] {
            let unfit = object::<Tasks>(reply).unwrap_err();
            assert!(unfit.0.contains(why) && !unfit.0.contains("evil"), "{reply}: {}", unfit.0);
        }
        let deep = format!("{{\"tasks\":{}", "[".repeat(100_000)) + "}";
        assert!(object::<Tasks>(&deep).is_err());
    }
}
