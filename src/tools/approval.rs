//! How is a person at a terminal asked whether a tool may be called?

use std::io::{BufRead, IsTerminal, Write};
use std::sync::{Arc, LazyLock};

use callboard_actors::ports::{Approval, Approver, Decision};
use callboard_actors::research::inert;
use callboard_actors::runtime::WorkBeside;
use futures_util::future::BoxFuture;
use tokio::sync::Mutex;

/// Asks on standard error, and reads the answer from standard input: `y` approves. Where standard input is no terminal it denies: there is
/// nobody to ask. One question at a time; a question that nobody waits for any more is still on the screen, and its answer counts for
/// nothing; the next question comes after it.
#[derive(Debug, Clone, Copy, Default)]
pub struct TerminalApprover;

impl Approver for TerminalApprover {
    fn decide(&self, approval: Approval) -> BoxFuture<'static, Decision> {
        Box::pin(async move {
            let asked = at_the_terminal(move || ask(&approval)).await;
            asked.unwrap_or_else(|| denied("the program is ending"))
        })
    }
}

/// Does it on a thread that may block, one at a time: a person who does not answer keeps one thread, however often he is asked.
async fn at_the_terminal<T: Send + 'static>(asks: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    static TERMINAL: LazyLock<Arc<Mutex<()>>> = LazyLock::new(Arc::default);
    let alone = TERMINAL.clone().lock_owned().await;
    let beside = WorkBeside::begin();
    let asks = move || {
        let _until_it_is_over = (alone, beside);
        asks()
    };
    tokio::task::spawn_blocking(asks).await.ok()
}

fn ask(approval: &Approval) -> Decision {
    if !std::io::stdin().is_terminal() {
        return denied("there is no terminal to ask a person at");
    }
    ask_with(approval, &mut std::io::stdin().lock())
}

/// Standard error is held for one piece, and not while somebody thinks: whoever writes a line of the log waits for it.
fn ask_with(approval: &Approval, input: &mut impl BufRead) -> Decision {
    let asked = std::io::stderr().write_all(question(approval).as_bytes());
    match asked.and_then(|()| decide(approval, input)) {
        Ok(decision) => decision,
        Err(error) => denied(&format!("the person could not be asked: {error}")),
    }
}

fn question(approval: &Approval) -> String {
    // What a model wrote must do nothing to a terminal.
    let arguments = serde_json::to_string_pretty(&approval.arguments).unwrap_or_default();
    let shown: Vec<_> = arguments.lines().map(inert::plain).collect();
    let (agent, tool) = (inert::plain(&approval.agent), inert::plain(&approval.tool));
    format!("The agent {agent} wants to call {tool} with\n{}\nMay it? [y/N] ", shown.join("\n"))
}

fn decide(approval: &Approval, input: &mut impl BufRead) -> std::io::Result<Decision> {
    let mut answer = String::new();
    input.read_line(&mut answer)?;
    Ok(match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Decision::Approved { fingerprint: approval.fingerprint.clone() },
        _ => denied("no"),
    })
}

fn denied(reason: &str) -> Decision {
    Decision::Denied { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use futures_util::FutureExt;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_person_who_does_not_answer_keeps_one_thread_however_often_he_is_asked() {
        let (answers, answer) = mpsc::sync_channel(1);
        let mut first = Box::pin(at_the_terminal(move || answer.recv()));
        assert!((&mut first).now_or_never().is_none());
        // Nobody waits for it any more, and its thread goes on.
        drop(first);
        let begun = Arc::new(AtomicUsize::new(0));
        for _ in 0..3 {
            let counted = begun.clone();
            assert!(at_the_terminal(move || counted.fetch_add(1, Ordering::SeqCst)).now_or_never().is_none());
        }
        assert_eq!((begun.load(Ordering::SeqCst), Arc::strong_count(&begun)), (0, 1), "none is on a thread");
        answers.send(()).unwrap();
        assert_eq!(at_the_terminal(|| 7).await, Some(7));
    }

    fn approval() -> Approval {
        Approval {
            agent: "assistant".into(),
            tool: "write".to_owned(),
            arguments: json!({"text": "\u{1b}[2J\u{202e}x"}),
            fingerprint: "f".to_owned(),
        }
    }

    #[test]
    fn only_yes_approves_and_nothing_of_it_acts_on_the_terminal() {
        for (answer, is_approved) in
            [("y\n", true), ("YES\n", true), ("n\n", false), ("", false), ("\n", false), ("ye\n", false)]
        {
            let decision = decide(&approval(), &mut answer.as_bytes()).unwrap();
            assert_eq!(decision == Decision::Approved { fingerprint: "f".to_owned() }, is_approved, "{answer:?}");
        }
        let screen = question(&approval());
        assert!(screen.starts_with("The agent assistant wants to call write with\n{\n"), "{screen}");
        assert!(screen.ends_with("May it? [y/N] ") && !screen.contains('\u{1b}') && !screen.contains('\u{202e}'));
    }

    /// A person who answers when somebody else has written to standard error.
    struct Thinking;

    impl std::io::Read for Thinking {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let (done, is_done) = mpsc::sync_channel(1);
            let other = std::thread::spawn(move || {
                let _screen = std::io::stderr().lock();
                let _nobody_may_wait = done.send(());
            });
            // Long, so that only one who waits in vain comes to its end.
            is_done.recv_timeout(std::time::Duration::from_secs(20)).map_err(std::io::Error::other)?;
            other.join().unwrap();
            (&b"y\n"[..]).read(into)
        }
    }

    #[test]
    fn a_person_who_thinks_keeps_nobody_from_writing_to_standard_error() {
        let decision = ask_with(&approval(), &mut std::io::BufReader::new(Thinking));
        assert_eq!(decision, Decision::Approved { fingerprint: "f".to_owned() });
    }
}
