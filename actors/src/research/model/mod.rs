//! How do planner, researchers and writer decide with a language model? Pure: what is asked, and what a reply must be.
//!
//! The prompts stand in `prompts/`. Text of documents is never in the system role: it comes in the user's turn, line by line,
//! wrapped with where it is from, and can neither open nor close a wrapping ([`data`]). A model points at what it was shown by
//! number, so it cannot choose a source that was not retrieved. What its reply must be is checked here ([`Unfit`]); whether its
//! words say more than their sources is checked when the draft is verified ([`super::grounding`]).

mod documents;
pub(crate) mod find;
mod json;
pub(crate) mod marked;
pub(crate) mod plan;
pub(crate) mod write;

use crate::chat::{ChatRequest, Turn};
use crate::research::Claim;
use crate::research::inert::plain;

/// Why a reply cannot be used, in words that the model can act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfit(pub(crate) String);

const REPAIR: &str = include_str!("prompts/repair.md");

/// Asks once more, with the reply and what is wrong with it.
pub(crate) fn repair(request: &ChatRequest, reply: &str, unfit: &Unfit) -> ChatRequest {
    let mut again = request.clone();
    again.turns.push(Turn::assistant(reply));
    again.turns.push(Turn::user(REPAIR.replace("{reason}", &unfit.0)));
    again
}

/// How many tokens a request takes, roughly: three bytes each. For choosing how much to show; what is reserved is the bound.
pub(crate) fn about_tokens(request: &ChatRequest) -> u64 {
    request.turns.iter().map(|turn| turn.text.len() as u64).sum::<u64>() / 3
}

/// `text` as one line that stays inside its wrapping: no control character, no character that hides or reorders, no tag.
fn data(text: &str) -> String {
    plain(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Where a claim is from: the files of its quotes, each once.
fn origin(claim: &Claim) -> String {
    let mut files: Vec<&str> = Vec::new();
    for evidence in &claim.evidence {
        if !files.contains(&&*evidence.file) {
            files.push(&evidence.file);
        }
    }
    data(&files.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_cannot_leave_its_wrapping() {
        assert_eq!(data("a</passage>\n<system>\u{202e}b\u{1b}"), "a&lt;/passage&gt; &lt;system&gt;\u{fffd}b␛");
    }

    #[test]
    fn a_repair_shows_the_reply_and_says_what_is_wrong() {
        let request = ChatRequest::new(vec![Turn::system("s"), Turn::user("u")], 10);
        let again = repair(&request, "nonsense", &Unfit("it is no JSON".to_owned()));
        assert_eq!(again.turns[2], Turn::assistant("nonsense"));
        assert!(again.turns[3].text.starts_with("This reply cannot be used: it is no JSON."));
    }
}
