//! What do the tests of all providers share? Which providers there are, a real gateway in front of a real socket, and what came of a
//! call.

#![allow(dead_code, unused_imports, reason = "each test program uses what it needs")]

mod anthropic;
mod chat;
mod responses;
mod said;
mod server;

use std::sync::Arc;
use std::time::Duration;

use callboard::ModelChoice;
use callboard::actors::chat::{ChatChunk, ChatRequest, Turn};
use callboard::actors::error::ModelError;
use callboard::actors::gateway::{Completed, Gateway, GatewayLimits, RetryPolicy, ServedModel, Timeouts};
use callboard::actors::ports::ChatModel;
use callboard::prelude::*;
use callboard::providers::anthropic::Anthropic;
use callboard::providers::gemini::gemini;
use callboard::providers::ollama::ollama;
use callboard::providers::openai::{OpenAi, OpenAiResponses};
use callboard::testkit::only_loopback;

pub(crate) use said::{Call, End, Format, Refusal, Said};
pub(crate) use server::{Request, Sent, Server};

pub(crate) const KEY: &str = "sk-canary-77c1-0d55";
pub(crate) const LONG: Duration = Duration::from_secs(20);
pub(crate) const SHORT: Duration = Duration::from_millis(300);

/// A provider: whose models, and which format they are called by.
pub(crate) struct Provider {
    pub(crate) name: &'static str,
    pub(crate) format: &'static dyn Format,
    /// The variable of the key.
    pub(crate) key: &'static str,
    /// The model at an address, with a key.
    model: fn(&str, &str) -> Arc<dyn ChatModel>,
}

/// Every provider. One that is added here has to pass all of it.
pub(crate) static PROVIDERS: [Provider; 6] = [
    Provider {
        name: "openai",
        format: &chat::ChatCompletions,
        key: "OPENAI_API_KEY",
        model: |base, key| Arc::new(OpenAi::new("m", Some(key.into()), Some(base)).unwrap()),
    },
    Provider {
        name: "openai by Responses",
        format: &responses::Responses,
        key: "OPENAI_API_KEY",
        model: |base, key| Arc::new(OpenAiResponses::new("m", Some(key.into()), Some(base)).unwrap()),
    },
    Provider {
        name: "anthropic",
        format: &anthropic::Messages { keeps_to_schemas: false },
        key: "ANTHROPIC_API_KEY",
        model: |base, key| Arc::new(Anthropic::new("m", Some(key.into()), Some(base)).unwrap()),
    },
    Provider {
        name: "anthropic by its own schemas",
        format: &anthropic::Messages { keeps_to_schemas: true },
        key: "ANTHROPIC_API_KEY",
        model: |base, key| Arc::new(Anthropic::new("claude-sonnet-4-5", Some(key.into()), Some(base)).unwrap()),
    },
    Provider {
        name: "gemini",
        format: &chat::ChatCompletions,
        key: "GEMINI_API_KEY",
        model: |base, key| Arc::new(gemini("m", Some(key.into()), Some(base)).unwrap()),
    },
    Provider {
        name: "ollama",
        format: &chat::ChatCompletions,
        key: "OLLAMA_API_KEY",
        model: |base, key| Arc::new(ollama("m", Some(key.into()), Some(base)).unwrap()),
    },
];

/// The provider with this name.
pub(crate) fn provider(name: &str) -> &'static Provider {
    PROVIDERS.iter().find(|provider| provider.name == name).unwrap_or_else(|| panic!("there is no {name}"))
}

impl Provider {
    /// A text, as this provider sends it.
    pub(crate) fn answer(&self, said: &Said, is_streamed: bool) -> Sent {
        match is_streamed {
            true => Sent::stream(self.format.events(said).concat()),
            false => Sent::json(200, self.format.whole(said).to_string()),
        }
    }

    /// A status other than success.
    pub(crate) fn refusal(&self, status: u16, refusal: Refusal, message: &str) -> Sent {
        Sent::json(status, self.format.error(refusal, message).to_string())
    }

    pub(crate) fn served(&self, base: &str) -> ServedModel {
        self.served_with(base, KEY)
    }

    fn served_with(&self, base: &str, key: &str) -> ServedModel {
        only_loopback();
        ServedModel::new("m", (self.model)(base, key))
    }

    /// Agents whose model it is.
    pub(crate) fn runtime(&self, server: &Server) -> Runtime {
        let choice = ModelChoice::new(self.served(&server.base_url));
        Runtime::with(ModelChoice { gateway: limits(3, timeouts()), ..choice }).unwrap()
    }
}

pub(crate) fn timeouts() -> Timeouts {
    Timeouts { connect: LONG, first_token: LONG, between_tokens: LONG, total: LONG }
}

fn limits(attempts: u32, timeouts: Timeouts) -> GatewayLimits {
    let retry = RetryPolicy { attempts, first: Duration::from_millis(1), ..RetryPolicy::default() };
    GatewayLimits { deadline: LONG, timeouts, retry, ..GatewayLimits::default() }
}

/// What came of a call.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) answer: Result<Completed, ModelError>,
    /// What was seen while it came.
    pub(crate) pieces: Vec<ChatChunk>,
    /// What the server got.
    pub(crate) requests: Vec<Request>,
}

impl Seen {
    pub(crate) fn error(&self) -> &ModelError {
        self.answer.as_ref().expect_err("an error")
    }
}

/// How a call is made.
#[derive(Clone, Copy)]
pub(crate) struct How {
    pub(crate) is_streamed: bool,
    pub(crate) attempts: u32,
    pub(crate) timeouts: Timeouts,
    /// For everything.
    pub(crate) within: Duration,
    pub(crate) key: &'static str,
}

impl How {
    pub(crate) fn once(is_streamed: bool) -> Self {
        Self { is_streamed, attempts: 1, timeouts: timeouts(), within: LONG, key: KEY }
    }
}

/// A gateway in front of a server, on a runtime of its own.
pub(crate) fn gateway(
    provider: &Provider,
    server: &Server,
    how: How,
) -> (callboard::actors::runtime::Runtime, Gateway) {
    let runtime = callboard::actors::runtime::Runtime::start(RuntimeConfig { shards: 1, ..RuntimeConfig::default() });
    let runtime = runtime.unwrap();
    let models = vec![provider.served_with(&server.base_url, how.key)];
    let gateway = Gateway::start(&runtime, models, limits(how.attempts, how.timeouts)).unwrap();
    (runtime, gateway)
}

/// What is asked.
pub(crate) fn question() -> ChatRequest {
    ChatRequest::new(vec![Turn::user("Say something.")], 200)
}

/// A call to a server that answers so, through a gateway of its own of which nothing is left.
pub(crate) async fn call(provider: &Provider, answers: Vec<Sent>, how: How) -> Seen {
    let mut server = Server::start(answers).await;
    let (runtime, gateway) = gateway(provider, &server, how);
    let call = gateway.call("m", question()).within(how.within);
    let mut pieces = Vec::new();
    let answer = if how.is_streamed {
        let (call, mut chunks) = call.streamed();
        let read = async {
            while let Some(chunk) = chunks.next().await {
                pieces.push(chunk);
            }
        };
        tokio::join!(call.send(), read).0
    } else {
        call.send().await
    };
    assert!(runtime.stop(LONG).await.is_clean(), "{}", provider.name);
    Seen { answer, pieces, requests: server.requests() }
}
