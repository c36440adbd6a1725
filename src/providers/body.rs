//! How is the body of a request written? Into room that each thread keeps, and from there into a block of its own: a buffer that grows is
//! moved several times, and up to twice as large as what is in it for as long as the call waits.

use std::cell::RefCell;

use serde::Serialize;

/// A thread keeps as much of it.
const KEPT: usize = 64 << 10;

thread_local! {
    static ROOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The value as JSON, in a block of its size.
pub(super) fn json(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    ROOM.with_borrow_mut(|room| {
        room.clear();
        let written = serde_json::to_writer(&mut *room, value).map(|()| room.as_slice().to_vec());
        room.clear();
        room.shrink_to(KEPT);
        written
    })
}
