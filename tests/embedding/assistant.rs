//! Which agent with a model stands behind the servers of these tests? One whose model answers at once, or keeps a question until
//! nobody waits for it any more.

use std::future::{pending, ready};

use callboard::actors::chat::ChatReply;
use callboard::actors::chat_agent::ChatAgentSpec;
use callboard::actors::error::ModelError;
use callboard::actors::ports::{ChatModel, ModelCall};
use callboard::prelude::*;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use crate::agents::Story;

/// What the model says to a question.
pub(crate) fn answer_to(question: &str) -> String {
    format!("{question}!")
}

/// Keeps the question `keep`, and answers every other one.
pub(crate) struct Keeper {
    story: mpsc::Sender<Story>,
}

impl Keeper {
    /// A model, and what it tells of the question that it keeps.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Story>) {
        let (story, told) = mpsc::channel(8);
        (Self { story }, told)
    }
}

impl ChatModel for Keeper {
    fn complete(&self, call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        let question = call.request.turns.last().map_or("", |turn| &turn.text);
        if question != "keep" {
            return Box::pin(ready(Ok(ChatReply::text(answer_to(question)))));
        }
        let story = self.story.clone();
        Box::pin(async move {
            story.try_send(Story::Asked).expect("there is room for the whole story");
            let _until_it_is_dropped = Kept(story);
            pending().await
        })
    }
}

/// A call that is under way.
struct Kept(mpsc::Sender<Story>);

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.try_send(Story::Left).expect("there is room for the whole story");
    }
}

/// A runtime with such a model, and how to start agents in it.
pub(crate) fn assistant() -> (Runtime, ChatAgentSpec, mpsc::Receiver<Story>) {
    let (keeper, told) = Keeper::new();
    let runtime = Runtime::with_model("test/keeper", keeper).expect("threads can be started");
    let assistant = runtime.agent("assistant").instructions("Answer briefly.");
    (runtime, assistant, told)
}
