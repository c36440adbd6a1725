//! On which threads do agents live that are tokio tasks? Single-threaded runtimes, one for each thread, so that nothing
//! moves between threads and the comparison is with one shard, or with two.

use std::future::Future;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

/// The thread on which the measurement itself runs (`None`), or another one.
pub(super) type Home = Option<Handle>;

/// See [`Peer::run`](crate::peer::Peer::run).
pub(super) fn run<T, F>(threads: usize, body: impl FnOnce(Vec<Home>) -> F + Send + 'static) -> T
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let driver = std::thread::spawn(move || {
        let others: Vec<_> = (1..threads).map(|_| Other::start()).collect();
        let homes = std::iter::once(None).chain(others.iter().map(|other| Some(other.handle.clone()))).collect();
        let runtime = single_threaded();
        let task = async move { tokio::spawn(body(homes)).await.expect("the driver does not panic") };
        let value = runtime.block_on(task);
        for other in others {
            other.end();
        }
        value
    });
    driver.join().expect("the driver does not panic")
}

/// Everything enabled, as in the runtimes that actix makes.
fn single_threaded() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime can be built")
}

struct Other {
    handle: Handle,
    end: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Other {
    fn start() -> Self {
        let (end, ended) = oneshot::channel();
        let (sender, handle) = sync_channel(1);
        let thread = std::thread::spawn(move || {
            let runtime = single_threaded();
            let _starter_waits = sender.send(runtime.handle().clone());
            let _dropped_is_the_end = runtime.block_on(ended);
        });
        Self { handle: handle.recv().expect("the thread starts"), end, thread }
    }

    fn end(self) {
        drop(self.end);
        self.thread.join().expect("a runtime ends without a panic");
    }
}
