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
    children: Vec<Arc<dyn AnyAgent>>,
    /// Look for children that are gone when there are this many.
    prune_at: usize,
}

impl Life {
    /// The scope of this incarnation's work, below the agent's own.
    pub(super) fn scope(&mut self, agent: &Scope) -> &Scope {
        self.0.get_or_insert_default().work.get_or_insert_with(|| agent.child())
    }

    /// Remembers a child. Looks for those that are gone only when the number has doubled since the last time.
    pub(super) fn adopt(&mut self, child: Arc<dyn AnyAgent>) {
        let started = self.0.get_or_insert_default();
        if started.children.len() >= started.prune_at.max(8) {
            started.children.retain(|child| !child.is_gone());
            started.prune_at = started.children.len() * 2;
        }
        started.children.push(child);
    }

    /// Whether a child lives.
    pub(crate) fn has_children(&self) -> bool {
        self.0.as_ref().is_some_and(|started| started.children.iter().any(|child| !child.is_gone()))
    }

    /// Ends the work, and stops the children, the youngest first.
    pub(crate) fn end(&mut self) {
        let Some(started) = self.0.take() else { return };
        if let Some(work) = started.work {
            work.cancel(CancelReason::Parent);
        }
        for child in started.children.into_iter().rev() {
            child.stop();
        }
    }
}
