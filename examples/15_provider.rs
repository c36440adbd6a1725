//! A provider of your own: whatever answers is a `ChatModel`, and has the gateway's limits, retries and budgets like any other.
//!
//!     cargo run --example 15_provider
//!
//! This one asks nobody: it is a doctor of the year 1966, who is busy at first.

use std::sync::atomic::{AtomicBool, Ordering};

use callboard::actors::chat::{ChatChunk, ChatReply, TokenUsage};
use callboard::actors::error::ModelError;
use callboard::actors::ports::{ChatModel, ModelCall};
use callboard::prelude::*;
use futures_util::future::BoxFuture;

#[derive(Default)]
struct Doctor {
    was_called: AtomicBool,
}

impl ChatModel for Doctor {
    /// One attempt. The future is dropped when nobody wants the reply any more.
    fn complete(&self, call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        let is_busy = !self.was_called.swap(true, Ordering::Relaxed);
        Box::pin(async move {
            if is_busy {
                // What the error is decides what the gateway does: after this one it tries again.
                let message = "the doctor is with a patient".to_owned();
                return Err(ModelError::Unavailable { status: 503, retry_after: None, message });
            }
            let said = call.request.turns.last().map_or("", |turn| &turn.text);
            let words = ["Why", "do", "you", "say", &format!("\"{said}\"?")].join(" ");
            // Somebody reads while it is written. It waits here for a reader who is slow.
            if let Some(chunks) = &call.chunks {
                for word in words.split_inclusive(' ') {
                    chunks.send(ChatChunk::Text(word.to_owned())).await;
                }
            }
            // What a budget is charged.
            let usage = TokenUsage { input: said.len() as u64 / 4, output: words.len() as u64 / 4 };
            Ok(ChatReply { usage: Some(usage), ..ChatReply::text(words) })
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = Runtime::with_model("my/doctor", Doctor::default())?;
    let patient = runtime.agent("doctor").start()?;
    let mut stream = patient.ask_stream("I dream of actors.");
    while let Some(event) = stream.next().await {
        if let AskEvent::Text(text) = event {
            print!("{text}");
        }
    }
    let metrics = stream.answer().await?.metrics;
    println!("\n{} attempts, {} tokens", metrics.attempts, metrics.output_tokens);
    Ok(())
}
