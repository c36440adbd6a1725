//! Does Callboard work inside other people's programs: in the handlers of servers, inside both flavours of tokio, for
//! plain threads, and twice in one process?
//!
//! The servers are real ones with real sockets, on this machine only.

#[path = "embedding/agents.rs"]
mod agents;
#[path = "embedding/assistant.rs"]
mod assistant;
#[path = "embedding/http.rs"]
mod http;
#[path = "embedding/servers.rs"]
mod servers;

use std::time::Duration;

use agents::{Errand, LONG, Question, Story, clerk, desk, runtime};
use assistant::{Keeper, answer_to, assistant};
use callboard::blocking;
use callboard::prelude::{AskError, ChatAgent};
use futures_util::future::join_all;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How many requests are made at the same time.
const REQUESTS: u64 = 200;

/// A request that its client drops half way: the question's asker has left.
async fn leave_half_way(server: std::net::SocketAddr, path: &str, told: &mut mpsc::Receiver<Story>) {
    let request = http::begin(server, path).await;
    assert_eq!(timeout(LONG, told.recv()).await, Ok(Some(Story::Asked)));
    drop(request);
    assert_eq!(timeout(LONG, told.recv()).await, Ok(Some(Story::Left)), "the agent learns that nobody waits");
}

async fn in_handlers_of_axum() {
    let runtime = runtime();
    let (desk, mut told) = desk(&runtime);
    let (models, assistant, mut model_told) = assistant();
    let (server, end, ended) = servers::axum(desk, assistant).await;
    http::double_all(server, REQUESTS).await;
    http::ask_all(server, REQUESTS).await;
    leave_half_way(server, "/keep", &mut told).await;
    leave_half_way(server, "/ask/keep", &mut model_told).await;
    drop(end);
    timeout(LONG, ended).await.expect("the server stops").unwrap();
    assert!(models.stop(LONG).await.is_clean());
    assert!(runtime.stop(LONG).await.is_clean());
}

#[tokio::test]
async fn handlers_of_axum_ask_agents_on_a_current_thread_runtime() {
    in_handlers_of_axum().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_of_axum_ask_agents_on_a_multi_thread_runtime() {
    in_handlers_of_axum().await;
}

#[tokio::test]
async fn handlers_of_actix_web_ask_agents() {
    let runtime = runtime();
    let (desk, mut told) = desk(&runtime);
    let (models, assistant, mut model_told) = assistant();
    let (server, handle, thread) = servers::actix(desk, assistant);
    http::double_all(server, REQUESTS).await;
    http::ask_all(server, REQUESTS).await;
    leave_half_way(server, "/keep", &mut told).await;
    leave_half_way(server, "/ask/keep", &mut model_told).await;
    timeout(LONG, handle.stop(true)).await.expect("the server stops");
    thread.join().unwrap();
    assert!(models.stop(LONG).await.is_clean());
    assert!(runtime.stop(LONG).await.is_clean());
}

#[tokio::test]
async fn agents_of_two_runtimes_ask_each_other_and_one_outlives_the_other() {
    let (here, there) = (runtime(), runtime());
    let (desk_here, _) = desk(&here);
    let (desk_there, _) = desk(&there);
    let clerks = [clerk(&here, &desk_there), clerk(&there, &desk_here)];
    for number in 0..100 {
        for clerk in &clerks {
            assert_eq!(clerk.ask(LONG, |reply| Errand::Double(number, reply)).await, Ok(Ok(2 * number)));
        }
    }
    assert!(there.stop(LONG).await.is_clean());
    let [clerk_here, clerk_there] = &clerks;
    assert_eq!(clerk_there.ask(LONG, |reply| Errand::Double(1, reply)).await, Err(AskError::Stopped));
    assert_eq!(clerk_here.ask(LONG, |reply| Errand::Double(1, reply)).await, Ok(Err(AskError::Stopped)));
    assert_eq!(desk_here.ask(LONG, |reply| Question::Double(1, reply)).await, Ok(2));
    assert!(here.stop(LONG).await.is_clean());
}

#[test]
fn plain_threads_ask_at_the_same_time() {
    let runtime = runtime();
    let (desk, _) = desk(&runtime);
    let asks = |thread: u64| {
        let desk = desk.clone();
        let double = move |number| desk.ask_blocking(LONG, |reply| Question::Double(number, reply));
        std::thread::spawn(move || (0..100).all(|number| double(thread + number) == Ok(2 * (thread + number))))
    };
    let threads: Vec<_> = (0..8).map(asks).collect();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
    assert!(runtime.stop_blocking(LONG).is_clean());
}

/// A blocking ask is refused at once; what its error advises works.
async fn blocking_is_refused() {
    let runtime = runtime();
    let (desk, _) = desk(&runtime);
    let double = |reply| Question::Double(4, reply);
    assert_eq!(desk.ask_blocking(Duration::ZERO, double), Err(AskError::InsideAsync));
    assert_eq!(desk.ask(LONG, double).await, Ok(8));
    let asks = move || {
        let refused = desk.ask_blocking(Duration::ZERO, double);
        (refused, tokio::runtime::Handle::current().block_on(desk.ask(LONG, double)))
    };
    assert_eq!(tokio::task::spawn_blocking(asks).await.unwrap(), (Err(AskError::InsideAsync), Ok(8)));
    assert_eq!(runtime.ledger().accepted, 2);
    assert!(runtime.stop(LONG).await.is_clean());
}

#[tokio::test]
async fn a_blocking_ask_is_refused_inside_a_current_thread_runtime() {
    blocking_is_refused().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocking_ask_is_refused_inside_a_multi_thread_runtime() {
    tokio::spawn(blocking_is_refused()).await.unwrap();
}

/// Agents with a model: two runtimes at a time, started, asked and stopped again and again.
async fn models_come_and_go() {
    for _ in 0..10 {
        let teams = [assistant(), assistant()];
        let agents: Vec<ChatAgent> = teams.iter().map(|(_, assistant, _)| assistant.clone().start().unwrap()).collect();
        let asks = (0..20).flat_map(|number| agents.iter().map(move |agent| agent.ask(number.to_string())));
        for (place, answer) in join_all(asks).await.into_iter().enumerate() {
            assert_eq!(answer.unwrap().text, answer_to(&(place / 2).to_string()));
        }
        for (runtime, _, _) in teams {
            assert!(runtime.stop(LONG).await.is_clean());
        }
    }
}

#[tokio::test]
async fn agents_with_a_model_live_inside_a_current_thread_runtime() {
    models_come_and_go().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_with_a_model_live_inside_a_multi_thread_runtime() {
    tokio::spawn(models_come_and_go()).await.unwrap();
}

#[test]
fn agents_with_a_model_are_asked_by_plain_threads() {
    let (keeper, _told) = Keeper::new();
    let runtime = blocking::Runtime::with_model("test/keeper", keeper).unwrap();
    let agent = runtime.agent("assistant").start().unwrap();
    let asks = |thread: u64| {
        let agent = agent.clone();
        let is_answered = move |number: u64| {
            let question = format!("{thread} {number}");
            agent.ask(question.as_str()).is_ok_and(|answer| answer.text == answer_to(&question))
        };
        std::thread::spawn(move || (0..20).all(is_answered))
    };
    let threads: Vec<_> = (0..4).map(asks).collect();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
    assert!(runtime.stop(LONG).is_clean());
}
