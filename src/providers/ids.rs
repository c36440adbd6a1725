//! Which ids have the calls of a reply? Those that the server gives, as long as each is the only one in the conversation: a tool's answer
//! names the call that it answers by nothing else, and vendors refuse a conversation in which two calls have one. Pure, so that the same
//! reply to the same request has the same ids, in a cache and in a recording.

use std::collections::HashSet;

use callboard_actors::chat::{ToolCall, Turn};

/// Names each call that has no id, or one that is that of an earlier call in the reply or in the `turns` before it.
pub(super) fn give(calls: &mut [ToolCall], turns: &[Turn]) {
    if calls.is_empty() {
        return;
    }
    let mut used: HashSet<_> = turns.iter().flat_map(|turn| &turn.tool_calls).map(|call| call.id.clone()).collect();
    let mut numbers = used.len()..;
    for call in calls {
        while call.id.is_empty() || used.contains(&call.id) {
            call.id = format!("call_{}", numbers.next().unwrap_or_default());
        }
        used.insert(call.id.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(ids: &[&str]) -> Vec<ToolCall> {
        ids.iter().map(|id| ToolCall { id: (*id).to_owned(), ..ToolCall::default() }).collect()
    }

    #[test]
    fn every_call_of_a_conversation_has_an_id_of_its_own_and_keeps_it_if_it_has() {
        let table: [(&[&str], &[&str], &[&str]); 8] = [
            (&["a"], &["b", "c"], &["b", "c"]),
            (&[], &["", ""], &["call_0", "call_1"]),
            (&["call_0", "call_1"], &["", ""], &["call_2", "call_3"]),
            (&["a"], &["a", "b"], &["call_1", "b"]),
            (&[], &["a", "a", "a"], &["a", "call_0", "call_1"]),
            (&["call_0", "call_2"], &["call_0", "call_1"], &["call_3", "call_1"]),
            (&["a"], &["", "call_1"], &["call_1", "call_2"]),
            (&["a"], &[], &[]),
        ];
        for (before, said, given) in table {
            let turns = before.iter().map(|id| Turn { tool_calls: calls(&[id]), ..Turn::assistant("") });
            let mut found = calls(said);
            give(&mut found, &turns.collect::<Vec<_>>());
            assert_eq!(found, calls(given), "{before:?} {said:?}");
        }
    }
}
