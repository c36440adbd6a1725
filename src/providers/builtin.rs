//! What answers when there is no language model? Nothing pretends to be one: it quotes what it was given, and says so.

use callboard_actors::chat::{ChatReply, ChatRequest, ReplyForm, Role, TokenUsage};
use callboard_actors::error::ModelError;
use callboard_actors::ports::{ChatModel, ModelCall};
use futures_util::future::{BoxFuture, ready};

/// Its name, as reports and metrics show it.
pub const NAME: &str = "builtin/extractive";

/// What every one of its answers begins with.
pub const LABEL: &str = "[builtin/extractive: no language model is chosen, so this only quotes]";

/// What it says when an answer has to be a value.
const NO_VALUES: &str = "an answer that is a value needs a language model, and none is chosen: name one in CALLBOARD_MODEL_NAME as \
    PROVIDER/NAME or in model.name of a configuration file and use Runtime::from_env, or give Runtime::with a ModelChoice";

/// No language model: it quotes the question, and what tools said. It calls no tool, makes no value of a type, and uses no tokens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extractive;

impl ChatModel for Extractive {
    fn complete(&self, call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        if call.request.form != ReplyForm::Text {
            return Box::pin(ready(Err(ModelError::NoLanguageModel(NO_VALUES.to_owned()))));
        }
        let reply = ChatReply { usage: Some(TokenUsage::default()), ..ChatReply::text(quoted(&call.request)) };
        Box::pin(async move {
            if let Some(chunks) = &call.chunks {
                for piece in reply.chunks() {
                    chunks.send(piece).await;
                }
            }
            Ok(reply)
        })
    }
}

fn quoted(request: &ChatRequest) -> String {
    let mut said: Vec<_> = request.turns.iter().filter(|turn| turn.role == Role::Tool).collect();
    if said.is_empty() {
        said.extend(request.turns.iter().rfind(|turn| turn.role == Role::User));
    }
    let lines = said.iter().flat_map(|turn| turn.text.lines()).map(|line| format!("\n> {line}"));
    std::iter::once(LABEL.to_owned()).chain(lines).collect()
}

#[cfg(test)]
mod tests {
    use callboard_actors::chat::Turn;

    use super::*;

    #[test]
    fn it_says_what_it_is_and_quotes() {
        let mut turns = vec![Turn::system("Be brief."), Turn::user("How\nwarm?")];
        assert_eq!(quoted(&ChatRequest::new(turns.clone(), 9)), format!("{LABEL}\n> How\n> warm?"));
        turns.extend([Turn::assistant(""), Turn::tool("1", "21 degrees")]);
        assert_eq!(quoted(&ChatRequest::new(turns, 9)), format!("{LABEL}\n> 21 degrees"));
    }
}
