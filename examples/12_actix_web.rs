//! Agents in the handlers of actix-web, whose server has threads of its own.
//!
//!     cargo run --example 12_actix_web
//!
//! It asks itself and ends. `-- 127.0.0.1:8080` serves there until Ctrl-C: `curl -d "What is an actor?" 127.0.0.1:8080/ask`.
//! Its model is a function, so that it needs no key: `Runtime::from_env()` in its place asks a real one.

use std::net::SocketAddr;
use std::time::Duration;

use actix_web::error::{Error, ErrorServiceUnavailable};
use actix_web::web::{Data, post};
use actix_web::{App, HttpServer, rt};
use callboard::actors::chat::ChatReply;
use callboard::actors::chat_agent::ChatAgentSpec;
use callboard::prelude::*;
use callboard::testkit::FunctionModel;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Each request has an agent of its own, which costs next to nothing: they do not wait for each other.
async fn ask(assistant: Data<ChatAgentSpec>, question: String) -> Result<String, Error> {
    let agent = assistant.get_ref().clone().start().map_err(ErrorServiceUnavailable)?;
    let asking = agent.ask(Question::new(question).within(Duration::from_secs(30)));
    Ok(asking.await.map_err(ErrorServiceUnavailable)?.text)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = FunctionModel::new(|request| Ok(ChatReply::text(format!("{} turns were shown", request.turns.len()))));
    let runtime = Runtime::with_model("function/model", model)?;
    let assistant = runtime.agent("assistant").instructions("Answer in one sentence.");
    let paths = move || App::new().app_data(Data::new(assistant.clone())).route("/ask", post().to(ask));

    let address = std::env::args().nth(1);
    // With the setting a client that leaves ends its ask; without it a handler runs to its end.
    let server = HttpServer::new(paths).workers(2).h1_allow_half_closed(false);
    let server = server.bind(address.as_deref().unwrap_or("127.0.0.1:0"))?;
    let here = server.addrs()[0];
    rt::System::new().block_on(async move {
        let server = server.run();
        if address.is_none() {
            let handle = server.handle();
            rt::spawn(async move {
                println!("{}", ask_it(here).await.unwrap_or_else(|error| error.to_string()));
                handle.stop(true).await;
            });
        }
        server.await
    })?;
    // After the server: nobody asks any more.
    runtime.stop_blocking(Duration::from_secs(5));
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
