//! What do the passages say about one task, in a model's words, and on which sentences does each of them rest?

use serde::Deserialize;
use serde_json::{Value, json};

use super::documents::shown;
use super::json::object;
use super::{Unfit, data};
use crate::chat::{ChatRequest, ReplyForm, Turn};
use crate::research::{Claim, Findings, Retrieved, Task};
use crate::text::normalise;

/// A task has at most this many findings.
const MAX_FINDINGS: usize = 6;
/// Each rests on at most this many sentences.
const MAX_SENTENCES: usize = 4;
/// A statement is at most this long, in bytes; a longer one is replaced by its quote.
pub(super) const MAX_STATEMENT: usize = 600;

const RESEARCHER: &str = include_str!("prompts/researcher.md");

#[derive(Deserialize)]
struct Reply {
    findings: Vec<Finding>,
}

#[derive(Deserialize)]
struct Finding {
    statement: String,
    sentences: Vec<usize>,
}

/// "What do these passages say?" with less of them in each step, from 0; `None` after the last.
pub(crate) fn request(
    task: &Task,
    whole: &str,
    retrieved: &Retrieved,
    step: usize,
    output_tokens: u32,
) -> Option<ChatRequest> {
    let passages = shown(retrieved, step)?.text;
    let part_of = if whole == task.question { String::new() } else { format!("It is a part of: {}\n", data(whole)) };
    let text = format!("Question: {}\n{part_of}\nPassages:\n{passages}", data(&task.question));
    let turns = vec![Turn::system(RESEARCHER), Turn::user(text)];
    let form = ReplyForm::Json { name: "findings".to_owned(), schema: schema().into() };
    Some(ChatRequest { form, ..ChatRequest::new(turns, output_tokens) })
}

/// The findings in a reply to the request of this step. An empty list is an answer: no evidence.
pub(crate) fn read(task: &Task, retrieved: &Retrieved, step: usize, reply: &str) -> Result<Findings, Unfit> {
    let Reply { findings } = object(reply)?;
    let Some(shown) = shown(retrieved, step) else { return Err(Unfit("nothing was shown".to_owned())) };
    let mut claims = Vec::new();
    for (rank, finding) in findings.into_iter().take(MAX_FINDINGS).enumerate() {
        if finding.sentences.is_empty() {
            return Err(Unfit(format!("finding {} names no sentence", rank + 1)));
        }
        if let Some(unknown) = finding.sentences.iter().find(|number| !(1..=shown.len()).contains(*number)) {
            let known = shown.len();
            return Err(Unfit(format!("there is no sentence {unknown}; the passages have the sentences 1 to {known}")));
        }
        let numbers = &finding.sentences[..finding.sentences.len().min(MAX_SENTENCES)];
        let evidence = shown.evidence(numbers);
        let said = normalise(&finding.statement);
        let text = match said.is_empty() || said.len() > MAX_STATEMENT {
            true => evidence.first().map(|first| first.quote.clone()).unwrap_or_default(),
            false => said,
        };
        claims.push(Claim { text, evidence, wider: Vec::new(), score: 1.0 / (1.0 + rank as f32) });
    }
    let coverage = if claims.is_empty() { 0.0 } else { 1.0 };
    Ok(Findings { task: task.id, claims, passages_read: retrieved.passages.len(), coverage })
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": { "findings": { "type": "array", "maxItems": MAX_FINDINGS, "items": {
            "type": "object",
            "properties": {
                "statement": { "type": "string" },
                "sentences": { "type": "array", "items": { "type": "integer", "minimum": 1 }, "minItems": 1, "maxItems": MAX_SENTENCES },
            },
            "required": ["statement", "sentences"],
            "additionalProperties": false,
        } } },
        "required": ["findings"],
        "additionalProperties": false,
    })
}

#[cfg(test)]
mod tests {
    use super::super::documents::tests::{passage, retrieved};
    use super::*;
    use crate::research::TaskId;

    fn task() -> Task {
        Task { id: TaskId(2), question: "Where does it listen?".to_owned() }
    }

    fn found() -> Retrieved {
        retrieved(vec![passage("a.md", "The server listens on port 1. It stops at night.")])
    }

    #[test]
    fn a_finding_rests_on_sentences_that_were_shown() {
        let read = |reply: &str| read(&task(), &found(), 0, reply);
        let findings =
            read(r#"{"findings":[{"statement":"Port 1.","sentences":[1]},{"statement":" ","sentences":[2,1]}]}"#)
                .unwrap();
        let said: Vec<_> =
            findings.claims.iter().map(|claim| (claim.text.as_str(), claim.evidence[0].quote.as_str())).collect();
        let both = "The server listens on port 1. It stops at night.";
        assert_eq!(said, [("Port 1.", "The server listens on port 1."), (both, both)]);
        assert_eq!(findings.task, TaskId(2));
        assert!(read(r#"{"findings":[]}"#).unwrap().claims.is_empty());
        for (reply, why) in [
            (
                r#"{"findings":[{"statement":"x","sentences":[3]}]}"#,
                "no sentence 3; the passages have the sentences 1 to 2",
            ),
            (r#"{"findings":[{"statement":"x","sentences":[0]}]}"#, "no sentence 0"),
            (r#"{"findings":[{"statement":"x","sentences":[]}]}"#, "finding 1 names no sentence"),
            (r#"{"findings":[{"statement":"x","sentences":[-1]}]}"#, "cannot be read"),
        ] {
            let unfit = read(reply).unwrap_err();
            assert!(unfit.0.contains(why), "{reply}: {}", unfit.0);
        }
    }

    #[test]
    fn documents_are_in_the_user_role_alone_and_the_whole_question_is_said_once() {
        let request = |whole: &str| request(&task(), whole, &found(), 0, 100).unwrap();
        let alone = request("Where does it listen?");
        assert_eq!(alone.turns[0].text, RESEARCHER);
        assert!(!alone.turns[1].text.contains("It is a part of"));
        assert!(request("Where and when?").turns[1].text.contains("It is a part of: Where and when?\n"));
        assert!(super::request(&task(), "", &found(), 6, 100).is_none());
    }
}
