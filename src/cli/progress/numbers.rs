//! In which words are the numbers of a model told? One line, shorter on a narrow terminal; pure.

use callboard::ModelActivity;
use callboard::actors::research::inert::plain;
use callboard::report::dollars;

use super::words::count;

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
