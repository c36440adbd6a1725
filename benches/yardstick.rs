//! What does a call through the gateway cost, beside the loop that one would write by hand?
//!
//! `cargo bench -p callboard-benches --bench yardstick` measures everything, in about ten minutes, and prints a table;
//! `-- cpu open` only these; `-- --help` lists the rest. It talks to nobody but a mock server that it starts itself.
//!
//! The yardstick: reqwest's client as it is, two workers of tokio, a semaphore, one task for each call, the same bodies,
//! typed decoding. Both sides are called from the same `#[tokio::main]`, in turns, round by round. The server is a process
//! of its own, so that processor time is the client's alone. What each row compares stands in `src/yardstick/`.

use callboard_benches::yardstick::options::Options;
use callboard_benches::yardstick::{measures, server, waiting};

fn main() {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if(|first| first == server::CHILD).is_some() {
        return server::serve(arguments);
    }
    if arguments.next_if(|first| first == waiting::CHILD).is_some() {
        return waiting::child(arguments);
    }
    match Options::from_arguments(arguments) {
        Ok(options) => measure(options),
        Err(message) => eprintln!("{}", message.trim_end()),
    }
}

#[tokio::main(worker_threads = 2)]
async fn measure(options: Options) {
    measures::all(&options).await;
}
