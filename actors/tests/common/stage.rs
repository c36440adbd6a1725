//! Agents of a group that write down when each of them starts and ends.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use callboard_actors::agent::{Agent, Turn};
use callboard_actors::mailbox::{AgentRef, AgentSpec, Reply};
use callboard_actors::supervision::tree::{GroupSpec, Lifetime, Strategy};
use callboard_actors::supervision::{Backoff, Group, RestartPolicy};

/// Writes down each of its starts and ends.
pub(crate) struct Actor {
    name: &'static str,
    story: Arc<Mutex<Vec<String>>>,
}

pub(crate) enum Cue {
    Die,
    Leave,
    Ping(Reply<&'static str>),
}

impl Agent for Actor {
    type Message = Cue;

    fn started(&mut self, _turn: &mut Turn<'_, Cue>) {
        self.story.lock().unwrap().push(format!("+{}", self.name));
    }

    fn handle(&mut self, cue: Cue, turn: &mut Turn<'_, Cue>) {
        match cue {
            // Without the panic hook, which would print each of them.
            Cue::Die => std::panic::resume_unwind(Box::new("on purpose")),
            Cue::Leave => turn.stop(),
            Cue::Ping(reply) => reply.send(self.name),
        }
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        self.story.lock().unwrap().push(format!("-{}", self.name));
    }
}

pub(crate) struct Stage {
    pub(crate) group: Group,
    pub(crate) story: Arc<Mutex<Vec<String>>>,
}

impl Stage {
    pub(crate) fn actor(&self, name: &'static str, lifetime: Lifetime) -> AgentRef<Cue> {
        Self::actor_in(&self.group, &self.story, name, lifetime)
    }

    pub(crate) fn actor_in(
        group: &Group,
        story: &Arc<Mutex<Vec<String>>>,
        name: &'static str,
        lifetime: Lifetime,
    ) -> AgentRef<Cue> {
        let story = story.clone();
        group.spawn(AgentSpec::new(name, move || Actor { name, story: story.clone() }), lifetime).unwrap()
    }

    pub(crate) fn told(&self) -> String {
        std::mem::take(&mut *self.story.lock().unwrap()).join(" ")
    }
}

pub(crate) fn spec(strategy: Strategy, max_restarts: u32) -> GroupSpec {
    let backoff = Backoff { first: Duration::ZERO, longest: Duration::ZERO, ..Backoff::default() };
    let policy = RestartPolicy { max_restarts, within: Duration::from_secs(10), backoff };
    GroupSpec { strategy, policy, ..GroupSpec::default() }
}

/// Long enough for everything that needs no timer.
pub(crate) async fn settled() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}
