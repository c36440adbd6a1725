//! Do watchers of the program that panic when they are dropped end the process?

mod common;

use common::{LONG, counter, runtime, wait};

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the drop panics on purpose");
    }
}

#[test]
fn watchers_of_the_program_that_panic_when_they_are_dropped_never_abort_the_process() {
    let runtime = runtime(1);
    let watched = runtime.spawn(counter()).unwrap();
    for _ in 0..2 {
        let bomb = Bomb;
        watched.watch(move |_down| {
            let _keeps = &bomb;
        });
    }
    watched.stop();
    wait(watched.gone());
    runtime.stop_blocking(LONG);
}
