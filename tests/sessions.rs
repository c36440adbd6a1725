//! Is a conversation kept whatever happens? In memory and in a real file of SQLite, by several runs and several clones.

use std::collections::BTreeMap;
use std::fs;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use callboard::actors::chat::{ChatReply, Role, ToolCall, Turn};
use callboard::actors::chat_agent::MemorySessions;
use callboard::actors::error::StoreError;
use callboard::actors::ports::{SessionStore, Summary};
use callboard::prelude::*;
use callboard::store::Sessions;
use callboard::testkit::{self, FunctionModel, ScriptedModel};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use rusqlite::Connection;

fn open(path: &Path) -> Result<Sessions, StoreError> {
    Sessions::open(path, Duration::ZERO)
}

#[tokio::test]
async fn both_stores_do_what_every_store_must() {
    testkit::sessions(Arc::new(MemorySessions::default())).await;
    let dir = tempfile::tempdir().unwrap();
    testkit::sessions(Arc::new(open(&dir.path().join("new/sessions.sqlite")).unwrap())).await;
}

#[tokio::test]
async fn a_store_in_use_is_as_it_was_when_it_has_been_put_through_its_duties() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sessions.sqlite");
    let store = open(&path).unwrap();
    let names = ["", "anna", "Contract one", "\u{0}\u{1f600} \u{202e}quoted \"'\\ \n"];
    for name in names {
        store.append(name.into(), vec![Turn::user(name)]).await.unwrap();
    }
    for _ in 0..2 {
        testkit::sessions(Arc::new(store.clone())).await;
        let connection = Connection::open(&path).unwrap();
        let mut kept = connection.prepare("SELECT session FROM turns ORDER BY number").unwrap();
        let kept: Vec<String> = kept.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(kept, names);
    }
}

/// How a store keeps what is added to a session.
type Adds = fn(MemorySessions, Arc<str>, Vec<Turn>) -> BoxFuture<'static, Result<(), StoreError>>;

/// A store that does not do its duty: how it adds turns to those in memory, and what it takes a name for.
struct Bad {
    kept: MemorySessions,
    adds: Adds,
    names: fn(&str) -> String,
}

impl SessionStore for Bad {
    fn load(&self, session: Arc<str>, most: usize) -> BoxFuture<'static, Result<Vec<Turn>, StoreError>> {
        self.kept.load((self.names)(&session).into(), most)
    }

    fn append(&self, session: Arc<str>, turns: Vec<Turn>) -> BoxFuture<'static, Result<(), StoreError>> {
        (self.adds)(self.kept.clone(), (self.names)(&session).into(), turns)
    }

    fn forget(&self, session: Arc<str>) -> BoxFuture<'static, Result<(), StoreError>> {
        self.kept.forget((self.names)(&session).into())
    }
}

#[tokio::test]
async fn a_store_that_does_not_do_its_duty_is_refused() {
    let good = || Bad {
        kept: MemorySessions::default(),
        adds: |kept, session, turns| kept.append(session, turns),
        names: str::to_owned,
    };
    let rows = [
        ("it does", good(), None),
        (
            "loses a turn",
            Bad { adds: |kept, session, turns| kept.append(session, turns.into_iter().skip(1).collect()), ..good() },
            Some("turns come back as they were"),
        ),
        (
            "splits an exchange",
            Bad {
                adds: |kept, session, turns| {
                    Box::pin(async move {
                        for turn in turns {
                            kept.append(session.clone(), vec![turn]).await?;
                            tokio::task::yield_now().await;
                        }
                        Ok(())
                    })
                },
                ..good()
            },
            Some("each adds in one piece"),
        ),
        (
            "begins when it is polled",
            Bad { adds: |kept, session, turns| Box::pin(async move { kept.append(session, turns).await }), ..good() },
            Some("under way all the same"),
        ),
        (
            "mixes sessions",
            Bad { names: |name| name.trim().to_owned(), ..good() },
            Some("names are compared sign by sign"),
        ),
        (
            "mixes large and small letters",
            Bad { names: str::to_lowercase, ..good() },
            Some("names are compared sign by sign"),
        ),
    ];
    for (what, bad, expected) in rows {
        let refused = AssertUnwindSafe(testkit::sessions(Arc::new(bad))).catch_unwind().await.err();
        let said = refused.map(|panic| match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => panic.downcast::<&str>().map_or_else(|_| String::new(), |text| (*text).to_owned()),
        });
        assert_eq!(said.is_some(), expected.is_some(), "{what}: {said:?}");
        let (said, expected) = (said.unwrap_or_default(), expected.unwrap_or_default());
        assert!(said.contains(expected), "{what} is refused for another reason: {said}");
    }
}

