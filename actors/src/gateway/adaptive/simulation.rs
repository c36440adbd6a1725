//! A provider and its callers on virtual time: what becomes of calls under the limit that is found? Events in the order of their
//! time, chance from a seed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use tokio::time::Instant;

use super::{AdaptiveLimit, Answer, Stamp};

/// Chance: Steele, Lea and Flood's splitmix64 (2014).
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Box and Muller (1958).
    fn normal(&mut self) -> f64 {
        let (radius, angle) = (self.share().max(1e-300), self.share());
        (-2.0 * radius.ln()).sqrt() * (angle * std::f64::consts::TAU).cos()
    }
}

/// What the provider is like.
#[derive(Clone)]
pub(super) struct Provider {
    /// From this millisecond on, so many calls are held at the same time.
    pub(super) holds: Vec<(u64, usize)>,
    /// A call alone, in milliseconds.
    pub(super) latency: f64,
    /// Of the logarithm of the latency.
    pub(super) sigma: f64,
    /// Calls above so many share its speed.
    pub(super) shares_beyond: usize,
    /// This share of calls is refused without a reason.
    pub(super) noise: f64,
    /// What it asks refused callers to wait, in milliseconds; `None` for nothing.
    pub(super) asks: Option<u64>,
}

impl Provider {
    pub(super) fn new(holds: usize, latency: f64) -> Self {
        let holds = vec![(0, holds)];
        Self { holds, latency, sigma: 0.0, shares_beyond: usize::MAX, noise: 0.0, asks: None }
    }

    fn held_at(&self, millis: u64) -> usize {
        self.holds.iter().rev().find(|(from, _)| *from <= millis).map_or(usize::MAX, |(_, holds)| *holds)
    }
}

/// What was seen in each tenth of a second.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tenth {
    pub(super) fine: usize,
    pub(super) refused: usize,
    /// The limit at its end.
    pub(super) limit: usize,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// Its head is over: it was held or refused. The number of the call.
    Ends(usize),
    /// It may be made again.
    Comes(usize),
}

struct Call {
    attempts: u32,
    stamp: Option<Stamp>,
    began: u64,
    is_held: bool,
}

/// `callers` make calls one after the other until `until` milliseconds; or `once` calls each, when it is not 0. Gives what was
/// seen, and for how many milliseconds it went on.
pub(super) fn run(
    limit: &mut AdaptiveLimit,
    provider: &Provider,
    (callers, once, until): (usize, usize, u64),
    seed: u64,
) -> (Vec<Tenth>, u64) {
    let begin = Instant::now();
    let at = |micros: u64| begin + Duration::from_micros(micros);
    let mut chance = Chance(seed);
    let mut events: BinaryHeap<Reverse<(u64, usize, Event)>> = BinaryHeap::new();
    let mut calls: Vec<Call> =
        (0..callers).map(|_| Call { attempts: 0, stamp: None, began: 0, is_held: false }).collect();
    let mut left = vec![once; callers];
    let mut line: std::collections::VecDeque<usize> = (0..callers).collect();
    let (mut in_flight, mut held, mut order, mut now) = (0, 0, 0, 0_u64);
    let mut seen: Vec<Tenth> = Vec::new();
    loop {
        while in_flight < limit.limit()
            && let Some(number) = line.pop_front()
        {
            in_flight += 1;
            let is_noise = chance.share() < provider.noise;
            let call = &mut calls[number];
            call.attempts += 1;
            call.stamp = Some(limit.began(in_flight, at(now)));
            call.began = now;
            call.is_held = held < provider.held_at(now / 1_000) && !is_noise;
            held += usize::from(call.is_held);
            let load = (held.max(1) as f64 / provider.shares_beyond as f64).max(1.0);
            let takes = match call.is_held {
                true => provider.latency * (provider.sigma * chance.normal()).exp() * load,
                // A refusal takes 2 ms.
                false => 2.0,
            };
            order += 1;
            events.push(Reverse((now + (takes * 1_000.0) as u64, order, Event::Ends(number))));
        }
        let Some(Reverse((time, _, event))) = events.pop() else { break };
        now = time;
        if until > 0 && now > until * 1_000 {
            break;
        }
        let tenth = usize::try_from(now / 100_000).unwrap();
        if seen.len() <= tenth {
            let last = seen.last().map_or(limit.limit(), |tenth| tenth.limit);
            seen.resize(tenth + 1, Tenth { limit: last, ..Tenth::default() });
        }
        match event {
            Event::Comes(number) => line.push_front(number),
            Event::Ends(number) => {
                in_flight -= 1;
                let call = &mut calls[number];
                let stamp = call.stamp.take().unwrap();
                let took = Duration::from_micros(now - call.began);
                if call.is_held {
                    held -= 1;
                    limit.ended(stamp, Answer::Fine, in_flight, took, at(now));
                    seen[tenth].fine += 1;
                    call.attempts = 0;
                    left[number] = left[number].saturating_sub(1);
                    if once == 0 || left[number] > 0 {
                        line.push_back(number);
                    }
                } else {
                    limit.ended(stamp, Answer::Refused, in_flight, took, at(now));
                    seen[tenth].refused += 1;
                    let bound = (500.0 * 2_f64.powi(call.attempts.min(7) as i32 - 1)).min(30_000.0);
                    let wait = provider.asks.unwrap_or(0) as f64 + bound * chance.share();
                    order += 1;
                    events.push(Reverse((now + (wait * 1_000.0) as u64, order, Event::Comes(number))));
                }
            }
        }
        assert!((1..=limit.ceiling).contains(&limit.limit()));
        seen[tenth].limit = limit.limit();
    }
    (seen, now / 1_000)
}

/// The share of refusals from one second to another.
pub(super) fn refused(seen: &[Tenth], from: usize, to: usize) -> f64 {
    let part = &seen[(from * 10).min(seen.len())..(to * 10).min(seen.len())];
    let refused: usize = part.iter().map(|tenth| tenth.refused).sum();
    let fine: usize = part.iter().map(|tenth| tenth.fine).sum();
    refused as f64 / (refused + fine).max(1) as f64
}

/// The mean limit from one second to another.
pub(super) fn limit_of(seen: &[Tenth], from: usize, to: usize) -> f64 {
    let part = &seen[from * 10..(to * 10).min(seen.len())];
    part.iter().map(|tenth| tenth.limit as f64).sum::<f64>() / part.len() as f64
}
