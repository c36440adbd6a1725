//! How does a kept reply look to a reader who wants it in pieces?

use crate::chat::{ChatChunk, ChatReply};

/// The pieces of a whole reply, in order: its text as one, then each tool call.
pub(in crate::gateway) fn pieces(reply: &ChatReply) -> Vec<ChatChunk> {
    let text = (!reply.text.is_empty()).then(|| ChatChunk::Text(reply.text.clone()));
    let calls = reply.tool_calls.iter().enumerate().map(|(index, call)| ChatChunk::ToolCall {
        index,
        name: Some(call.name.clone()),
        arguments: call.arguments.clone(),
    });
    text.into_iter().chain(calls).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::ToolCall;

    #[test]
    fn the_pieces_are_the_whole_reply() {
        assert_eq!(pieces(&ChatReply::default()), []);
        assert_eq!(pieces(&ChatReply::text("so")), [ChatChunk::Text("so".to_owned())]);
        let call = |name: &str| ToolCall { id: "1".to_owned(), name: name.to_owned(), arguments: "{}".to_owned() };
        let reply = ChatReply { tool_calls: vec![call("a"), call("b")], ..ChatReply::text("so") };
        let piece = |index, name: &str| {
            let (name, arguments) = (Some(name.to_owned()), "{}".to_owned());
            ChatChunk::ToolCall { index, name, arguments }
        };
        assert_eq!(pieces(&reply), [ChatChunk::Text("so".to_owned()), piece(0, "a"), piece(1, "b")]);
    }
}