/// Says how many turns it was shown.
fn counting() -> FunctionModel {
    FunctionModel::new(|request| {
        let shown = request.turns.iter().filter(|turn| turn.role != Role::System).count();
        Ok(ChatReply::text(format!("{shown} turns")))
    })
}

#[tokio::test]
async fn an_agent_remembers_a_session_across_runtimes_and_knows_nothing_of_others() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sessions.sqlite");
    for (round, shown) in [(0, "1 turns"), (1, "3 turns")] {
        let runtime = Runtime::with_model("function/model", counting()).unwrap();
        let sessions = open(&path).unwrap();
        let agent = runtime.agent("assistant").instructions("x").sessions(sessions.clone()).start().unwrap();
        let ask = |session: &str| agent.ask(Question::new("hello").session(session));
        assert_eq!(ask("anna").await.unwrap().text, shown);
        assert_eq!(ask(&format!("other {round}")).await.unwrap().text, "1 turns");
        assert_eq!(agent.ask("hello").await.unwrap().text, "1 turns", "and nothing without one");
        sessions.close().await.unwrap();
        let late = ask("anna").await.unwrap_err();
        assert!(matches!(late, ChatAgentError::Session { error: StoreError::Closed(_), .. }), "{late:?}");
        runtime.stop(Duration::from_secs(5)).await;
    }
    let turns = open(&path).unwrap().load("anna".into(), 99).await.unwrap();
    let said: Vec<_> = turns.iter().map(|turn| turn.text.as_str()).collect();
    assert_eq!(said, ["hello", "1 turns", "hello", "3 turns"]);
}

#[tokio::test]
async fn several_runs_on_one_session_lose_no_turn_and_history_has_its_bound() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sessions.sqlite");
    let runtime = Runtime::with_model("function/model", counting()).unwrap();
    let store = open(&path).unwrap();
    let agents: Vec<_> =
        (0..8).map(|_| runtime.agent("assistant").sessions(open_patiently(&path)).start().unwrap()).collect();
    let asks = agents.iter().flat_map(|agent| {
        (0..5).map(|number| agent.ask(Question::new(format!("question {number}")).session("shared")))
    });
    for answer in join_all(asks).await {
        answer.unwrap();
    }
    let turns = store.load("shared".into(), 1_000).await.unwrap();
    assert_eq!(turns.len(), 80);
    for exchange in turns.chunks(2) {
        assert!(exchange[0].text.starts_with("question ") && exchange[1].text.ends_with(" turns"), "{exchange:?}");
    }
    let limits = AskLimits { history_tokens: 50, ..AskLimits::default() };
    let forgetful = runtime.agent("assistant").limits(limits).sessions(store).start().unwrap();
    assert_eq!(forgetful.ask(Question::new("x").session("shared")).await.unwrap().text, "5 turns");
}

#[tokio::test]
async fn what_was_asked_for_again_is_no_part_of_a_session() {
    let said = ["about twenty", "call", "[20]", "21", "3"];
    let model = FunctionModel::new({
        let calls = AtomicUsize::new(0);
        move |request| match said[calls.fetch_add(1, Ordering::Relaxed)] {
            "call" => Ok(ChatReply {
                tool_calls: vec![ToolCall { id: "1".to_owned(), name: "look".to_owned(), arguments: "{}".to_owned() }],
                ..ChatReply::default()
            }),
            "3" => Ok(ChatReply::text(request.turns.len().to_string())),
            text => Ok(ChatReply::text(text)),
        }
    });
    let runtime = Runtime::with_model("function/model", model).unwrap();
    let sessions = MemorySessions::default();
    let agent = runtime.agent("assistant").sessions(sessions.clone()).start().unwrap();
    let number = agent.ask_as::<u32>(Question::new("how warm?").session("a")).await.unwrap();
    assert_eq!((number.value, number.answer.turns.len()), (21, 8), "its asker sees all that was said");
    let kept = sessions.load("a".into(), 99).await.unwrap();
    let roles: Vec<_> = kept.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::Tool, Role::Assistant]);
    assert_eq!((kept[0].text.as_str(), kept[1].tool_calls.len(), kept[3].text.as_str()), ("how warm?", 1, "21"));
    let next = agent.ask(Question::new("and now?").session("a")).await.unwrap();
    assert_eq!(next.text, "5", "the next ask is shown one exchange");
}

