//! What must every store of sessions do? A suite that a store of your own can be put through.

use std::sync::Arc;

use callboard_actors::chat::{ToolCall, Turn};
use callboard_actors::ports::{SessionStore, Summary};
use futures_util::future::join_all;

/// Puts a store through its duties. It must be empty, or hold no session whose name begins with `contract`: every session in which something
/// is kept has such a name, and all of them are forgotten at the end. Sessions of other names stay as they are.
///
/// # Panics
/// Panics at the first duty that is not done, and says which.
pub async fn sessions(store: Arc<dyn SessionStore>) {
    let load = async |session: &str, most| {
        store.load(session.into(), most).await.unwrap_or_else(|error| panic!("a session cannot be loaded: {error}"))
    };
    let append = async |session: &str, turns: Vec<Turn>| {
        let appended = store.append(session.into(), turns).await;
        appended.unwrap_or_else(|error| panic!("turns cannot be added: {error}"));
    };
    assert_eq!(load("contract one", 9).await, [], "a session that nobody knows has no turns");

    let call = ToolCall { id: "1".to_owned(), name: "a".to_owned(), arguments: "{\"é\": \"\\u0000\"}".to_owned() };
    let strange = "contract \u{0}\u{1f600} \u{202e}quoted \"'\\ \n".to_owned();
    let turns = vec![
        Turn::user(strange.clone()),
        Turn { tool_calls: vec![call], ..Turn::assistant("") },
        Turn::tool("1", "told"),
        Turn::assistant("so"),
    ];
    append("contract one", turns.clone()).await;
    assert_eq!(load("contract one", 9).await, turns, "turns come back as they were, in their order");
    assert_eq!(load("contract one", 2).await, turns[2..], "the newest, when not all are wanted");
    assert_eq!(load("contract one", 0).await, [], "none, when none is wanted");
    append("contract one", Vec::new()).await;
    assert_eq!(load("contract one", 9).await.len(), 4, "nothing adds nothing");

    append(&strange, vec![Turn::user("other")]).await;
    append("contract one ", vec![Turn::user("space")]).await;
    append("contract One", vec![Turn::user("large")]).await;
    assert_eq!(load(&strange, 9).await, [Turn::user("other")], "every name is a name");
    // Somebody may have such a session: nothing is added to it.
    assert_eq!(load("", 0).await, [], "and so is the empty one");
    assert_eq!(load("contract one", 9).await.len(), 4, "names are compared sign by sign");
    for name in [strange.as_str(), "contract one ", "contract One"] {
        store.forget(name.into()).await.unwrap_or_else(|error| panic!("a session cannot be forgotten: {error}"));
    }
    assert_eq!(load(&strange, 9).await, []);

    let runs = (0..20).map(|run| {
        let turns = (0..5).map(|turn| Turn::user(format!("{run} {turn}"))).collect();
        append("contract two", turns)
    });
    join_all(runs).await;
    let all = load("contract two", 1_000).await;
    assert_eq!(all.len(), 100, "runs that add at the same time lose no turn");
    for run in all.chunks(5) {
        let first = run[0].text.split(' ').next();
        assert!(run.iter().all(|turn| turn.text.split(' ').next() == first), "each adds in one piece: {run:?}");
    }

    // Its future is dropped at once: it is under way all the same.
    drop(store.append("contract three".into(), vec![Turn::user("dropped")]));
    append("contract three", vec![Turn::user("awaited")]).await;
    let both = [Turn::user("dropped"), Turn::user("awaited")];
    assert_eq!(
        load("contract three", 9).await,
        both,
        "what is added is under way all the same when its future is dropped"
    );
    summaries(&*store).await;
    for name in ["contract one", "contract two", "contract three"] {
        store.forget(name.into()).await.unwrap_or_else(|error| panic!("a session cannot be forgotten: {error}"));
        assert_eq!(load(name, 9).await, [], "a session that is forgotten has no turns");
    }
}

/// The duties of a store that keeps summaries. One that keeps none has none of them.
async fn summaries(store: &dyn SessionStore) {
    let session = "contract four";
    let append = async || {
        let turns = vec![Turn::user("question"), Turn::assistant("answer"), Turn::user("more")];
        let appended = store.append(session.into(), turns).await;
        appended.unwrap_or_else(|error| panic!("turns cannot be added: {error}"));
    };
    let history = async |most| {
        let read = store.history(session.into(), most).await;
        read.unwrap_or_else(|error| panic!("a history cannot be read: {error}"))
    };
    let keep = async |session: &str, text: &str, through| {
        let kept = store.keep_summary(session.into(), Summary { text: text.to_owned(), through }).await;
        kept.unwrap_or_else(|error| panic!("a summary cannot be kept: {error}"))
    };
    append().await;
    let Some(first) = history(9).await else {
        assert!(!keep(session, "nothing", 1).await, "a store without histories keeps no summary");
        return store.forget(session.into()).await.unwrap_or_else(|error| panic!("{error}"));
    };
    let said: Vec<_> = first.turns.iter().map(|(_, turn)| turn.text.as_str()).collect();
    assert_eq!(
        (said, first.summary),
        (vec!["question", "answer", "more"], None),
        "a history has the turns in their order"
    );
    let numbers: Vec<_> = first.turns.iter().map(|(number, _)| *number).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "numbers grow along a session: {numbers:?}");

    let strange = "\u{0}\u{1f600} \u{202e}so \"far'\\ \n";
    assert!(keep(session, strange, numbers[1]).await, "a summary is kept");
    let kept = Some(Summary { text: strange.to_owned(), through: numbers[1] });
    for most in [0, 1, 9] {
        let read = history(most).await.unwrap_or_default();
        assert_eq!((read.turns.len(), &read.summary), (most.min(3), &kept), "it comes back beside the turns");
    }
    for (of, through, why) in [
        (session, numbers[0], "one that goes less far than the one before"),
        (session, numbers[1], "one that goes as far"),
        (session, u64::MAX, "one through a turn that is not there"),
        ("contract five", numbers[2], "one through a turn of another session"),
    ] {
        assert!(!keep(of, "other", through).await, "{why} is not kept");
    }
    assert_eq!(history(9).await.and_then(|history| history.summary), kept, "what is not kept changes nothing");
    assert!(keep(session, "all", numbers[2]).await, "one that goes further takes its place");
    assert_eq!(
        history(9).await.and_then(|history| history.summary).map(|summary| summary.text).as_deref(),
        Some("all")
    );

    store.forget(session.into()).await.unwrap_or_else(|error| panic!("a session cannot be forgotten: {error}"));
    append().await;
    let again = history(9).await.unwrap_or_default();
    assert_eq!(again.summary, None, "a session that is forgotten has no summary");
    assert!(again.turns.iter().all(|(number, _)| *number > numbers[2]), "no number comes twice");
    assert!(
        !keep(session, "late", numbers[1]).await,
        "a summary that comes after its session was forgotten is not kept"
    );
    store.forget(session.into()).await.unwrap_or_else(|error| panic!("a session cannot be forgotten: {error}"));
}
