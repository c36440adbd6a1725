//! Which agents stand behind the servers and threads of these tests? One that answers, and one that asks another.

use std::time::Duration;

use callboard::prelude::*;
use tokio::sync::mpsc;

/// A deadline that is only reached when something is broken.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// Doubles numbers, and keeps a question until its asker has left.
pub(crate) struct Desk {
    story: mpsc::Sender<Story>,
}

/// What a [`Desk`] tells of a question that it keeps.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Story {
    Asked,
    Left,
}

pub(crate) enum Question {
    Double(u64, Reply<u64>),
    Keep(Reply<u64>),
    Left,
}

impl Agent for Desk {
    type Message = Question;

    fn handle(&mut self, question: Question, turn: &mut Turn<'_, Question>) {
        match question {
            Question::Double(number, reply) => reply.send(2 * number),
            Question::Keep(mut reply) => {
                assert!(!reply.is_abandoned(), "whoever asks is still there");
                let until_it_leaves = async move { reply.abandoned().await };
                assert!(turn.start(until_it_leaves, |_| Question::Left).is_ok());
                self.story.try_send(Story::Asked).expect("there is room for the whole story");
            }
            Question::Left => self.story.try_send(Story::Left).expect("there is room for the whole story"),
        }
    }
}

pub(crate) fn runtime() -> Runtime {
    Runtime::start(RuntimeConfig { shards: 2, ..RuntimeConfig::default() }).expect("threads can be started")
}

/// A desk, and what it tells.
pub(crate) fn desk(runtime: &Runtime) -> (AgentRef<Question>, mpsc::Receiver<Story>) {
    let (story, told) = mpsc::channel(8);
    let desk = AgentSpec::new("desk", move || Desk { story: story.clone() });
    (runtime.spawn(desk).expect("the runtime runs"), told)
}

/// Has a desk in another runtime double its numbers.
pub(crate) struct Clerk {
    desk: AgentRef<Question>,
}

pub(crate) enum Errand {
    Double(u64, Reply<Result<u64, AskError>>),
    Done(Result<u64, AskError>, Reply<Result<u64, AskError>>),
}

impl Agent for Clerk {
    type Message = Errand;

    fn handle(&mut self, errand: Errand, turn: &mut Turn<'_, Errand>) {
        match errand {
            Errand::Double(number, reply) => {
                let answer = self.desk.ask(LONG, |reply| Question::Double(number, reply));
                let done = |answer: Result<_, WorkError>| Errand::Done(answer.expect("an ask does not panic"), reply);
                assert!(turn.start(answer, done).is_ok());
            }
            Errand::Done(answer, reply) => reply.send(answer),
        }
    }
}

pub(crate) fn clerk(runtime: &Runtime, desk: &AgentRef<Question>) -> AgentRef<Errand> {
    let desk = desk.clone();
    let clerk = AgentSpec::new("clerk", move || Clerk { desk: desk.clone() });
    runtime.spawn(clerk).expect("the runtime runs")
}
