//! What did an incarnation start? Its work and its children, which end with it.

use std::sync::Arc;

use crate::event::CancelReason;
use crate::mailbox::AnyAgent;
use crate::scope::Scope;

/// What hangs on one incarnation. An agent that never starts anything holds nothing for it.
#[derive(Default)]
pub(crate) struct Life(Option<Box<Started>>);

#[derive(Default)]
struct Started {
    /// Ends the work.
    work: Option<Scope>,
    /// In the order of their start.
    children: Others,
    /// Those whose end it wants to hear of.
    watched: Others,
}

/// Other agents, without those that are gone.
#[derive(Default)]
struct Others {
    agents: Vec<Arc<dyn AnyAgent>>,
    /// Look for those that are gone when there are this many.
    prune_at: usize,
}

impl Others {
    /// Looks for those that are gone only when the number has doubled since the last time.
    fn add(&mut self, other: Arc<dyn AnyAgent>) {
        if self.agents.len() >= self.prune_at.max(8) {
            self.agents.retain(|other| !other.has_told());
            self.prune_at = self.agents.len() * 2;
        }
        self.agents.push(other);
    }

    fn is_any_alive(&self) -> bool {
        self.agents.iter().any(|other| !other.has_told())
    }
}

impl Life {
    /// The scope of this incarnation's work, below the agent's own.
    pub(super) fn scope(&mut self, agent: &Scope) -> &Scope {
        self.0.get_or_insert_default().work.get_or_insert_with(|| agent.child())
    }

    /// Remembers a child.
    pub(super) fn adopt(&mut self, child: Arc<dyn AnyAgent>) {
        self.0.get_or_insert_default().children.add(child);
    }

    /// Remembers whom it watches.
    pub(super) fn look_at(&mut self, watched: Arc<dyn AnyAgent>) {
        self.0.get_or_insert_default().watched.add(watched);
    }

    /// Whether a child lives, or somebody whom it watches.
    pub(crate) fn has_others(&self) -> bool {
        self.0.as_ref().is_some_and(|started| started.children.is_any_alive() || started.watched.is_any_alive())
    }

    /// Ends the work, and stops the children, the youngest first.
    pub(crate) fn end(&mut self) {
        let Some(started) = self.0.take() else { return };
        if let Some(work) = started.work {
            work.cancel(CancelReason::Parent);
        }
        for child in started.children.agents.into_iter().rev() {
            child.stop();
        }
    }
}
