//! Does everybody get its share, in any order of arrivals, leavings and service?

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const CLASSES: [Priority; 3] = [Priority::Urgent, Priority::Normal, Priority::Background];

fn flow(user: u64, run: u64, class: Priority) -> Flow {
    Flow { user, run, class }
}

/// Calls `12n` (user 1, run 2, normal) line up in this order, and are served in the order that comes back.
fn served(calls: &str) -> String {
    let (mut line, mut names) = (FairLine::default(), BTreeMap::new());
    for (number, call) in calls.split_whitespace().enumerate() {
        let mut chars = call.chars();
        let mut digit = || u64::from(chars.next().unwrap().to_digit(10).unwrap());
        let (user, run) = (digit(), digit());
        let class = match chars.next() {
            Some('u') => Priority::Urgent,
            Some('b') => Priority::Background,
            _ => Priority::Normal,
        };
        line.push(flow(user, run, class), number as u64, number as u64);
        names.insert(number as u64, call);
    }
    let order: Vec<_> = (100..).map_while(|turn| line.serve(turn)).map(|number| names[&number]).collect();
    assert!(line.is_empty() && line.users.flows().next().is_none(), "nothing is kept of those who have nothing");
    order.join(" ")
}

#[test]
fn users_take_turns_then_runs_then_the_urgent_and_then_the_first() {
    let cases = [
        ("11 11 11 12", "11 12 11 11"),
        ("11 11 11 21 12", "11 21 12 11 11"),
        ("11 12 13 21 21 21", "11 21 12 21 13 21"),
        ("11 11 11 11 22", "11 22 11 11 11"),
        ("11b 11 11u 11b 11u", "11u 11u 11 11b 11b"),
        ("11b 12u 12u 21b", "11b 21b 12u 12u"),
    ];
    for (arrive, expected) in cases {
        assert_eq!(served(arrive), expected, "{arrive}");
    }
}

#[test]
fn leaving_and_coming_back_buys_nothing_and_keeps_the_place_in_the_run() {
    let mut line = FairLine::default();
    let [a, b] = [1, 2].map(|run| flow(1, run, Priority::Normal));
    line.push(a, 1, 1);
    line.push(b, 2, 2);
    line.push(b, 3, 3);
    line.remove(a, 1);
    line.push(a, 1, 4);
    assert_eq!((line.serve(5), line.serve(6)), (Some(2), Some(1)), "behind the other run");
    line.push(b, 1, 7);
    assert_eq!((line.serve(8), line.serve(9)), (Some(1), Some(3)), "before the younger call of its run");
}

/// What can happen to a line.
#[derive(Debug, Clone)]
enum Step {
    Push {
        user: u64,
        run: u64,
        class: usize,
    },
    /// A call comes back that was served before.
    Again {
        which: usize,
    },
    Remove {
        which: usize,
    },
    Serve,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..3u64, 0..3u64, 0..3usize).prop_map(|(user, run, class)| Step::Push { user, run, class }),
        1 => any::<usize>().prop_map(|which| Step::Again { which }),
        1 => any::<usize>().prop_map(|which| Step::Remove { which }),
        6 => Just(Step::Serve),
    ]
}

type RunId = (u64, u64);

/// What happened: who had something waiting before each step, and who was served by it.
#[derive(Debug, Default)]
struct History {
    steps: Vec<(Vec<RunId>, Option<RunId>)>,
    /// For each run that got something to do: when that was, and when it was first served.
    firsts: Vec<(usize, usize)>,
}

/// Plays the steps on a line and on plain sets, which must agree on who waits and who of a run is next.
fn play(steps: &[Step]) -> Result<(FairLine, History), TestCaseError> {
    let (mut line, mut history) = (FairLine::default(), History::default());
    let mut waiting: BTreeMap<RunId, BTreeSet<(usize, u64)>> = BTreeMap::new();
    let mut fresh: BTreeMap<RunId, usize> = BTreeMap::new();
    let (mut flows, mut gone): (BTreeMap<u64, Flow>, Vec<u64>) = <_>::default();
    for (time, step) in steps.iter().enumerate() {
        let turn = time as u64;
        let backlogged = waiting.keys().copied().collect();
        let mut push = |line: &mut FairLine, flow: Flow, number| {
            let run = waiting.entry((flow.user, flow.run)).or_default();
            if run.is_empty() {
                fresh.insert((flow.user, flow.run), time);
            }
            run.insert((flow.class.rank(), number));
            line.push(flow, number, turn);
        };
        let mut one = None;
        match step {
            Step::Push { user, run, class } => {
                flows.insert(turn, flow(*user, *run, CLASSES[*class]));
                push(&mut line, flows[&turn], turn);
            }
            Step::Again { which } if !gone.is_empty() => {
                let number = gone.swap_remove(which % gone.len());
                push(&mut line, flows[&number], number);
            }
            Step::Remove { which } if !waiting.is_empty() => {
                let calls: Vec<_> = waiting.values().flatten().copied().collect();
                let (class, number) = calls[which % calls.len()];
                let flow = flows[&number];
                line.remove(flow, number);
                waiting.get_mut(&(flow.user, flow.run)).unwrap().remove(&(class, number));
            }
            Step::Serve => {
                let head = line.head().map(|(_, number)| number);
                let number = line.serve(turn);
                prop_assert_eq!((number, number.is_none()), (head, waiting.is_empty()));
                let Some(number) = number else {
                    history.steps.push((backlogged, None));
                    continue;
                };
                let flow = flows[&number];
                let run = waiting.get_mut(&(flow.user, flow.run)).unwrap();
                let first = run.pop_first().unwrap();
                prop_assert_eq!(first, (flow.class.rank(), number), "the most urgent, and of these the first");
                if let Some(since) = fresh.remove(&(flow.user, flow.run)) {
                    history.firsts.push((since, time));
                }
                gone.push(number);
                one = Some((flow.user, flow.run));
            }
            Step::Again { .. } | Step::Remove { .. } => {}
        }
        waiting.retain(|_, calls| !calls.is_empty());
        history.steps.push((backlogged, one));
        let kept: Vec<_> =
            line.users.flows().flat_map(|(user, of)| of.runs.flows().map(move |(run, _)| (user, run))).collect();
        prop_assert_eq!(kept, waiting.keys().copied().collect::<Vec<_>>(), "a flow without calls takes no memory");
        prop_assert_eq!(line.len(), waiting.values().map(BTreeSet::len).sum::<usize>());
    }
    Ok((line, history))
}

