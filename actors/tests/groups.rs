//! Are the agents of a group started in order, restarted together, and ended in reverse order?

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use callboard_actors::agent::{Agent, Turn};
use callboard_actors::error::{AskError, StartError};
use callboard_actors::mailbox::{AgentRef, AgentSpec, Reply};
use callboard_actors::runtime::{Runtime, simulated};
use callboard_actors::supervision::Group;
use callboard_actors::supervision::tree::{GroupSpec, Lifetime, Strategy};
use callboard_actors::supervision::{Backoff, Next, RestartPolicy};
use callboard_actors::testkit::{Log, explore};
use common::stage::{Cue, Stage, settled, spec};
use common::{LONG, runtime, wait};

#[test]
fn who_goes_with_whom_is_the_strategys_and_the_order_is_the_one_of_the_start() {
    for (strategy, after) in [
        (Strategy::OneForOne, "-b +b"),
        (Strategy::OneForAll, "-b -c -a +a +b +c"),
        (Strategy::RestForOne, "-b -c +b +c"),
    ] {
        simulated(1, |runtime| async move {
            let stage = Stage { group: runtime.group(spec(strategy, 1)), story: Arc::default() };
            let [_a, b, c] = ["a", "b", "c"].map(|name| stage.actor(name, Lifetime::Permanent));
            assert_eq!(c.ask(LONG, Cue::Ping).await, Ok("c"));
            assert_eq!(stage.told(), "+a +b +c");
            b.tell(Cue::Die).unwrap();
            let queued = b.ask(LONG, Cue::Ping);
            assert_eq!(queued.await, Ok("b"), "the queue stays");
            settled().await;
            assert_eq!(stage.told(), after, "{strategy:?}");
            stage.group.stop();
            stage.group.ended().await;
            assert_eq!(stage.told(), "-c -b -a");
            assert!(!stage.group.gave_up() && runtime.directory().is_empty());
        });
    }
}

#[test]
fn a_lifetime_says_which_ends_are_followed_by_a_restart() {
    simulated(1, |runtime| async move {
        let stage = Stage { group: runtime.group(spec(Strategy::OneForOne, 9)), story: Arc::default() };
        for (lifetime, leaves, dies) in
            [(Lifetime::Permanent, true, true), (Lifetime::Transient, false, true), (Lifetime::Temporary, false, false)]
        {
            for (cue, comes_back) in [(Cue::Leave, leaves), (Cue::Die, dies)] {
                let agent = stage.actor("a", lifetime);
                let notices = Arc::new(Mutex::new(Vec::new()));
                let heard = notices.clone();
                agent.watch(move |down| heard.lock().unwrap().push((down.incarnation, down.next)));
                settled().await;
                agent.tell(cue).unwrap();
                let answer = agent.ask(LONG, Cue::Ping).await;
                assert_eq!(answer.is_ok(), comes_back, "{lifetime:?}");
                let next = if comes_back { Next::Restarts } else { Next::Gone };
                assert_eq!(*notices.lock().unwrap(), [(1, next)], "one notice for each incarnation");
            }
        }
    });
}

#[test]
fn watchers_hear_of_a_death_when_it_happens_and_not_when_the_agent_is_back() {
    simulated(1, |runtime| async move {
        let backoff = Duration::from_secs(100);
        let backoff = Backoff { first: backoff, longest: backoff, ..Backoff::default() };
        let policy = RestartPolicy { backoff, ..RestartPolicy::default() };
        let group = runtime.group(GroupSpec { policy, ..GroupSpec::default() });
        let stage = Stage { group, story: Arc::default() };
        let agent = stage.actor("a", Lifetime::Permanent);
        assert_eq!(agent.ask(LONG, Cue::Ping).await, Ok("a"));
        let heard = Arc::new(Mutex::new(None));
        let hears = heard.clone();
        agent.watch(move |down| *hears.lock().unwrap() = Some(down.next));
        agent.tell(Cue::Die).unwrap();
        settled().await;
        assert_eq!(*heard.lock().unwrap(), Some(Next::Restarts));
        assert_eq!(stage.told(), "+a -a");
    });
}

#[test]
fn what_a_group_cannot_put_right_is_its_parents_affair() {
    simulated(1, |runtime| async move {
        let stage = Stage { group: runtime.group(spec(Strategy::OneForAll, 1)), story: Arc::default() };
        let eldest = stage.actor("a", Lifetime::Permanent);
        let inner = stage.group.group(spec(Strategy::OneForOne, 1)).unwrap();
        let child = Stage::actor_in(&inner, &stage.story, "b", Lifetime::Permanent);
        settled().await;
        assert_eq!(stage.told(), "+a +b");
        child.tell(Cue::Die).unwrap();
        settled().await;
        assert_eq!(stage.told(), "-b +b", "the inner group's own restart");
        child.tell(Cue::Die).unwrap();
        settled().await;
        assert_eq!(stage.told(), "-b -a +a +b", "the outer group's");
        for _ in 0..2 {
            assert_eq!(child.ask(LONG, Cue::Ping).await, Ok("b"));
            child.tell(Cue::Die).unwrap();
            settled().await;
        }
        stage.group.ended().await;
        assert!(stage.group.gave_up());
        assert_eq!(eldest.ask(LONG, Cue::Ping).await, Err(AskError::Stopped));
        let late = stage.group.spawn(AgentSpec::new("late", common::Counter::default), Lifetime::Permanent);
        assert_eq!(late.map(|agent| agent.id()), Err(StartError::GroupEnded));
        assert!(runtime.ledger().balances() && runtime.directory().is_empty());
    });
}

