//! Does what was recorded come back as it was, without keys, and is what cannot be played said? All on virtual time.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use callboard_actors::chat::{
    ChatChunk, ChatReply, ChatRequest, Finish, ReplyForm, TokenUsage, ToolCall, ToolChoice, ToolSpec, Turn,
};
use callboard_actors::error::{Limited, ModelError};
use callboard_actors::gateway::{Chunks, Timeouts};
use callboard_actors::ports::{ChatModel, ModelCall};
use futures_util::future::BoxFuture;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::file::header;
use super::secrets::Secrets;
use super::{Player, Recorder, RecordingError};
use crate::testkit::ScriptedModel;

/// Sends its pieces a second apart, and takes a second more.
struct Slow(Vec<ChatChunk>, ChatReply);

impl ChatModel for Slow {
    fn complete(&self, call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        let (pieces, reply) = (self.0.clone(), self.1.clone());
        Box::pin(async move {
            for piece in pieces {
                sleep(Duration::from_secs(1)).await;
                if let Some(chunks) = &call.chunks {
                    chunks.send(piece).await;
                }
            }
            sleep(Duration::from_secs(1)).await;
            Ok(reply)
        })
    }
}

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("talk.jsonl");
    (folder, path)
}

fn record(path: &Path, model: impl ChatModel, secrets: &Secrets) -> Recorder {
    Recorder::create_in(path.to_owned(), Arc::new(model), false, secrets.clone()).unwrap()
}

fn play(path: &Path, secrets: &Secrets) -> Player {
    Player::open_with(path.to_owned(), secrets.clone()).unwrap()
}

fn asks(text: &str) -> ChatRequest {
    ChatRequest::new(vec![Turn::user(text)], 100)
}

async fn whole(model: &impl ChatModel, request: ChatRequest) -> Result<ChatReply, ModelError> {
    model.complete(ModelCall { request: Arc::new(request), timeouts: Timeouts::default(), chunks: None }).await
}

type Seen = Vec<(Duration, ChatChunk)>;

/// The reply, and each piece of it with its time.
async fn streamed(model: &impl ChatModel, request: ChatRequest) -> (Result<ChatReply, ModelError>, Seen, Duration) {
    let (chunks, mut pieces) = Chunks::channel();
    let began = Instant::now();
    let call = ModelCall { request: Arc::new(request), timeouts: Timeouts::default(), chunks: Some(chunks) };
    let read = async {
        let mut seen = Vec::new();
        while let Some(piece) = pieces.next().await {
            seen.push((began.elapsed(), piece));
        }
        seen
    };
    let answer = async {
        let answer = model.complete(call).await;
        (answer, began.elapsed())
    };
    let ((answer, took), seen) = tokio::join!(answer, read);
    (answer, seen, took)
}