#[tokio::test]
async fn the_next_question_after_a_handoff_is_for_the_agent_that_is_asked() {
    let store = MemorySessions::default();
    let sales = ScriptedModel::new().says("Twelve umbrellas.");
    let desk = ScriptedModel::new().calls("transfer_to_sales", serde_json::json!({})).says("We close at six.");
    let runtime = Runtime::with_model("scripted/desk", desk.clone()).unwrap();
    let selling = Runtime::with_model("scripted/sales", sales.clone()).unwrap();
    let sales_agent = selling.agent("sales").instructions("You sell.").start().unwrap();
    let spec = runtime.agent("desk").instructions("You greet.").sessions(store.clone());
    let agent = spec.handoff(&sales_agent, "For whoever wants to buy.").start().unwrap();
    let ask = |text: &str| agent.ask(Question::new(text).session("anna"));
    assert_eq!(&*ask("An umbrella?").await.unwrap().agent, "sales");
    let answer = ask("When do you close?").await.unwrap();
    assert_eq!((&*answer.agent, answer.text.as_str()), ("desk", "We close at six."));
    let said = |model: &ScriptedModel, call: usize| -> Vec<String> {
        model.asked()[call].turns.iter().map(|turn| turn.text.clone()).collect()
    };
    assert_eq!(
        said(&sales, 0),
        ["You sell.", "An umbrella?", "", "you are sales from here on: go on with the conversation"]
    );
    let handed = "this question was handed over to sales";
    assert_eq!(
        said(&desk, 1),
        ["You greet.", "An umbrella?", "", handed, "Twelve umbrellas.", "When do you close?"],
        "the desk is not told that it is sales"
    );
}

fn open_patiently(path: &Path) -> Sessions {
    Sessions::open(path, Duration::from_secs(60)).unwrap()
}

#[tokio::test]
async fn a_question_without_an_answer_is_no_part_of_its_session_and_none_is_refused_without_a_store() {
    let fails = FunctionModel::new(|_| Err(callboard::actors::error::ModelError::ContentRefused("no".to_owned())));
    let runtime = Runtime::with_model("function/model", fails).unwrap();
    let sessions = MemorySessions::default();
    let agent = runtime.agent("assistant").sessions(sessions.clone()).start().unwrap();
    assert!(agent.ask(Question::new("x").session("a")).await.is_err());
    assert_eq!(sessions.load("a".into(), 9).await, Ok(Vec::<Turn>::new()));
    let without = runtime.agent("assistant").start().unwrap();
    let refused = without.ask(Question::new("x").session("a")).await.unwrap_err();
    assert_eq!(refused.code(), "store_not_given");
    assert!(refused.hint().contains("by `.sessions(store)`"), "{refused:?}");
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sessions.sqlite");
    let store = open(&path).unwrap();
    store.append("a".into(), vec![Turn::user("x")]).await.unwrap();
    store.close().await.unwrap();
    let change = |sql: &str| Connection::open(&path).unwrap().execute_batch(sql).unwrap();

    change("PRAGMA user_version = 9");
    let newer = open(&path).unwrap_err();
    assert!(matches!(newer, StoreError::Newer { found: 9, known: 2, .. }) && !newer.hint().is_empty(), "{newer}");
    change("PRAGMA user_version = 2; PRAGMA application_id = 7");
    assert!(matches!(open(&path), Err(StoreError::Foreign(_))));
    change("PRAGMA application_id = 1667396467");
    change("UPDATE turns SET turn = CAST('{\"role\":\"user\",\"text\":\"y\"}' AS BLOB)");
    let store = open(&path).unwrap();
    let changed = store.load("a".into(), 9).await.unwrap_err();
    assert!(matches!(changed, StoreError::DamagedSession(_)), "a changed turn is noticed: {changed}");
    store.close().await.unwrap();

    let locks = Connection::open(&path).unwrap();
    locks.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let store = open(&path).unwrap();
    let locked = store.append("a".into(), vec![Turn::user("y")]).await.unwrap_err();
    assert!(matches!(locked, StoreError::Locked(_)) && locked.is_retryable(), "{locked}");
    locks.execute_batch("ROLLBACK").unwrap();
    store.append("b".into(), vec![Turn::user("y")]).await.unwrap();
    store.close().await.unwrap();
    drop(locks);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_kept_in_time_may_be_kept_and_its_error_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sessions.sqlite");
    let store = open_patiently(&path);
    let other = Arc::new(std::sync::Mutex::new(Connection::open(&path).unwrap()));
    let (locks, said) = (other.clone(), Arc::new(AtomicUsize::new(0)));
    // Another program has the file while the first answer is to be kept.
    let model = FunctionModel::new(move |_| {
        if said.fetch_add(1, Ordering::Relaxed) == 0 {
            locks.lock().unwrap().execute_batch("BEGIN EXCLUSIVE").unwrap();
        }
        Ok(ChatReply::text("so"))
    });
    let runtime = Runtime::with_model("function/model", model).unwrap();
    let agent = runtime.agent("assistant").sessions(store.clone()).start().unwrap();
    let late = agent.ask(Question::new("x").session("a").within(Duration::from_secs(2))).await.unwrap_err();
    assert!(matches!(late, ChatAgentError::Session { error: StoreError::Late(_), .. }), "{late:?}");
    assert_eq!((late.code(), late.is_retryable(), &*late.partial().unwrap().text), ("store_late", false, "so"));
    assert!(late.to_string().contains("the store of the session did not answer in time"), "{late}");
    let hint = late.hint();
    assert!(hint.contains("the session may yet know of it") && !hint.contains("does not know"), "{hint}");
    other.lock().unwrap().execute_batch("ROLLBACK").unwrap();
    let kept = [Turn::user("x"), Turn::assistant("so")];
    assert_eq!(store.load("a".into(), 9).await.unwrap(), kept, "it was under way, and is kept once");
    agent.ask(Question::new("y").session("a")).await.unwrap();
    assert_eq!(store.load("a".into(), 9).await.unwrap().len(), 4);
}

