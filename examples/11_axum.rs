//! Agents in the handlers of axum. When a client leaves, axum drops the handler, and with it the ask: its model call ends, too.
//!
//!     cargo run --example 11_axum
//!
//! It asks itself and ends. `-- 127.0.0.1:8080` serves there until Ctrl-C: `curl -d "What is an actor?" 127.0.0.1:8080/ask`.
//! Its model is a function, so that it needs no key: `Runtime::from_env()` in its place asks a real one.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use callboard::actors::chat::ChatReply;
use callboard::actors::chat_agent::ChatAgentSpec;
use callboard::prelude::*;
use callboard::testkit::FunctionModel;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Each request has an agent of its own, which costs next to nothing: they do not wait for each other.
async fn ask(State(assistant): State<ChatAgentSpec>, question: String) -> Result<String, (StatusCode, String)> {
    let agent = assistant.start().map_err(unavailable)?;
    let answer = agent.ask(Question::new(question).within(Duration::from_secs(30))).await.map_err(unavailable)?;
    Ok(answer.text)
}

fn unavailable(error: impl Display) -> (StatusCode, String) {
    (StatusCode::SERVICE_UNAVAILABLE, error.to_string())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = FunctionModel::new(|request| Ok(ChatReply::text(format!("{} turns were shown", request.turns.len()))));
    let runtime = Runtime::with_model("function/model", model)?;
    let assistant = runtime.agent("assistant").instructions("Answer in one sentence.");
    let paths = axum::Router::new().route("/ask", post(ask)).with_state(assistant);

    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:0")).await?;
    let here = listener.local_addr()?;
    let until = async move {
        match address {
            Some(_) => drop(tokio::signal::ctrl_c().await),
            None => println!("{}", ask_it(here).await.unwrap_or_else(|error| error.to_string())),
        }
    };
    axum::serve(listener, paths).with_graceful_shutdown(until).await?;
    // After the server: nobody asks any more.
    runtime.stop(Duration::from_secs(5)).await;
    Ok(())
}

/// A client by hand: the whole answer, its head included.
async fn ask_it(server: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(server).await?;
    let head = "POST /ask HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 17\r\n\r\n";
    stream.write_all(format!("{head}What is an actor?").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
