//! Random trees and random fates: the machine, driven by commands and answers, against the model; and what must hold when
//! deaths come at any moment.

use proptest::prelude::*;
use proptest::sample::select;

use super::super::{End, Lifetime};
use super::PERIOD;
use super::agents::Ending;
use super::model;
use super::shape::{AGENTS, Shape, lifetimes, shapes};
use super::simulator::Simulator;

#[derive(Debug, Clone, Copy)]
enum Event {
    End(usize, End),
    /// This many of its next starts fail.
    FailStarts(usize, u32),
    /// How it will take its next halt.
    Halts(usize, Ending),
    Tick(u64),
    /// These are not in the model.
    Remove(usize),
    Add(usize, Lifetime),
    RemoveGroup(usize),
    AddGroup(usize, &'static str),
    WindDown,
    Stop,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let at = || 0..AGENTS;
    let event = prop_oneof![
        4 => at().prop_map(|at| Event::End(at, End::Crash)),
        1 => at().prop_map(|at| Event::End(at, End::Normal)),
        1 => (at(), 1..4_u32).prop_map(|(at, times)| Event::FailStarts(at, times)),
        1 => (at(), select(vec![Ending::Normal, Ending::Crash, Ending::Late]))
            .prop_map(|(at, ending)| Event::Halts(at, ending)),
        2 => (1..=PERIOD + 1).prop_map(Event::Tick),
    ];
    prop::collection::vec(event, 0..40)
}

/// Also what is done by hand.
fn all_events() -> impl Strategy<Value = Vec<Event>> {
    let by_hand = prop_oneof![
        4 => (0..AGENTS).prop_map(Event::Remove),
        6 => (0..AGENTS, lifetimes()).prop_map(|(group, lifetime)| Event::Add(group, lifetime)),
        2 => (0..AGENTS).prop_map(Event::RemoveGroup),
        3 => (0..AGENTS, select(vec!["one/1", "one/0~", "all/1", "all/2~!", "rest/0?", "rest/2"]))
            .prop_map(|(parent, group)| Event::AddGroup(parent, group)),
        1 => Just(Event::WindDown),
        1 => Just(Event::Stop),
    ];
    let by_hand = prop::collection::vec((0..40_usize, by_hand), 0..8);
    (events(), by_hand).prop_map(|(mut events, by_hand)| {
        by_hand.into_iter().for_each(|(at, event)| events.insert(at.min(events.len()), event));
        events
    })
}

/// Applies what both worlds can be told at any time; an end is left to the caller.
fn prepare(simulator: &mut Simulator, event: Event) {
    match event {
        Event::FailStarts(at, times) => simulator.agents[at].starts_to_fail = times,
        Event::Halts(at, ending) => simulator.agents[at].ending = ending,
        Event::Tick(seconds) => simulator.seconds += seconds,
        Event::Remove(at) => simulator.remove(at),
        Event::Add(group, lifetime) => simulator.add(group, lifetime),
        Event::RemoveGroup(at) => simulator.remove_group(at),
        Event::AddGroup(parent, word) => simulator.add_group(parent, word),
        Event::WindDown => simulator.wind_down(),
        Event::Stop => simulator.stop(),
        Event::End(..) => {}
    }
}

/// The same event for as many agents as there are.
fn fitted(event: Event, agents: usize) -> Event {
    match event {
        Event::End(at, end) => Event::End(at % agents, end),
        Event::FailStarts(at, times) => Event::FailStarts(at % agents, times),
        Event::Halts(at, ending) => Event::Halts(at % agents, ending),
        Event::Remove(at) => Event::Remove(at % agents),
        other => other,
    }
}

/// One event after the other, each followed through, compared with the model after each.
fn compare(shape: &Shape, failing: &[u32], events: &[Event], random: u64) {
    let mut simulator = Simulator::new(shape, random);
    let mut model = model::Group::new(shape);
    for (at, agent) in model.agents().into_iter().enumerate() {
        agent.starts_to_fail = failing[at];
        simulator.agents[at].starts_to_fail = failing[at];
    }
    let mut gave_up = model.begin(0);
    simulator.settle();
    agree(&simulator, &mut model, gave_up);
    for event in events {
        let event = fitted(*event, simulator.agents.len());
        prepare(&mut simulator, event);
        match event {
            Event::End(at, end) if simulator.agents[at].up => {
                gave_up |= model.end(at, end == End::Normal, simulator.seconds);
                simulator.end(at, end);
            }
            Event::FailStarts(at, times) => model.agents()[at].starts_to_fail = times,
            Event::Halts(at, ending) => model.agents()[at].ends_normally = ending == Ending::Normal,
            _ => {}
        }
        simulator.settle();
        agree(&simulator, &mut model, gave_up);
    }
}

fn agree(simulator: &Simulator, model: &mut model::Group, gave_up: bool) {
    let real = simulator.agents.iter().map(|agent| (agent.up, agent.begun, agent.finished));
    let expected = model.agents().into_iter().map(|agent| (agent.up, agent.begun, agent.gone));
    let (real, expected): (Vec<_>, Vec<_>) = (real.collect(), expected.collect());
    assert_eq!(real, expected, "(up, begun, finished): the machine, the model");
    assert_eq!(simulator.gave_up, gave_up);
}

/// Deaths at any moment: the simulator's checks at each step, and the intensity of a tree without inner groups.
fn endure(shape: &Shape, events: &[Event], random: u64) {
    let mut simulator = Simulator::new(shape, random);
    simulator.is_new = false;
    for event in events {
        let event = fitted(*event, simulator.agents.len());
        prepare(&mut simulator, event);
        if let Event::End(at, end) = event {
            simulator.end(at, end);
        }
        for _ in 0..simulator.random(4) {
            simulator.answer();
        }
    }
    simulator.settle();
    let Shape::Group(_, limit, ..) = shape else { return };
    if simulator.groups.len() == 1 {
        for start in &simulator.restarts {
            let within = simulator.restarts.iter().filter(|time| (*start..start + PERIOD).contains(time));
            assert!(within.count() <= *limit as usize, "intensity exceeded");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn after_each_event_the_tree_is_what_otp_would_make_of_it(
        shape in shapes(),
        failing in prop::collection::vec(prop_oneof![6 => Just(0), 1 => 1..3_u32], AGENTS),
        events in events(),
        random in any::<u64>(),
    ) {
        compare(&shape, &failing, &events, random);
    }

    #[test]
    fn whatever_dies_when_the_order_is_kept_and_it_settles(
        shape in shapes(),
        events in all_events(),
        random in any::<u64>(),
    ) {
        endure(&shape, &events, random);
    }
}