/// Every file of a folder with what is in it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).unwrap())).collect()
}

/// What makes a file one that is refused.
type Spoils<'a> = &'a dyn Fn(&Path);

#[tokio::test]
async fn a_file_that_is_refused_is_the_same_to_the_byte_and_nothing_is_left_beside_it() {
    let change = |sql: &'static str| move |path: &Path| Connection::open(path).unwrap().execute_batch(sql).unwrap();
    let damage = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        // The first page, behind its head: which tables there are.
        bytes[100..1000].fill(0xff);
        fs::write(path, bytes).unwrap();
    };
    let protect = |path: &Path| {
        let mut permissions = fs::metadata(path).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(path, permissions).unwrap();
    };
    // The size of a page, in a head that is SQLite's otherwise.
    let odd = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        bytes[16..18].fill(0xff);
        fs::write(path, bytes).unwrap();
    };
    let write = |text: String| move |path: &Path| fs::write(path, &text).unwrap();
    let (notes, word) = (write("no database, and longer than its head has to be ".repeat(99)), write("hi".to_owned()));
    let (newer, foreign) = (change("PRAGMA user_version = 9"), change("PRAGMA application_id = 7"));
    let spoiled: [(&str, Spoils<'_>); 7] = [
        ("store_newer", &newer),
        ("store_foreign", &foreign),
        ("store_foreign", &notes),
        ("store_foreign", &word),
        ("store_damaged", &damage),
        ("store_damaged", &odd),
        ("store_read_only", &protect),
    ];
    for (code, spoil) in spoiled {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sessions.sqlite");
        let store = open(&path).unwrap();
        store.append("a".into(), vec![Turn::user("x"), Turn::user("y")]).await.unwrap();
        store.close().await.unwrap();
        spoil(&path);
        let before = files(dir.path());
        assert_eq!(before.len(), 1, "a closed file is one file");
        for _ in 0..2 {
            assert_eq!(open(&path).unwrap_err().code(), code);
            assert!(files(dir.path()) == before, "{code}: what was there is changed, or has company");
        }
    }
}

