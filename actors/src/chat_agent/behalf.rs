//! On whose behalf is something asked, and at whose expense? What most questions say nothing of, and only a box for those that do.

use std::sync::Arc;

use super::callers::Callers;
use super::host::Host;
use crate::gateway::Budget;

/// The parts of a [`Question`](super::Question) of that name.
#[derive(Default)]
pub(super) struct Behalf {
    pub(super) run: Option<String>,
    pub(super) user: Option<String>,
    pub(super) session: Option<String>,
    pub(super) budget: Option<Budget>,
    pub(super) callers: Callers,
    /// The agent that was asked, once another one goes on for it.
    pub(super) asked: Option<Arc<Host>>,
}

impl Behalf {
    pub(super) fn is_empty(&self) -> bool {
        let Self { run, user, session, budget, callers, asked: _ } = self;
        run.is_none() && user.is_none() && session.is_none() && budget.is_none() && callers.is_empty()
    }
}
