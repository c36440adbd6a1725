//! What does a server look like whose handlers ask agents, one without a model and one with? One in axum, one in actix-web, with the same paths.

use std::net::SocketAddr;
use std::thread::JoinHandle;

use callboard::actors::chat_agent::ChatAgentSpec;
use callboard::prelude::*;
use tokio::sync::oneshot;

use crate::agents::{LONG, Question};

type Desk = AgentRef<Question>;

/// Serves on the tokio runtime that it is called in, until the sender is dropped.
pub(crate) async fn axum(
    desk: Desk,
    assistant: ChatAgentSpec,
) -> (SocketAddr, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    use axum::extract::{Path, State};
    use axum::http::StatusCode;
    use axum::routing::get;

    async fn double(State(desk): State<Desk>, Path(number): Path<u64>) -> Result<String, StatusCode> {
        answer(desk.ask(LONG, |reply| Question::Double(number, reply)).await)
    }

    async fn keep(State(desk): State<Desk>) -> Result<String, StatusCode> {
        answer(desk.ask(LONG, Question::Keep).await)
    }

    async fn ask(State(assistant): State<ChatAgentSpec>, Path(question): Path<String>) -> Result<String, StatusCode> {
        let agent = assistant.start().map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
        let answer = agent.ask(question).await;
        answer.map(|answer| answer.text).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
    }

    fn answer(answer: Result<u64, AskError>) -> Result<String, StatusCode> {
        answer.map(|number| number.to_string()).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
    }

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let paths = axum::Router::new().route("/double/{number}", get(double)).route("/keep", get(keep)).with_state(desk);
    let paths = paths.merge(axum::Router::new().route("/ask/{question}", get(ask)).with_state(assistant));
    let (end, ended) = oneshot::channel::<()>();
    let ended = async { drop(ended.await) };
    let serve = async move { axum::serve(listener, paths).with_graceful_shutdown(ended).await.expect("it serves") };
    (address, end, tokio::spawn(serve))
}

/// Serves on threads of its own until it is stopped.
pub(crate) fn actix(
    desk: Desk,
    assistant: ChatAgentSpec,
) -> (SocketAddr, actix_web::dev::ServerHandle, JoinHandle<()>) {
    use actix_web::error::{Error, ErrorServiceUnavailable};
    use actix_web::web::{Data, Path, get};
    use actix_web::{App, HttpServer, rt};

    async fn double(desk: Data<Desk>, number: Path<u64>) -> Result<String, Error> {
        answer(desk.ask(LONG, |reply| Question::Double(*number, reply)).await)
    }

    async fn keep(desk: Data<Desk>) -> Result<String, Error> {
        answer(desk.ask(LONG, Question::Keep).await)
    }

    async fn ask(assistant: Data<ChatAgentSpec>, question: Path<String>) -> Result<String, Error> {
        let agent = assistant.get_ref().clone().start().map_err(ErrorServiceUnavailable)?;
        let answer = agent.ask(question.into_inner()).await;
        answer.map(|answer| answer.text).map_err(ErrorServiceUnavailable)
    }

    fn answer(answer: Result<u64, AskError>) -> Result<String, Error> {
        answer.map(|number| number.to_string()).map_err(ErrorServiceUnavailable)
    }

    let (up, is_up) = std::sync::mpsc::channel();
    let serve = move || {
        let paths = move || {
            let app = App::new().app_data(Data::new(desk.clone())).app_data(Data::new(assistant.clone()));
            let app = app.route("/double/{number}", get().to(double)).route("/keep", get().to(keep));
            app.route("/ask/{question}", get().to(ask))
        };
        // Without the last setting a handler runs to its end although its client has left.
        let server = HttpServer::new(paths).workers(2).disable_signals().h1_allow_half_closed(false);
        let server = server.bind("127.0.0.1:0").expect("a port is free");
        let address = server.addrs()[0];
        rt::System::new().block_on(async move {
            let server = server.run();
            up.send((address, server.handle())).expect("somebody waits for it");
            server.await.expect("it serves");
        });
    };
    let thread = std::thread::spawn(serve);
    let (address, handle) = is_up.recv_timeout(LONG).expect("it comes up");
    (address, handle, thread)
}
