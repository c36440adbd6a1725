//! A model for tests of the gateway's insides: it answers after a second.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::chat::ChatReply;
use crate::error::ModelError;
use crate::ports::{ChatModel, ModelCall};

pub(super) struct Slow;

impl ChatModel for Slow {
    fn complete(&self, _call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        Box::pin(async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(ChatReply::text("so"))
        })
    }
}
