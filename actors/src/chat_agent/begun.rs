//! What is carried out of an ask? Its future, put together by whoever begins it: of an ask that need not wait that is its asker, on his thread,
//! so that what the question brought is taken apart where it was made.

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
}

impl Begun {
    pub(super) fn new(
        turn: Arc<AskTurn>,
        reply: Reply<Ended>,
        work: impl Future<Output = Ended> + Send + 'static,
    ) -> Self {
        Self { turn, reply, work: Box::pin(work) }
    }

    /// It is not carried out after all.
    pub(super) fn refuse(self, why: Ended) {
        self.reply.send(why);
    }
}

impl Future for Begun {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.turn.has_come.store(true, Ordering::Release);
        if self.reply.poll_abandoned(cx).is_ready() {
            return Poll::Ready(());
        }
        // In hand: whoever waits learns of a panic.
        let reply = self.reply.take();
        match self.work.as_mut().poll(cx) {
            Poll::Ready(ended) => reply.send(ended),
            Poll::Pending => {
                self.reply = reply;
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }
}
