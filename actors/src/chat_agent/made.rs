//! Which calls of tools were made in an ask, and how often each of them? Pure.

use super::tools::sameness;
use crate::chat::ToolCall;

/// The calls of an ask. Most asks make few, for which a map takes ten times as much memory.
#[derive(Debug, Default)]
pub(super) struct Made(Vec<Call>);

#[derive(Debug)]
struct Call {
    name: String,
    arguments: String,
    /// Whether they are written as those of any call that is the same to its tool. The first call of a tool is compared with none.
    is_comparable: bool,
    times: u32,
}

impl Made {
    /// How often this call was made, with this time.
    pub(super) fn make(&mut self, call: &ToolCall) -> u32 {
        let is_another = self.0.iter().any(|made| made.name == call.name);
        let arguments = if is_another { sameness(&call.arguments) } else { call.arguments.clone() };
        for made in self.0.iter_mut().filter(|made| made.name == call.name) {
            if !std::mem::replace(&mut made.is_comparable, true) {
                made.arguments = sameness(&made.arguments);
            }
            if made.arguments == arguments {
                made.times += 1;
                return made.times;
            }
        }
        self.0.reserve_exact(1);
        self.0.push(Call { name: call.name.clone(), arguments, is_comparable: is_another, times: 1 });
        1
    }
}
