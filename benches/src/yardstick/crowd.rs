//! Who calls a provider that refuses calls, and what do both sides see? Callers who each make one call after the other, and the
//! server's own count of what it answered.

use std::ops::Sub;
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::ours::Ours;
use super::server::Server;

/// The latency of the server.
pub const LATENCY: Duration = Duration::from_millis(100);

/// What the server answered so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Answers {
    /// With a reply.
    pub fine: f64,
    /// With 429.
    pub refused: f64,
}

impl Answers {
    /// The share of refusals, in percent.
    pub fn refused_percent(self) -> f64 {
        100.0 * self.refused / (self.refused + self.fine).max(1.0)
    }
}

impl Sub for Answers {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self { fine: self.fine - before.fine, refused: self.refused - before.refused }
    }
}

/// Asks the server itself, beside the calls.
#[derive(Debug)]
pub struct Watch {
    client: Client,
    root: String,
}

impl Watch {
    /// Of this server.
    pub fn of(server: &Server) -> Self {
        // The second time it is there already.
        let _is_there = rustls::crypto::ring::default_provider().install_default();
        let root = server.base_url().trim_end_matches("/v1").to_owned();
        Self { client: Client::new(), root }
    }

    /// What it answered so far.
    ///
    /// # Panics
    /// Panics when it does not say.
    pub async fn answers(&self) -> Answers {
        let stats = self.client.get(format!("{}/stats", self.root)).send().await.expect("the mock runs");
        let stats: Value = stats.json().await.expect("it speaks JSON");
        let of = |status| stats["by_status"][status].as_f64().unwrap_or(0.0);
        Answers { fine: of("200"), refused: of("429") }
    }

    /// From now on it holds so many calls at the same time.
    ///
    /// # Panics
    /// Panics when it does not take that.
    pub async fn allow(&self, max_in_flight: u32) {
        let limits = json!({ "max_in_flight": max_in_flight });
        let answer = self.client.post(format!("{}/limits", self.root)).json(&limits).send().await;
        let answer: Value = answer.expect("the mock runs").json().await.expect("it speaks JSON");
        assert_eq!(answer["max_in_flight"], max_in_flight, "it is in force");
    }
}

/// What one caller got.
#[derive(Debug, Clone, Copy, Default)]
pub struct Got {
    /// Calls that were answered.
    pub done: usize,
    /// Calls that ended with an error.
    pub failed: usize,
}

/// So many callers who make a call after the other; the last of each begins before `until`.
pub fn closed_loop(side: &Ours, callers: usize, until: Instant) -> Vec<JoinHandle<Got>> {
    let caller = |_| {
        let side = side.clone();
        tokio::spawn(async move {
            let mut got = Got::default();
            while Instant::now() < until {
                match side.try_call().await {
                    Ok(_) => got.done += 1,
                    Err(error) => {
                        eprintln!("a call failed: {error}");
                        got.failed += 1;
                    }
                }
            }
            got
        })
    };
    (0..callers).map(caller).collect()
}

/// What each of them got, once all have ended.
///
/// # Panics
/// Panics when a caller did.
pub async fn ended(callers: Vec<JoinHandle<Got>>) -> Vec<Got> {
    let mut all = Vec::with_capacity(callers.len());
    for caller in callers {
        all.push(caller.await.expect("no caller panics"));
    }
    all
}
