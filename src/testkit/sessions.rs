//! What must every store of sessions do? A suite that a store of your own can be put through.

use std::sync::Arc;

use callboard_actors::chat::{ToolCall, Turn};
use callboard_actors::ports::SessionStore;
use futures_util::future::join_all;

/// Puts a store through its duties. It must be empty, or hold no session whose name begins with `contract`.
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
    let strange = "\u{0}\u{1f600} \u{202e}quoted \"'\\ \n".to_owned();
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
    append("Contract one", vec![Turn::user("large")]).await;
    append("", vec![Turn::user("none")]).await;
    assert_eq!(load(&strange, 9).await, [Turn::user("other")], "every name is a name");
    assert_eq!(load("", 9).await, [Turn::user("none")], "and so is the empty one");
    assert_eq!(load("contract one", 9).await.len(), 4, "names are compared sign by sign");
    for name in [strange.as_str(), "contract one ", "Contract one", ""] {
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
    assert_eq!(load("contract three", 9).await, [Turn::user("dropped"), Turn::user("awaited")]);
    for name in ["contract one", "contract two", "contract three"] {
        store.forget(name.into()).await.unwrap_or_else(|error| panic!("a session cannot be forgotten: {error}"));
        assert_eq!(load(name, 9).await, [], "a session that is forgotten has no turns");
    }
}
