//! Does a keeper come to its end, whoever is late and whatever happens at the same time? The agents are puppets that only
//! write down what they are asked; their reports come when the test says so.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::{Keeper, Kept};
use crate::mailbox::{AgentInfo, AnyAgent, Control, Order};
use crate::runtime::{Runtime, simulated};
use crate::supervision::tree::{End, GroupSpec, Lifetime, Strategy, Tree};
use crate::supervision::{Backoff, Down, RestartPolicy};

/// Longer than anything that a test waits for.
const LONG: Duration = Duration::from_secs(3_600);
const PATIENCE: Duration = Duration::from_secs(7);

type Story = Arc<Mutex<Vec<String>>>;

struct Puppet {
    name: &'static str,
    story: Story,
}

impl Puppet {
    fn heard(&self, what: String) {
        self.story.lock().unwrap().push(format!("{}:{what}", self.name));
    }
}

impl AnyAgent for Puppet {
    fn info(&self) -> AgentInfo {
        panic!("a keeper does not look at its agents")
    }

    fn pending(&self) -> u64 {
        0
    }

    fn left(&self) -> u64 {
        0
    }

    fn has_told(&self) -> bool {
        false
    }

    fn is_at_rest(&self) -> bool {
        false
    }

    fn is_unwatched(&self) -> bool {
        false
    }

    fn raise(&self, control: Control) {
        self.heard(format!("{control:?}").to_lowercase());
    }

    fn order(&self, order: Order) {
        self.heard(format!("{order:?}").to_lowercase());
    }

    fn watch(&self, _notice: Box<dyn FnMut(&Down) + Send>) {}
}

struct Stage {
    runtime: Runtime,
    keeper: Arc<Keeper>,
    story: Story,
}

impl Stage {
    fn new(runtime: Runtime, strategy: Strategy, max_restarts: u32, backoff: Duration) -> Self {
        let backoff = Backoff { first: backoff, longest: backoff, ..Backoff::default() };
        let policy = RestartPolicy { max_restarts, within: 10 * LONG, backoff };
        let tree = Tree::new(GroupSpec { strategy, policy, ..GroupSpec::default() });
        let keeper = Arc::new(Keeper::new(runtime.shared(), tree));
        Self { runtime, keeper, story: Story::default() }
    }

    /// Adds a child and lets it come up.
    fn child(&self, name: &'static str, stop_within: Duration) -> Kept {
        let agent = Arc::new(Puppet { name, story: self.story.clone() });
        let mut kept = self.keeper.tell(|state| {
            let leaf = state.tree.add_agent(state.tree.root(), Lifetime::Permanent).expect("the group lives");
            state.add_member(leaf, agent, stop_within);
            Kept::new(&self.keeper, leaf)
        });
        kept.begin(1);
        kept.up();
        kept
    }

    fn stop(&self) {
        self.keeper.tell(|state| {
            state.closing = true;
            state.tree.stop();
        });
    }

    fn told(&self) -> String {
        std::mem::take(&mut *self.story.lock().unwrap()).join(" ")
    }

    /// How long the tree takes to end from now on.
    async fn end(&self) -> Duration {
        let before = Instant::now();
        timeout(LONG, self.keeper.ended.cancelled()).await.expect("the tree ends");
        before.elapsed()
    }
}

