//! How does actix run a plain struct? The one actix actor of Callboard: everything else is an [`Agent`].

use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};

use actix::{Actor, ActorFuture, AsyncContext, Context};

use super::contain::{contain, drop_contained};
use super::door::Door;
use super::ledger::DeadLetter;
use super::orders::Order;
use super::queue::{Control, Lane, Letter, Next};
use super::reply::with_cause;
use crate::agent::{Agent, Life, Turn};
use crate::error::AskError;

/// How many messages one agent handles before it is the turn of the others on its shard.
const MESSAGES_IN_A_ROW: u32 = 64;

/// The actix actor around one incarnation of an agent.
pub(super) struct Shell<A: Agent> {
    agent: A,
    door: Arc<Door<A::Message>>,
    /// What this incarnation started.
    life: Life,
    /// Until the group has heard that the agent has started: what a message does is no failed start.
    is_shut: bool,
}

// The agent is only ever used through `&mut`; nothing is pinned inside the shell.
impl<A: Agent> Unpin for Shell<A> {}

impl<A: Agent> Shell<A> {
    pub(super) fn new(agent: A, door: Arc<Door<A::Message>>) -> Self {
        let is_shut = door.is_kept;
        Self { agent, door, life: Life::default(), is_shut }
    }

    /// Lets the agent take one turn.
    fn turn(&mut self, act: impl FnOnce(&mut A, &mut Turn<'_, A::Message>)) {
        let Self { agent, door, life, .. } = self;
        take_turn(agent, (door, life), true, act);
    }

    /// Handles one letter, unless it has become a dead one.
    #[inline]
    fn handle(&mut self, letter: Letter<A::Message>, is_last: bool) {
        let Letter { message, lane, asker, place, .. } = letter;
        drop(place);
        let Self { agent, door, life, .. } = self;
        let mut hand = InHand { door, settled: false, fingerprint: None };
        let has_left = asker.is_some_and(|asker| asker.has_left());
        let held_back = match lane {
            Lane::User if !has_left => hand.is_held_back(&message),
            _ => Ok(false),
        };
        let held_back = match held_back {
            Ok(held_back) => held_back,
            Err(panic) => {
                // The message first: if its drop panics as well, two panics at once would end the process.
                with_cause(AskError::Panicked, || drop_contained(message));
                std::panic::resume_unwind(Box::new(panic));
            }
        };
        let dead = match lane {
            Lane::Own { incarnation } if incarnation != door.incarnation() => {
                Some((DeadLetter::StaleIncarnation, door.end_of(incarnation)))
            }
            Lane::User if has_left => Some((DeadLetter::CallerLeft, AskError::Timeout)),
            Lane::User if held_back => Some((DeadLetter::Quarantined, AskError::Quarantined)),
            Lane::Own { .. } | Lane::User => None,
        };
        if let Some((reason, cause)) = dead {
            hand.dead(reason);
            return with_cause(cause, || drop_contained(message));
        }
        take_turn(agent, (door, life), is_last, |agent, turn| agent.handle(message, turn));
        hand.handled();
    }

    /// Handles what waits, up to a bound; then it is the turn of neighbours, timers and this agent's own work.
    #[inline]
    fn empty_mailbox(&mut self, cx: &task::Context<'_>) {
        for _ in 0..self.door.shared.in_a_row(MESSAGES_IN_A_ROW) {
            match self.door.next(cx.waker()) {
                Next::Letter(letter) => self.handle(letter, false),
                Next::Last(letter) => return self.handle(letter, true),
                Next::Wait => return self.answer_leave(),
                Next::Stop => return,
            }
        }
        cx.waker().wake_by_ref();
    }

    /// The guard may have asked whether the agent, which has nothing to do, agrees to be put away.
    fn answer_leave(&mut self) {
        if let Some(leave) = self.door.known_leave().filter(|leave| leave.is_asked()) {
            // In this order: whoever has told everybody has put its notice into the queue.
            leave.answer(!self.life.has_others() && self.door.pending() == 0 && self.agent.put_away());
        }
    }
}

#[inline]
fn take_turn<A: Agent>(
    agent: &mut A,
    (door, life): (&Arc<Door<A::Message>>, &mut Life),
    is_last: bool,
    act: impl FnOnce(&mut A, &mut Turn<'_, A::Message>),
) {
    let mut turn = Turn::new(door, life, is_last);
    act(agent, &mut turn);
    match turn.wants_to_stop() {
        true if door.is_kept => door.order(Order::Leave),
        true => door.raise(Control::Stop),
        false => {}
    }
}

impl<A: Agent> Actor for Shell<A> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // actix also calls this while it drops a context that never ran.
        if self.door.control() >= Control::Stop {
            return;
        }
        // While actix waits for something, it looks at nothing else: its own mailbox, which nobody uses, costs nothing.
        ctx.wait(Mailbox);
        self.turn(|agent, turn| agent.started(turn));
        self.door.mark_begun();
    }
}

impl<A: Agent> Drop for Shell<A> {
    fn drop(&mut self) {
        // What the incarnation started ends before its state, half-changed as that may be, is dropped with it.
        self.life.end();
    }
}

/// The agent's mailbox as actix sees it: something that is polled with the actor in hand, and never ends.
/// It takes no memory, of which actix would make a block.
struct Mailbox;

impl<A: Agent> ActorFuture<Shell<A>> for Mailbox {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        shell: &mut Shell<A>,
        _ctx: &mut Context<Shell<A>>,
        cx: &mut task::Context<'_>,
    ) -> Poll<()> {
        if std::mem::take(&mut shell.is_shut) {
            cx.waker().wake_by_ref();
        } else {
            shell.empty_mailbox(cx);
        }
        Poll::Pending
    }
}

/// The message in the handler's hands: handled, or dead if the handler panics. One that the handler took on for somebody else is not
/// settled here, however the handler ends.
struct InHand<'a, M: Send + 'static> {
    door: &'a Door<M>,
    settled: bool,
    /// Known when the agent has a quarantine.
    fingerprint: Option<u64>,
}

impl<M: Send + 'static> InHand<'_, M> {
    /// Whether the quarantine holds such messages; the text of a panic of the fingerprint.
    fn is_held_back(&mut self, message: &M) -> Result<bool, String> {
        let Some(quarantine) = self.door.quarantine() else { return Ok(false) };
        self.fingerprint = contain(|| quarantine.fingerprint(message))?;
        Ok(self.fingerprint.is_some_and(|fingerprint| quarantine.holds(fingerprint)))
    }

    /// The handler panicked.
    fn strike(&self) {
        let Some((quarantine, fingerprint)) = self.door.quarantine().zip(self.fingerprint) else { return };
        if quarantine.strike(fingerprint) {
            let (agent, name) = (self.door.id, &self.door.name);
            tracing::error!(%agent, %name, fingerprint, "messages with this fingerprint are quarantined: each killed the agent");
        }
    }

    /// The handler returned.
    #[inline]
    fn handled(mut self) {
        self.settled = true;
        if self.door.is_in_hand() {
            self.door.settle_handled();
        }
    }

    fn dead(mut self, reason: DeadLetter) {
        self.settled = true;
        self.door.settle_dead(reason);
    }
}

impl<M: Send + 'static> Drop for InHand<'_, M> {
    fn drop(&mut self) {
        if !self.settled {
            self.strike();
            if self.door.is_in_hand() {
                self.door.settle_dead(DeadLetter::Panicked);
            }
        }
    }
}