/// Six agents of one group, all up, that may take 20 ms to end.
fn six(runtime: &Runtime) -> (Group, Vec<AgentRef<common::Count>>) {
    let group = runtime.group(spec(Strategy::OneForAll, 5));
    let child = || common::counter().stop_within(Duration::from_millis(20));
    let children: Vec<_> = (0..6).map(|_| group.spawn(child(), Lifetime::Permanent).unwrap()).collect();
    for child in &children {
        wait(child.ask(LONG, common::Count::Get)).unwrap();
    }
    (group, children)
}

/// One that does not share the shard of the last: ids are spread over the shards.
fn elsewhere(children: &[AgentRef<common::Count>]) -> &AgentRef<common::Count> {
    let is_free = |child: &&AgentRef<common::Count>| child.info().shard != children[5].info().shard;
    children.iter().find(is_free).expect("one lives elsewhere")
}

#[test]
fn an_agent_that_does_not_end_in_time_holds_up_neither_a_restart_nor_the_stop() {
    let runtime = runtime(8);
    let (group, children) = six(&runtime);
    let release = common::hold(&children[5]);
    let free = elsewhere(&children);
    free.tell(common::Count::Add).unwrap();
    free.tell(common::Count::Quiet).unwrap();
    assert_eq!(wait(free.ask(LONG, common::Count::Get)), Ok((0, 0)), "it is back although one did not end");
    group.stop();
    wait(free.gone());
    wait(group.ended());
    drop(release);
    children.iter().for_each(|child| drop(wait(child.gone())));
    assert!(runtime.directory().is_empty());
    runtime.stop_blocking(LONG);
}

#[test]
fn a_group_that_is_stopped_while_it_halts_a_blocked_agent_ends_without_it() {
    let runtime = runtime(8);
    let (group, children) = six(&runtime);
    let release = common::hold(&children[5]);
    let free = elsewhere(&children);
    free.tell(common::Count::Quiet).unwrap();
    while free.info().restarts == 0 {
        std::thread::yield_now();
    }
    group.stop();
    wait(group.ended());
    drop(release);
    children.iter().for_each(|child| drop(wait(child.gone())));
}

#[test]
fn a_group_holds_together_under_every_interleaving() {
    async fn play(seed: u64, runtime: callboard_actors::runtime::Runtime, log: Log) {
        let strategies = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne];
        let strategy = strategies[usize::try_from(seed % 3).unwrap()];
        let stage = Stage { group: runtime.group(spec(strategy, 4)), story: Arc::default() };
        let names = ["a", "b", "c", "d"];
        let cast = names.map(|name| stage.actor(name, Lifetime::Permanent));
        let mut dice = seed;
        for _ in 0..6 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let agent = &cast[usize::try_from(dice >> 33).unwrap() % cast.len()];
            let _sent = agent.tell(if dice >> 60 < 8 { Cue::Die } else { Cue::Leave });
            if dice >> 50 & 1 == 1 {
                settled().await;
            }
        }
        tokio::time::sleep(Duration::from_secs(30)).await;
        for (name, agent) in names.iter().zip(&cast) {
            let answer = agent.ask(LONG, Cue::Ping).await;
            let expected = if stage.group.gave_up() { Err(AskError::Stopped) } else { Ok(*name) };
            assert_eq!(answer, expected, "all of them live, or none");
        }
        stage.group.stop();
        stage.group.ended().await;
        let story = stage.told();
        for name in names {
            let (began, ended) =
                (story.matches(&format!("+{name}")).count(), story.matches(&format!("-{name}")).count());
            assert_eq!(began, ended, "whoever began has ended: {story}");
        }
        assert!(runtime.directory().is_empty() && runtime.ledger().balances());
        log.note(story);
    }
    explore(common::chance::seeds(300), play);
}

/// Needs its group while it is dropped.

#[test]
fn the_end_of_the_runtime_is_the_end_of_the_group() {
    let runtime = runtime(2);
    let group = runtime.group(spec(Strategy::OneForAll, 1));
    let stopped = callboard_actors::scope::Scope::root();
    stopped.cancel(callboard_actors::event::CancelReason::Interrupted);
    let dead = group.spawn(common::counter().scope(stopped), Lifetime::Permanent).unwrap();
    wait(dead.gone());
    let child = group.spawn(common::counter(), Lifetime::Permanent).unwrap();
    wait(child.ask(LONG, common::Count::Get)).unwrap();
    runtime.stop_blocking(LONG);
    wait(group.ended());
}

/// Keeps questions, in its state and in work, unanswered.
struct Keeper {
    kept: Option<Reply<()>>,
}

impl Agent for Keeper {
    type Message = (bool, Option<Reply<()>>);

    fn handle(&mut self, (in_work, reply): Self::Message, turn: &mut Turn<'_, Self::Message>) {
        if in_work {
            assert!(turn.start(std::future::pending::<()>(), move |_ended| (false, reply)).is_ok());
        } else {
            self.kept = reply;
        }
    }
}

#[test]
fn who_asked_an_agent_that_its_group_ended_learns_that_it_stopped_wherever_the_question_was() {
    simulated(1, |runtime| async move {
        let stage = Stage { group: runtime.group(spec(Strategy::OneForAll, 5)), story: Arc::default() };
        let keeper =
            stage.group.spawn(AgentSpec::new("keeper", || Keeper { kept: None }), Lifetime::Permanent).unwrap();
        let other = stage.actor("a", Lifetime::Permanent);
        let in_state = keeper.ask(LONG, |reply| (false, Some(reply)));
        let in_work = keeper.ask(LONG, |reply| (true, Some(reply)));
        settled().await;
        other.tell(Cue::Die).unwrap();
        assert_eq!(in_state.await, Err(AskError::Stopped));
        assert_eq!(in_work.await, Err(AskError::Stopped));
        stage.group.stop();
        stage.group.ended().await;
    });
}