fn text(text: &str) -> ChatChunk {
    ChatChunk::Text(text.to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_conversation_comes_back_as_it_was_with_its_timing() {
    let (_folder, path) = place();
    let call = ChatChunk::ToolCall { index: 0, name: Some("add".to_owned()), arguments: "{}".to_owned() };
    let tool = ToolCall { id: "1".to_owned(), name: "add".to_owned(), arguments: "{}".to_owned() };
    let usage = Some(TokenUsage { input: 3, output: 4 });
    let reply = ChatReply { tool_calls: vec![tool], finish: Finish::Length, usage, ..ChatReply::text("It rains") };
    let secrets = Secrets::default();
    let model = Slow(vec![text("It "), text("rains"), call], reply.clone());
    let recorder = record(&path, model, &secrets);
    let (told, heard, took) = streamed(&recorder, asks("Rain?")).await;
    assert_eq!((told.as_ref(), heard.len(), took), (Ok(&reply), 3, Duration::from_secs(4)));
    assert_eq!(heard[0], (Duration::from_secs(1), text("It ")), "nothing is held back");
    assert_eq!(whole(&recorder, asks("Snow?")).await.as_ref(), Ok(&reply));

    let player = play(&path, &secrets);
    assert_eq!((streamed(&player, asks("Rain?")).await, player.left()), ((told, heard, took), 1));
    // What came whole is seen when it is there.
    let (told, heard, took) = streamed(&player, asks("Snow?")).await;
    assert_eq!((told, took, player.left()), (Ok(reply.clone()), Duration::from_secs(4), 0));
    assert_eq!(
        heard.into_iter().map(|(at, piece)| (at.as_secs(), piece)).collect::<Vec<_>>()[0],
        (4, text("It rains"))
    );

    let fast = play(&path, &secrets).without_waits();
    let (told, heard, took) = streamed(&fast, asks("Rain?")).await;
    assert_eq!((told, heard.len(), took.as_secs()), (Ok(reply), 3, 0));
}

#[tokio::test(start_paused = true)]
async fn errors_are_recorded_and_the_same_request_gets_one_reply_after_the_other() {
    let (_folder, path) = place();
    let refused = ModelError::RateLimited {
        limited: Limited::Concurrency,
        retry_after: Some(Duration::from_millis(1500)),
        message: "slow down".to_owned(),
    };
    let broken = ModelError::Broken { received: 3, message: "cut".to_owned() };
    let script = ScriptedModel::new().fails(refused.clone()).says("one").says("two").fails(broken.clone());
    let recorder = record(&path, script, &Secrets::default());
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(whole(&recorder, asks("the same")).await);
    }
    assert_eq!((told[0].as_ref(), told[3].as_ref()), (Err(&refused), Err(&broken)));
    let player = play(&path, &Secrets::default());
    for told in told {
        assert_eq!(whole(&player, asks("the same")).await, told);
    }
    let over = whole(&player, asks("the same")).await.unwrap_err();
    assert!(over.to_string().contains("was recorded 4 times") && over.code() == "not_recorded", "{over}");
    assert!(!over.is_retryable());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_request_is_told_what_differs_from_the_nearest() {
    let (_folder, path) = place();
    let recorder = record(&path, ScriptedModel::new().says("one").says("two"), &Secrets::default());
    whole(&recorder, asks("Who wrote it?")).await.unwrap();
    whole(&recorder, asks("Is it raining in Oslo?")).await.unwrap();
    let error = whole(&play(&path, &Secrets::default()), asks("Is it raining in Bergen?")).await.unwrap_err();
    assert!(matches!(error, ModelError::NotRecorded(_)));
    let error = error.to_string();
    let says =
        r#"of line 3, where turns[0].text was "Is it raining in Oslo?" and is "Is it raining in Bergen?"; ask as"#;
    assert!(error.contains(says) && error.contains("talk.jsonl"), "{error}");
    let (_folder, path) = place();
    fs::write(&path, header()).unwrap();
    let error = whole(&play(&path, &Secrets::default()), asks("x")).await.unwrap_err().to_string();
    assert!(error.contains("nothing was recorded; ask as"), "{error}");
}

/// A key that looks like none, with what JSON escapes.
const CANARY: &str = "canary\"bird\\in-the mine";

/// A request with the canary and with what looks like a key in every text that it has.
fn full_of_keys(key: &str) -> ChatRequest {
    let says = |more: &str| format!("{key} and {more} {CANARY}");
    let arguments = json!({ "secret": CANARY, "header": format!("Bearer {key}") }).to_string();
    let call = ToolCall { id: says("id"), name: says("name"), arguments };
    let asked = Turn { tool_calls: vec![call], ..Turn::assistant(says("said")) };
    let schema = json!({ "description": says("schema"), (says("field")): [says("value"), 1] });
    ChatRequest {
        turns: vec![
            Turn::system(says("system")),
            Turn::user(says("user")),
            asked,
            Turn::tool(says("id"), says("tool")),
        ],
        max_output_tokens: 16,
        tools: vec![Arc::new(ToolSpec {
            name: says("tool"),
            description: says("does"),
            parameters: schema.clone().into(),
        })],
        tool_choice: ToolChoice::Named(says("tool")),
        form: ReplyForm::Json { name: says("form"), schema: schema.into() },
        temperature: Some(0.7),
    }
}

#[tokio::test(start_paused = true)]
async fn no_key_is_in_a_recording_wherever_it_was() {
    let (_folder, path) = place();
    let key = format!("sk-proj-{}", "Zq9".repeat(12));
    let secrets = Secrets::of([("SOME_TOKEN".to_owned(), CANARY.to_owned())].into_iter());
    let said = format!("so {key} is {CANARY}!");
    // A piece for each sign: no piece looks like a key.
    let signs = |text: &str| text.chars().map(|sign| sign.to_string()).collect::<Vec<_>>();
    let arguments = json!({ "key": key, "other": CANARY }).to_string();
    let pieces = signs(&said).into_iter().map(ChatChunk::Text);
    let name = || Some(said.clone());
    let calls = signs(&arguments).into_iter().enumerate().map(|(place, arguments)| ChatChunk::ToolCall {
        index: 0,
        name: (place == 0).then(name).flatten(),
        arguments,
    });
    let pieces: Vec<_> = pieces.chain(calls).collect();
    let call = ToolCall { id: said.clone(), name: said.clone(), arguments };
    let (finish, tool_calls) = (Finish::Other(said.clone()), vec![call]);
    let reply = ChatReply { tool_calls, finish, ..ChatReply::text(said.clone()) };
    let recorder = record(&path, Slow(pieces, reply), &secrets);
    streamed(&recorder, full_of_keys(&key)).await.0.unwrap();
    drop(recorder);
    let failing = ScriptedModel::new().fails(ModelError::Rejected { status: 400, message: said });
    let (_other, other) = place();
    whole(&record(&other, failing, &secrets), asks(CANARY)).await.unwrap_err();

    for path in [&path, &other] {
        let written = fs::read_to_string(path).unwrap();
        assert!(written.contains("(redacted)"));
        // Neither of them, nor a part of either.
        for secret in [key.as_str(), CANARY, "canary\\\"bird"] {
            for part in secret.as_bytes().windows(8).map(|part| std::str::from_utf8(part).unwrap()) {
                assert!(!written.contains(part), "{part:?} is in {written}");
            }
        }
    }
    // Nor are they in the pieces when these are put together again.
    let (_, pieces, _) = streamed(&play(&path, &secrets), full_of_keys(&key)).await;
    let joined: String = pieces
        .iter()
        .map(|(_, piece)| match piece {
            ChatChunk::Text(text) => text.as_str(),
            ChatChunk::ToolCall { arguments, .. } => arguments,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(joined, r#"so (redacted) is (redacted)!{"key":"(redacted)","other":"(redacted)"}"#);
    // Who has another key asks the same.
    let other_key = format!("sk-proj-{}", "Yx8".repeat(12));
    let reply = whole(&play(&path, &secrets), full_of_keys(&other_key)).await.unwrap();
    assert_eq!(reply.text, "so (redacted) is (redacted)!");
    let named = play(&path, &Secrets::default()).secret(CANARY);
    assert!(whole(&named, full_of_keys(&key)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_is_about_the_setup_is_not_recorded_and_a_file_without_a_call_is_removed() {
    let (_folder, path) = place();
    let setup = [
        ModelError::Unauthorized { status: 401, message: "no".to_owned() },
        ModelError::NotFound("no".to_owned()),
        ModelError::Untrusted("no".to_owned()),
        ModelError::NetworkBlocked("no".to_owned()),
        ModelError::Network { sent: false, message: "no".to_owned() },
    ];
    let script = setup.iter().fold(ScriptedModel::new(), |script, error| script.fails(error.clone()));
    let recorder = record(&path, script, &Secrets::default());
    for error in setup {
        assert_eq!(whole(&recorder, asks("x")).await, Err(error));
    }
    assert!(path.exists());
    drop(recorder);
    assert!(!path.exists(), "else it would be played");
    let recorder = record(&path, ScriptedModel::new().says("x"), &Secrets::default());
    assert!(whole(&recorder, asks("x")).await.is_ok());
    drop(recorder);
    assert_eq!(play(&path, &Secrets::default()).left(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_is_not_recorded_and_who_stops_reading_is() {
    let (_folder, path) = place();
    let recorder = record(&path, Slow(vec![text("a"), text("b")], ChatReply::text("ab")), &Secrets::default());
    let call = whole(&recorder, asks("leaves"));
    assert!(tokio::time::timeout(Duration::from_secs(2), call).await.is_err());
    let (chunks, pieces) = Chunks::channel();
    drop(pieces);
    let request = Arc::new(asks("does not read"));
    let call = ModelCall { request, timeouts: Timeouts::default(), chunks: Some(chunks) };
    assert_eq!(recorder.complete(call).await, Ok(ChatReply::text("ab")));
    let player = play(&path, &Secrets::default());
    assert_eq!((player.left(), whole(&player, asks("does not read")).await), (1, Ok(ChatReply::text("ab"))));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_played_or_recorded_is_said_with_what_to_do() {
    let (folder, path) = place();
    let again = || Recorder::create_in(path.clone(), Arc::new(ScriptedModel::new()), false, Secrets::default());
    let open = || Player::open_with(path.clone(), Secrets::default()).map(|player| player.left());
    let ci = Recorder::create_in(path.clone(), Arc::new(ScriptedModel::new()), true, Secrets::default());
    assert_eq!(ci.unwrap_err(), RecordingError::Ci(path.clone()));
    assert_eq!(open(), Err(RecordingError::Missing(path.clone())), "and it made no file");

    let recorder = record(&path, ScriptedModel::new().says("one").says("two"), &Secrets::default());
    whole(&recorder, asks("1")).await.unwrap();
    whole(&recorder, asks("2")).await.unwrap();
    assert_eq!(again().unwrap_err(), RecordingError::Exists(path.clone()));
    assert_eq!(open(), Ok(2));
    let good = fs::read_to_string(&path).unwrap();
    // Wherever it is cut, nothing panics, and nothing but whole lines is played.
    for end in 0..good.len() {
        fs::write(&path, &good[..end]).unwrap();
        let (line, whole) = (good[..end].lines().count().max(1), good[..end].ends_with('\n'));
        match open() {
            Ok(left) => assert!(whole && left + 1 == line, "{end}"),
            Err(error) => assert_eq!(error, RecordingError::Truncated { path: path.clone(), line }, "{end}"),
        }
    }
    let damaged = good.replacen("\"took_us\"", "\"took\"", 1);
    fs::write(&path, damaged).unwrap();
    assert!(matches!(open(), Err(RecordingError::Damaged { line: 2, what, .. }) if what.contains("took_us")));
    fs::write(&path, good.replacen("\"version\":1", "\"version\":7", 1)).unwrap();
    assert_eq!(open(), Err(RecordingError::Newer { path: path.clone(), found: 7, known: 1 }));
    for foreign in ["{\"a\":1}\n", "\u{0}\u{1}", "{\"format\":\"other\",\"version\":1}\n", "text\n"] {
        fs::write(&path, foreign).unwrap();
        assert_eq!(open(), Err(RecordingError::Foreign(path.clone())), "{foreign}");
    }
    fs::write(&path, b"\xff\xfe\n").unwrap();
    assert_eq!(open(), Err(RecordingError::Foreign(path.clone())));
    let nowhere = folder.path().join("no/where.jsonl");
    let error = Recorder::create_in(nowhere, Arc::new(ScriptedModel::new()), false, Secrets::default()).unwrap_err();
    assert!(error.hint().contains("in a folder that is there"), "{error:?}");
    assert!(matches!(
        Player::open_with(folder.path().to_owned(), Secrets::default()),
        Err(RecordingError::Unusable { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn a_word_that_is_a_key_only_where_it_is_played_does_no_harm() {
    let (_folder, path) = place();
    let recorder = record(&path, ScriptedModel::new().says("so"), &Secrets::default());
    whole(&recorder, asks("Tell me of postgres.")).await.unwrap();
    drop(recorder);
    let variable = ("POSTGRES_PASSWORD".to_owned(), "postgres".to_owned());
    let player = play(&path, &Secrets::of([variable].into_iter()));
    assert_eq!(whole(&player, asks("Tell me of postgres.")).await.unwrap().text, "so");
    let player = play(&path, &Secrets::default()).secret("postgres");
    assert_eq!(whole(&player, asks("Tell me of postgres.")).await.unwrap().text, "so");
}
