//! In which words are the numbers of a model told? One line, shorter on a narrow terminal; pure.

use callboard::ModelActivity;
use callboard::actors::research::inert::plain;
use callboard::actors::text::count;
use callboard::report::dollars;

/// The line, in so many columns if it can be said so briefly; the cost is said in any.
pub(super) fn line(activity: &ModelActivity, columns: usize) -> String {
    let ModelActivity { model, in_flight, limit, waiting, calls, .. } = activity;
    let (tokens, cost) = (tokens(activity), cost(activity));
    let calls = count(usize::try_from(*calls).unwrap_or(usize::MAX), "call");
    let all = format!("{in_flight} of {limit} in flight, {waiting} waiting, {calls}, {tokens}, {cost}");
    let forms = [
        format!("{}: {all}", plain(model)),
        all,
        format!("{in_flight}/{limit}, {calls}, {tokens}, {cost}"),
        format!("{calls}, {cost}"),
    ];
    forms.into_iter().find(|form| form.chars().count() <= columns).unwrap_or(cost)
}

fn tokens(activity: &ModelActivity) -> String {
    let known = grouped(activity.tokens);
    match activity.calls_without_usage {
        0 if activity.tokens == 1 => "1 token".to_owned(),
        0 => format!("{known} tokens"),
        _ if activity.tokens == 0 => "tokens unknown".to_owned(),
        _ => format!("over {known} tokens"),
    }
}

fn cost(activity: &ModelActivity) -> String {
    activity.cost_usd.map_or_else(|| "cost unknown".to_owned(), dollars)
}

/// With a comma after every three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| str::from_utf8(group).ok()).collect();
    groups.join(",")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Of a model in the middle of its work.
    pub(in crate::cli::progress) fn activity(
        tokens: u64,
        calls_without_usage: u64,
        cost_usd: Option<f64>,
    ) -> ModelActivity {
        let model = "openai/x".to_owned();
        ModelActivity { model, in_flight: 3, limit: 8, waiting: 2, calls: 41, tokens, calls_without_usage, cost_usd }
    }

    #[test]
    fn the_line_is_shorter_where_there_is_less_room() {
        let busy = activity(12_300, 0, Some(0.03));
        for (columns, told) in [
            (69, "openai/x: 3 of 8 in flight, 2 waiting, 41 calls, 12,300 tokens, $0.03"),
            (59, "3 of 8 in flight, 2 waiting, 41 calls, 12,300 tokens, $0.03"),
            (35, "3/8, 41 calls, 12,300 tokens, $0.03"),
            (15, "41 calls, $0.03"),
            (14, "$0.03"),
        ] {
            assert_eq!(line(&busy, columns), told, "{columns}");
        }
    }

    #[test]
    fn what_nobody_knows_is_not_nothing() {
        let told = |tokens, untold, cost| line(&activity(tokens, untold, cost), 200);
        assert!(told(0, 0, None).ends_with(", 0 tokens, cost unknown"));
        assert!(told(1, 0, None).ends_with(", 1 token, cost unknown"));
        assert!(told(0, 2, None).ends_with(", tokens unknown, cost unknown"));
        assert!(told(1_234_567, 1, None).ends_with(", over 1,234,567 tokens, cost unknown"));
        assert!(told(999, 0, Some(0.0004)).ends_with(", 999 tokens, $0.000400"));
        assert!(told(0, 0, Some(0.0)).ends_with(", 0 tokens, $0.00"), "free of charge is known");
    }
}
