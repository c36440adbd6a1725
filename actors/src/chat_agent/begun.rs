//! What is carried out of an ask? Its future, put together by whoever begins it: of an ask that need not wait that is its asker, on his thread,
//! so that what the question brought is taken apart where it was made.
//!
//! What came of it is told when the shard has nothing else ready: the askers of all that end in one turn are woken one right after the
//! other, and their threads wake and sleep less often. Of a run of one call that is 3 of 44 us of processor time, of one with a tool 8 of 105.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use super::AskTurn;
use super::answer::Ended;
use crate::mailbox::Reply;

/// An ask whose turn has come: carried out until its end, or until its asker leaves.
pub(super) struct Begun {
    turn: Arc<AskTurn>,
    reply: Reply<Ended>,
    work: Pin<Box<dyn Future<Output = Ended> + Send>>,
    /// What came of it, as long as it is not told. In a box: nearly all that wait have none.
    ended: Option<Box<Ended>>,
}

impl Begun {
    pub(super) fn new(
        turn: Arc<AskTurn>,
        reply: Reply<Ended>,
        work: impl Future<Output = Ended> + Send + 'static,
    ) -> Self {
        Self { turn, reply, work: Box::pin(work), ended: None }
    }

    /// It is not carried out after all.
    pub(super) fn refuse(mut self, why: Ended) {
        self.ended = Some(Box::new(why));
        self.tell();
    }

    fn tell(&mut self) {
        if let Some(ended) = self.ended.take() {
            self.reply.take().send(*ended);
        }
    }
}

impl Drop for Begun {
    /// Whoever is answered has his answer, also of an agent that ends meanwhile.
    fn drop(&mut self) {
        self.tell();
    }
}

impl Future for Begun {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.turn.has_come.store(true, Ordering::Release);
        if self.reply.poll_abandoned(cx).is_ready() {
            return Poll::Ready(());
        }
        if self.ended.is_some() {
            self.tell();
            return Poll::Ready(());
        }
        // In hand: whoever waits learns of a panic.
        let reply = self.reply.take();
        self.ended = match self.work.as_mut().poll(cx) {
            Poll::Ready(ended) => {
                cx.waker().wake_by_ref();
                Some(Box::new(ended))
            }
            Poll::Pending => None,
        };
        self.reply = reply;
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::{poll_fn, ready};
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;
    use crate::agent::{Agent, Turn};
    use crate::mailbox::{AgentRef, AgentSpec, Ask};
    use crate::runtime::simulated;

    struct Idle;

    impl Agent for Idle {
        type Message = ();

        fn handle(&mut self, (): (), _turn: &mut Turn<'_, ()>) {}
    }

    fn begun(actor: &AgentRef<()>, work: impl Future<Output = Ended> + Send + 'static) -> (Begun, Ask<Ended>) {
        let turn = Arc::new(AskTurn { agent: "anna".into(), asked: Instant::now(), has_come: false.into() });
        let mut begun = None;
        let ask = actor.ask_beside(Duration::from_secs(1), |reply| begun = Some(Begun::new(turn, reply, work)));
        (begun.unwrap(), ask)
    }

    async fn polled(begun: &mut Begun) -> Poll<()> {
        poll_fn(|cx| Poll::Ready(Pin::new(&mut *begun).poll(cx))).await
    }

    #[test]
    fn an_answer_is_told_in_the_next_turn_or_when_nothing_is_polled_any_more() {
        simulated(1, |runtime| async move {
            let actor = runtime.spawn(AgentSpec::new("idle", || Idle)).unwrap();
            let (mut told, ask) = begun(&actor, ready(Ok(Box::default())));
            assert_eq!((polled(&mut told).await, polled(&mut told).await), (Poll::Pending, Poll::Ready(())));
            assert!(matches!(ask.await, Ok(Ok(_))));
            let (mut dropped, ask) = begun(&actor, ready(Ok(Box::default())));
            assert_eq!(polled(&mut dropped).await, Poll::Pending);
            drop(dropped);
            assert!(matches!(ask.await, Ok(Ok(_))), "it was there already");
        });
    }
}
