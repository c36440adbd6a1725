//! What does it take to make actors of plain actix, each with a name, instructions and a tool? What the construction of agents is compared
//! with. They live from their start, where an agent of ours begins to live with its first ask.

use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler, Message, System};

use super::SYSTEM;
use super::runs::answer_of;
use crate::clock::process_time;
use crate::measure::memory::resident_bytes;

/// What a process is called that makes them and measures itself.
pub(super) const MADE_BY_ACTIX: &str = "made-by-actix";

/// A tool as one would write it by hand.
type Tool = Arc<dyn Fn(&str) -> String + Send + Sync>;

struct Plain {
    name: String,
    instructions: String,
    tool: Tool,
}

impl Actor for Plain {
    type Context = Context<Self>;
}

struct Ask(&'static str);

impl Message for Ask {
    type Result = usize;
}

impl Handler<Ask> for Plain {
    type Result = usize;

    fn handle(&mut self, Ask(city): Ask, _: &mut Context<Self>) -> usize {
        self.name.len() + self.instructions.len() + (self.tool)(city).len()
    }
}

/// Microseconds of each actor, and resident bytes of each before and after it has answered.
pub(super) fn made_by_actix(actors: usize) -> [f64; 3] {
    let tool: Tool = Arc::new(answer_of);
    System::new().block_on(async move {
        let start = |_| {
            let (name, instructions) = ("assistant".to_owned(), SYSTEM.to_owned());
            Plain { name, instructions, tool: tool.clone() }.start()
        };
        // Pages that one needs anyway do not count.
        let warm: Vec<_> = (0..1_000).map(start).collect();
        all_are_asked(&warm).await;
        let mut all = Vec::with_capacity(actors);
        let (resident, before) = (resident_bytes(), process_time());
        all.extend((0..actors).map(start));
        // Its task is made at once, and begins with the next turn of the thread.
        tokio::task::yield_now().await;
        let (took, idle) = (process_time() - before, resident_bytes());
        all_are_asked(&all).await;
        let each = |figure: f64| figure / actors as f64;
        [each(took.as_secs_f64() * 1e6), each(idle - resident), each(resident_bytes() - resident)]
    })
}

async fn all_are_asked(actors: &[Addr<Plain>]) {
    for actor in actors {
        let said = actor.send(Ask("Oslo")).await.expect("it is answered");
        assert!(said > 0);
    }
}