/// Does something when an error is logged.
struct AtAnError(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl tracing::Subscriber for AtAnError {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::ERROR
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        if let Some(act) = self.0.lock().unwrap().take() {
            act();
        }
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn the_last_agent_may_end_while_another_thread_is_about_to_say_that_the_tree_gave_up() {
    simulated(1, |runtime| async move {
        let stage = Stage::new(runtime, Strategy::OneForOne, 0, Duration::ZERO);
        let [elder, younger] = ["a", "b"].map(|name| stage.child(name, PATIENCE));
        younger.ended(End::Crash);
        let meanwhile = AtAnError(Mutex::new(Some(Box::new(move || younger.finished()))));
        tracing::subscriber::with_default(meanwhile, || elder.finished());
        assert!(stage.keeper.gave_up.is_cancelled());
        assert_eq!(stage.end().await, Duration::ZERO);
    });
}

#[test]
fn a_tree_that_is_stopped_while_it_halts_a_blocked_agent_ends_without_it() {
    simulated(1, |runtime| async move {
        let stage = Stage::new(runtime, Strategy::OneForAll, 5, Duration::ZERO);
        let [elder, _blocked] = ["a", "b"].map(|name| stage.child(name, PATIENCE));
        assert_eq!(stage.told(), "a:begin(1) b:begin(1)");
        elder.ended(End::Crash);
        assert_eq!(stage.told(), "a:retain b:halt(1)");
        stage.stop();
        elder.finished();
        assert_eq!(stage.end().await, PATIENCE, "as long as one agent may take, and not twice");
        assert_eq!(stage.told(), "b:stop");
    });
}

#[test]
fn a_tree_does_not_wait_for_an_agent_that_was_late_before_it_was_stopped() {
    simulated(1, |runtime| async move {
        let stage = Stage::new(runtime, Strategy::OneForAll, 5, LONG);
        let [elder, _blocked] = ["a", "b"].map(|name| stage.child(name, PATIENCE));
        elder.ended(End::Crash);
        tokio::time::sleep(PATIENCE * 2).await;
        assert_eq!(stage.told(), "a:begin(1) b:begin(1) a:retain b:halt(1)");
        stage.stop();
        elder.finished();
        assert_eq!(stage.end().await, Duration::ZERO);
        assert_eq!(stage.told(), "b:stop a:stop");
    });
}

#[test]
fn an_agent_that_is_down_when_it_is_to_go_and_does_not_go_is_not_waited_for_for_ever() {
    simulated(1, |runtime| async move {
        let stage = Stage::new(runtime, Strategy::OneForOne, 5, LONG);
        let child = stage.child("a", PATIENCE);
        child.ended(End::Crash);
        stage.stop();
        assert_eq!(stage.end().await, PATIENCE);
        assert_eq!(stage.told(), "a:begin(1) a:retain a:stop a:stop");
    });
}

#[test]
fn what_a_life_says_that_the_group_has_gone_on_without_is_nobodys_business() {
    simulated(1, |runtime| async move {
        let stage = Stage::new(runtime, Strategy::OneForAll, 1, LONG);
        let [mut elder, mut blocked] = ["a", "b"].map(|name| stage.child(name, PATIENCE));
        elder.ended(End::Crash);
        tokio::time::sleep(PATIENCE * 2).await;
        assert_eq!(stage.told(), "a:begin(1) b:begin(1) a:retain b:halt(1)");
        // Too late, before the next life and after its beginning.
        blocked.ended(End::Crash);
        tokio::time::sleep(LONG).await;
        assert_eq!(stage.told(), "a:begin(2)");
        elder.begin(2);
        elder.up();
        assert_eq!(stage.told(), "b:begin(2)");
        blocked.ended(End::Crash);
        blocked.ended(End::Halted);
        assert_eq!(stage.told(), "", "not even counted: one more death would be one too many");
        blocked.begin(2);
        blocked.up();
        blocked.ended(End::Crash);
        assert_eq!(stage.told(), "b:stop a:stop");
    });
}

#[test]
fn the_patience_for_one_life_is_not_another_ones() {
    simulated(1, |runtime| async move {
        let stage = Stage::new(runtime, Strategy::OneForAll, 9, Duration::ZERO);
        let [mut elder, mut younger] = ["a", "b"].map(|name| stage.child(name, PATIENCE));
        for life in [2, 3] {
            elder.ended(End::Crash);
            if life == 3 {
                // A timer for the first life that goes off late.
                stage.keeper.give_up_on(younger.leaf, 1);
                assert_eq!(stage.told(), "a:retain b:halt(2)", "it is waited for");
            }
            younger.ended(End::Halted);
            elder.begin(life);
            elder.up();
            younger.begin(life);
            younger.up();
            stage.told();
        }
    });
}

#[test]
fn a_restart_waits_for_its_backoff_and_says_at_once_that_it_will_come() {
    simulated(1, |runtime| async move {
        let stage = Stage::new(runtime, Strategy::OneForOne, 9, LONG);
        let child = stage.child("a", PATIENCE);
        assert_eq!(stage.told(), "a:begin(1)");
        child.ended(End::Crash);
        assert_eq!(stage.told(), "a:retain");
        // The jitter takes at most half of it.
        tokio::time::sleep(LONG / 2 - PATIENCE).await;
        assert_eq!(stage.told(), "");
        tokio::time::sleep(LONG / 2 + PATIENCE).await;
        assert_eq!(stage.told(), "a:begin(2)");
    });
}

#[test]
fn a_tree_that_was_stopped_ends_with_its_last_agent() {
    simulated(1, |runtime| async move {
        let stage = Stage::new(runtime, Strategy::OneForOne, 9, Duration::ZERO);
        let [elder, younger] = ["a", "b"].map(|name| stage.child(name, PATIENCE));
        stage.stop();
        younger.finished();
        assert_eq!(stage.told(), "a:begin(1) b:begin(1) b:drain a:drain");
        assert!(!stage.keeper.ended.is_cancelled());
        elder.finished();
        assert!(stage.keeper.ended.is_cancelled());
    });
}

#[test]
fn no_timer_outlives_what_it_is_for() {
    simulated(1, |runtime| async move {
        let stage = Stage::new(runtime, Strategy::OneForAll, 5, Duration::ZERO);
        let [elder, mut younger] = ["a", "b"].map(|name| stage.child(name, Duration::MAX));
        elder.ended(End::Crash);
        assert_eq!(stage.runtime.shared().watches(), 1, "for the younger one, which is being halted");
        younger.ended(End::Halted);
        tokio::task::yield_now().await;
        assert_eq!(stage.runtime.shared().watches(), 0, "nobody is waited for");
        younger.begin(2);
        stage.stop();
        elder.finished();
        younger.finished();
        tokio::task::yield_now().await;
        assert_eq!(stage.runtime.shared().watches(), 0);
        assert_eq!(stage.end().await, Duration::ZERO);
    });
}