/// In each stretch: those who had something waiting all the while, as `of` names them, were served alike within one call.
pub(in super::super) fn is_fair<K: Copy + PartialEq + std::fmt::Debug>(
    steps: &[(Vec<RunId>, Option<RunId>)],
    of: impl Fn(RunId) -> Option<K>,
) -> Result<(), TestCaseError> {
    for begin in 0..steps.len() {
        let mut counts: Vec<(K, u64)> = Vec::new();
        for run in &steps[begin].0 {
            if let Some(name) = of(*run).filter(|name| counts.iter().all(|(other, _)| other != name)) {
                counts.push((name, 0));
            }
        }
        for (backlogged, served) in &steps[begin..] {
            counts.retain(|(name, _)| backlogged.iter().any(|run| of(*run) == Some(*name)));
            if counts.is_empty() {
                break;
            }
            let served = served.and_then(&of);
            counts.iter_mut().filter(|(name, _)| served == Some(*name)).for_each(|(_, count)| *count += 1);
            let (all, among) = (counts.iter().map(|(_, count)| count).sum::<u64>(), counts.len() as u64);
            for (name, count) in &counts {
                prop_assert!(all / among <= *count && *count <= all.div_ceil(among), "{name:?}: {counts:?}");
            }
        }
    }
    Ok(())
}

proptest! {
    /// The promise: in any stretch in which some users have something waiting all the while, each is served its ideal share
    /// of what they are served together, rounded down or up. The same among the runs of each user. Classes are strict and
    /// first come first served (`play` looks at each).
    #[test]
    fn shares_are_within_one_call_of_ideal_in_any_stretch(steps in proptest::collection::vec(step(), 0..120)) {
        let (_, history) = play(&steps)?;
        is_fair(&history.steps, |(user, _)| Some(user))?;
        for own in 0..3 {
            is_fair(&history.steps, |(user, run)| (user == own).then_some(run))?;
        }
    }

    /// A run that gets something to do waits for one call at most of each other run of its user, and in each turn of its user
    /// for one at most of each other user, whatever else may come.
    #[test]
    fn a_run_with_one_call_waits_for_one_call_of_each_other(steps in proptest::collection::vec(step(), 0..120)) {
        let (_, history) = play(&steps)?;
        for (since, until) in &history.firsts {
            let served = |wanted: &dyn Fn(RunId) -> bool| {
                history.steps[since + 1..=*until].iter().filter(|(_, run)| run.is_some_and(wanted)).count()
            };
            let (user, run) = history.steps[*until].1.unwrap();
            let of_user = served(&|(other, _)| other == user);
            for other in 0..3 {
                prop_assert!(other == run || served(&|of| of == (user, other)) <= 1);
                prop_assert!(other == user || served(&|of| of.0 == other) <= of_user);
            }
        }
    }

    /// What is said to stand before a call is never too little, and not much too much.
    #[test]
    fn what_stands_before_a_call_is_bounded(
        steps in proptest::collection::vec(step(), 0..200),
        (user, run, class) in (0..4u64, 0..4u64, 0..3usize),
    ) {
        let (mut line, _) = play(&steps)?;
        let flow = flow(user, run, CLASSES[class]);
        let (before, all, me) = (line.before(flow), line.len(), u64::MAX);
        let runs = line.users.flows().map(|(_, user)| user.runs.flows().count() + 1).sum::<usize>();
        line.push(flow, me, 1_000);
        let really = (1_001..).map_while(|turn| line.serve(turn)).take_while(|number| *number != me).count();
        prop_assert!(really <= before && before <= all, "{really} before it, not {before} of {all}");
        prop_assert!(2 * before <= 3 * (really + runs), "{really} before it, not {before}");
    }
}

#[test]
fn a_run_of_four_hundred_keeps_a_run_of_one_waiting_for_one_call() {
    let mut line = FairLine::default();
    (0..400).for_each(|number| line.push(flow(1, 1, Priority::Urgent), number, number));
    let one = flow(1, 2, Priority::Background);
    assert_eq!(line.before(one), 1);
    line.push(one, 400, 400);
    assert_eq!((line.serve(401), line.serve(402)), (Some(0), Some(400)));
    assert_eq!(line.before(flow(1, 1, Priority::Urgent)), 399);
    assert_eq!(line.before(flow(1, 3, Priority::Normal)), 1);
    assert_eq!(line.before(flow(2, 1, Priority::Normal)), 1);
    assert_eq!(line.before(flow(1, 1, Priority::Background)), 399);
    let mut chatter = FairLine::default();
    (0..400).for_each(|number| chatter.push(flow(1, 1, Priority::Background), number, number));
    assert_eq!(chatter.before(flow(1, 1, Priority::Urgent)), 0, "the less urgent are overtaken");
}