#[tokio::test]
async fn a_file_that_another_connection_has_for_itself_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sessions.sqlite");
    let store = open(&path).unwrap();
    store.append("a".into(), vec![Turn::user("x")]).await.unwrap();
    store.close().await.unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; DELETE FROM turns").unwrap();
    let before = files(dir.path());
    let locked = open(&path).unwrap_err();
    assert_eq!((locked.code(), locked.is_retryable()), ("store_locked", true));
    assert!(files(dir.path()) == before);
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    assert_eq!(open(&path).unwrap().load("a".into(), 9).await, Ok(vec![Turn::user("x")]));
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_gone_while_it_is_open_is_told_before_a_call_is_paid_for() {
    let away = |path: &Path| path.with_extension("away");
    let deleted = |path: &Path| fs::remove_file(path).unwrap();
    let moved = |path: &Path| fs::rename(path, away(path)).unwrap();
    let replaced = |path: &Path| {
        fs::copy(path, away(path)).unwrap();
        fs::rename(away(path), path).unwrap();
    };
    let spoiled: [(&str, Spoils<'_>); 3] = [("deleted", &deleted), ("moved", &moved), ("replaced", &replaced)];
    for (what, spoil) in spoiled {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sessions.sqlite");
        let store = open(&path).unwrap();
        store.append("a".into(), vec![Turn::user("x"), Turn::assistant("y")]).await.unwrap();
        let numbers = store.history("a".into(), 9).await.unwrap().unwrap().turns;
        spoil(&path);
        let summary = Summary { text: "so far".to_owned(), through: numbers[1].0 };
        let errors = [
            store.append("a".into(), vec![Turn::user("z")]).await.err(),
            store.load("a".into(), 9).await.err(),
            store.history("a".into(), 9).await.err(),
            store.keep_summary("a".into(), summary).await.err(),
            store.forget("a".into()).await.err(),
        ];
        for error in errors {
            assert_eq!(error, Some(StoreError::Moved(path.display().to_string())), "{what}");
        }
        let model = ScriptedModel::new().says("never");
        let runtime = Runtime::with_model("scripted/model", model.clone()).unwrap();
        let agent = runtime.agent("assistant").sessions(store.clone()).start().unwrap();
        let refused = agent.ask(Question::new("x").session("a")).await.unwrap_err();
        assert_eq!((refused.code(), model.asked().len()), ("store_moved", 0), "{what}");
        if what == "moved" {
            fs::rename(away(&path), &path).unwrap();
            assert_eq!(store.load("a".into(), 9).await.unwrap().len(), 2, "it was put back");
        }
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn an_exchange_that_fails_in_the_middle_leaves_nothing_of_itself() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sessions.sqlite");
    let store = open(&path).unwrap();
    store.append("a".into(), vec![Turn::user("x")]).await.unwrap();
    let change = |sql: &str| Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    // The third turn of a session is refused, when two of it are written.
    change(
        "CREATE TRIGGER refuses BEFORE INSERT ON turns
         WHEN (SELECT count(*) FROM turns WHERE session = NEW.session) = 2
         BEGIN SELECT RAISE(ABORT, 'on purpose'); END",
    );
    let exchange = || ["x", "y", "z"].map(Turn::user).to_vec();
    store.append("b".into(), exchange()).await.unwrap_err();
    assert_eq!(store.load("b".into(), 9).await, Ok(Vec::new()), "no half of an exchange is kept");
    assert_eq!(store.load("a".into(), 9).await, Ok(vec![Turn::user("x")]), "and what was there stays");
    change("DROP TRIGGER refuses");
    store.append("b".into(), exchange()).await.unwrap();
    assert_eq!(store.load("b".into(), 9).await, Ok(exchange()), "the same store goes on");
}

#[tokio::test]
async fn a_file_from_before_there_were_summaries_is_brought_up_to_date() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sessions.sqlite");
    let store = open(&path).unwrap();
    store.append("a".into(), vec![Turn::user("x")]).await.unwrap();
    store.close().await.unwrap();
    let version_1 = "DROP TABLE summaries; PRAGMA user_version = 1";
    Connection::open(&path).unwrap().execute_batch(version_1).unwrap();
    let store = open(&path).unwrap();
    let history = store.history("a".into(), 9).await.unwrap().unwrap();
    let [(number, turn)] = &history.turns[..] else { panic!("{history:?}") };
    assert_eq!((turn, &history.summary), (&Turn::user("x"), &None));
    assert_eq!(store.keep_summary("a".into(), Summary { text: "so far".to_owned(), through: *number }).await, Ok(true));
    store.close().await.unwrap();

    let change = |sql: &str| Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    change("UPDATE summaries SET summary = 'so for'");
    let store = open(&path).unwrap();
    assert_eq!(store.history("a".into(), 9).await.unwrap().unwrap().summary, None, "a changed summary is noticed");
    assert_eq!(store.keep_summary("a".into(), Summary { text: "anew".to_owned(), through: *number }).await, Ok(true));
    store.close().await.unwrap();
    // A program of before forgets a session without its summary, and others go on in it.
    change("DELETE FROM turns");
    let store = open(&path).unwrap();
    store.append("a".into(), vec![Turn::user("y")]).await.unwrap();
    assert_eq!(store.history("a".into(), 9).await.unwrap().unwrap().summary, None);
    store.forget("a".into()).await.unwrap();
    store.close().await.unwrap();
    let count = "SELECT count(*) FROM summaries";
    let left: i64 = Connection::open(&path).unwrap().query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0, "nothing of a session that is forgotten stays in the file");
    change("PRAGMA user_version = 0");
    assert!(matches!(open(&path), Err(StoreError::Damaged(_))), "there was no such version");
}
