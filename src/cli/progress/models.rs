//! In which words is told what happens to a model? One plain line for each change; pure.

use callboard::Event;
use callboard::actors::gateway::BreakerState;
use callboard::actors::text::count;

/// The line for an event of a model, without who asked it; `None` for an event that is none.
pub(super) fn event(event: &Event) -> Option<String> {
    Some(match event {
        // That is what the gateway says, and not the provider, who was not asked.
        Event::ModelFellBack { from, to, error_code, .. }
            if matches!(error_code.as_str(), "breaker_open" | "overloaded" | "paused") =>
        {
            format!("{from} is not asked at the moment; {to} is next")
        }
        Event::ModelFellBack { from, to, error_code, .. } => {
            format!("{from} could not answer ({error_code}); {to} is next")
        }
        Event::ModelCallPaused { refused_model, pause_ms, .. } => {
            format!("waiting {}, as {refused_model} asked for", time(*pause_ms))
        }
        Event::ModelCallResumed { model, .. } => format!("asking {model} now"),
        Event::ModelBreakerChanged { model, breaker, open_ms } => match (breaker, open_ms) {
            (BreakerState::Open, Some(open_ms)) => format!("{model} fails; not called for {}", time(*open_ms)),
            (BreakerState::Open, None) => format!("{model} fails; not called for a while"),
            (BreakerState::HalfOpen, _) => format!("{model} failed; one call tries it again"),
            (BreakerState::Closed, _) => format!("{model} works again"),
        },
        Event::ModelPaused { model, refused_model, pause_ms } => {
            let other = match refused_model == model || refused_model.is_empty() {
                true => String::new(),
                false => format!(", as {refused_model} was told, which has the same key"),
            };
            format!("{model} is paused for {}: the limit of its rate is reached{other}", time(*pause_ms))
        }
        Event::ModelCallRetried { model, error_code, attempt, delay_ms } => {
            format!(
                "{model}: a call failed ({error_code}) and is made again in {}, after {}",
                time(*delay_ms),
                count(*attempt, "attempt")
            )
        }
        Event::ModelLimitChanged { model, limit, before } => {
            format!("{model} gets up to {} at a time from now on, {before} before", count(*limit, "call"))
        }
        Event::ModelChangesMissed { changes } => {
            let changes = usize::try_from(*changes).unwrap_or(usize::MAX);
            format!("{} of models not told", count(changes, "earlier change"))
        }
        _ => return None,
    })
}

/// In seconds, with a tenth where there is one, and in milliseconds below that.
fn time(milliseconds: u64) -> String {
    // A tenth is rounded up, so that nobody waits for longer than he was told.
    let tenths = milliseconds.div_ceil(100);
    match (milliseconds, tenths / 10, tenths % 10) {
        (0..100, ..) => format!("{milliseconds} ms"),
        (_, seconds, 0) => format!("{seconds} s"),
        (_, seconds, tenth) => format!("{seconds}.{tenth} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_of_a_model_has_its_line() {
        let model = || "openai/x".to_owned();
        let breaker = |breaker, open_ms| Event::ModelBreakerChanged { model: model(), breaker, open_ms };
        let limit = |limit, before| Event::ModelLimitChanged { model: model(), limit, before };
        for (change, line) in [
            (breaker(BreakerState::Open, Some(2_000)), "openai/x fails; not called for 2 s"),
            (breaker(BreakerState::HalfOpen, None), "openai/x failed; one call tries it again"),
            (breaker(BreakerState::Closed, None), "openai/x works again"),
            (
                Event::ModelPaused { model: model(), refused_model: model(), pause_ms: 20_000 },
                "openai/x is paused for 20 s: the limit of its rate is reached",
            ),
            (
                Event::ModelPaused { model: model(), refused_model: "openai/y".into(), pause_ms: 20_000 },
                "openai/x is paused for 20 s: the limit of its rate is reached, as openai/y was told, which has the same key",
            ),
            (
                Event::ModelCallRetried { model: model(), error_code: "unavailable".into(), attempt: 1, delay_ms: 320 },
                "openai/x: a call failed (unavailable) and is made again in 0.4 s, after 1 attempt",
            ),
            (limit(16, 8), "openai/x gets up to 16 calls at a time from now on, 8 before"),
            (limit(1, 2), "openai/x gets up to 1 call at a time from now on, 2 before"),
            (Event::ModelChangesMissed { changes: 1 }, "1 earlier change of models not told"),
        ] {
            assert_eq!(event(&change).as_deref(), Some(line));
        }
        assert_eq!(event(&Event::LookBackStarted), None);
    }

    #[test]
    fn a_time_is_short_and_never_too_short() {
        for (milliseconds, told) in
            [(99, "99 ms"), (100, "0.1 s"), (1_901, "2 s"), (1_500, "1.5 s"), (300_000, "300 s")]
        {
            assert_eq!(time(milliseconds), told);
        }
    }
}
