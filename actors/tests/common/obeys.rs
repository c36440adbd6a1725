//! An agent that does in its turn what a test tells it.
#![allow(dead_code, reason = "each test file uses some of it")]

use callboard_actors::agent::{Agent, Turn};
use callboard_actors::mailbox::AgentSpec;

/// Does in its turn what it is told.
pub(crate) struct Obeys;

type Act = dyn FnOnce(&mut Turn<'_, Told>) + Send;

pub(crate) struct Told(Box<Act>);

impl Told {
    pub(crate) fn to(act: impl FnOnce(&mut Turn<'_, Told>) + Send + 'static) -> Self {
        Self(Box::new(act))
    }
}

impl Agent for Obeys {
    type Message = Told;

    fn handle(&mut self, told: Told, turn: &mut Turn<'_, Told>) {
        (told.0)(turn);
    }
}

pub(crate) fn obeys() -> AgentSpec<Obeys> {
    AgentSpec::new("obeys", || Obeys)
}
