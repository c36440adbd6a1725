//! What is left of a conversation when its process is killed, and who waits while somebody else has its file for himself? Real processes
//! and a real file of SQLite; no test waits for a time.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use callboard::actors::chat::{ChatReply, ChatRequest, Role, Turn};
use callboard::actors::ports::SessionStore;
use callboard::prelude::{Question, Runtime};
use callboard::store::Sessions;
use callboard::testkit::FunctionModel;
use rusqlite::Connection;

/// Set in the processes that talk: their file, and the number of their first question.
const TALKER: [&str; 2] = ["CALLBOARD_TEST_SESSIONS", "CALLBOARD_TEST_FIRST"];
const LONG: Duration = Duration::from_secs(60);

/// Says the question again, several pages long, so that a torn one would show.
fn again(request: &ChatRequest) -> ChatReply {
    let asked = request.turns.iter().rev().find(|turn| turn.role == Role::User);
    ChatReply::text(format!("{}! ", asked.map_or("", |turn| turn.text.as_str())).repeat(800))
}

/// The exchange of a question.
fn exchange(number: usize) -> [Turn; 2] {
    let question = format!("question {number}");
    let answer = format!("{question}! ").repeat(800);
    [Turn::user(question), Turn::assistant(answer)]
}

/// No test by itself: the process that the other one starts. It asks one question after the other and says so when it has the answer,
/// until it is killed.
#[tokio::test]
async fn talker() {
    let [Ok(path), Ok(first)] = TALKER.map(std::env::var) else { return };
    let runtime = Runtime::with_model("function/model", FunctionModel::new(|request| Ok(again(request)))).unwrap();
    let sessions = Sessions::open(path, LONG).unwrap();
    let agent = runtime.agent("assistant").sessions(sessions).start().unwrap();
    let first: usize = first.parse().unwrap();
    for number in first..first + 10_000 {
        agent.ask(Question::new(format!("question {number}")).session("anna")).await.unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nanswered {number}").and_then(|()| out.flush()).unwrap();
    }
}

fn start_talker(path: &Path, first: usize) -> (Child, impl Iterator<Item = usize> + use<>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "talker", "--nocapture", "--test-threads=1"])
        .env(TALKER[0], path)
        .env(TALKER[1], first.to_string())
        .env("CALLBOARD_NETWORK", "loopback")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::<ChildStdout>::new(child.stdout.take().unwrap()).lines();
    let answered = lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("answered ")?.parse().ok());
    (child, answered)
}

#[tokio::test]
async fn a_process_that_is_killed_loses_nothing_that_it_had_answered_and_leaves_no_half() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sessions.sqlite");
    let mut first = 0;
    for round in 0..4 {
        let (mut child, mut said) = start_talker(&path, first);
        // Further into the conversation in each round.
        let mut answered: Vec<_> = said.by_ref().take(1 + 7 * round).collect();
        child.kill().unwrap();
        // What it said before it was gone counts too.
        answered.extend(said);
        assert!(!child.wait().unwrap().success(), "it was killed");
        assert!(answered.len() > 7 * round, "{answered:?}");

        let sessions = Sessions::open(&path, LONG).unwrap();
        let kept = sessions.load("anna".into(), 100_000).await.unwrap();
        let (exchanges, half) = kept.as_chunks::<2>();
        assert!(half.is_empty(), "an exchange is kept whole or not at all");
        for (number, kept) in exchanges.iter().enumerate() {
            assert!(*kept == exchange(number), "exchange {number} is another one");
        }
        // The last one may have been kept when its answer was not told any more.
        let told = first + answered.len();
        assert!((told..=told + 1).contains(&exchanges.len()), "{told} were told, {} are kept", exchanges.len());
        first = exchanges.len();
        sessions.close().await.unwrap();
        let file = Connection::open(&path).unwrap();
        let verdict: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(verdict, "ok");
    }
}

#[tokio::test]
async fn who_waits_for_a_file_of_sessions_holds_up_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sessions.sqlite");
    let (calls, called) = mpsc::sync_channel(100);
    let model = FunctionModel::new(move |request| {
        calls.try_send(()).unwrap();
        Ok(again(request))
    });
    let runtime = Runtime::with_model("function/model", model).unwrap();
    let sessions = Sessions::open(&path, LONG).unwrap();
    let kept = runtime.agent("kept").sessions(sessions.clone()).start().unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut waits = kept.ask(Question::new("question 0").session("anna"));
    // Its answer is there, and is to be kept.
    while called.try_recv().is_err() {
        assert!(futures_util::poll!(&mut waits).is_pending());
        tokio::task::yield_now().await;
    }
    // Agents are spread over the shards; some of these share one with it.
    for agent in (0..8).map(|_| runtime.agent("other").start().unwrap()) {
        let answer = tokio::time::timeout(LONG, agent.ask("and you?")).await.expect("it is held up");
        assert!(answer.unwrap().text.starts_with("and you?!"));
    }
    assert!(futures_util::poll!(&mut waits).is_pending(), "the file is somebody else's");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(waits.await.unwrap().text, exchange(0)[1].text);
    assert_eq!(sessions.load("anna".into(), 9).await.unwrap(), exchange(0));
    assert!(runtime.stop(LONG).await.is_clean());
}
