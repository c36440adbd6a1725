//! Who accepts connections, and on which threads are they served? One runtime for each thread; the first accepts and
//! deals connections out in turn, so that all threads have equally many.

use std::io;
use std::net::{SocketAddr, TcpStream as StdStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::sleep;

use super::connection::serve;
use super::state::State;
use crate::mock_llm::config::MockError;

/// Connections that wait to be accepted, and those on their way to their thread.
const BACKLOG: u32 = 1024;
const DEALT: usize = 64;

/// How long nothing is accepted when the system has no more room for connections.
const EXHAUSTED: Duration = Duration::from_millis(20);

/// A connection with its place among all.
type Dealt = (StdStream, OwnedSemaphorePermit);

/// The threads of a server. They end when `stop` is dropped.
#[derive(Debug)]
pub(crate) struct Threads {
    pub(crate) address: SocketAddr,
    pub(crate) stop: watch::Sender<()>,
    /// Each thread holds the other end until it ends.
    pub(crate) running: mpsc::Receiver<()>,
    pub(crate) handles: Vec<JoinHandle<()>>,
}

/// Listens and starts the threads.
pub(crate) fn start(state: &Arc<State>) -> Result<Threads, MockError> {
    let mut runtimes = Vec::new();
    for _ in 0..state.config.threads {
        match runtime() {
            Ok(runtime) => runtimes.push(runtime),
            Err(source) => {
                runtimes.into_iter().for_each(Runtime::shutdown_background);
                return Err(MockError::Thread(source));
            }
        }
    }
    let first = runtimes.remove(0);
    let (listener, address) = match listen(&first, state.config.listen) {
        Ok(listening) => listening,
        Err(source) => {
            // The caller may be in a runtime of its own, where dropping one would panic.
            runtimes.into_iter().chain([first]).for_each(Runtime::shutdown_background);
            return Err(MockError::Listen { address: state.config.listen, source });
        }
    };
    let (stop, stopped) = watch::channel(());
    let (alive, running) = mpsc::channel(1);
    let mut handles = Vec::new();
    let mut others = Vec::new();
    let mut spawn = |runtime: Runtime, work: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| {
        let alive = alive.clone();
        let thread = std::thread::Builder::new().name("mock-llm".into());
        let handle = thread.spawn(move || {
            runtime.block_on(work);
            drop(runtime);
            drop(alive);
        });
        handle.map_err(MockError::Thread).map(|handle| handles.push(handle))
    };
    for runtime in runtimes {
        let (deal, dealt) = mpsc::channel(DEALT);
        others.push(deal);
        let (state, stopped) = (state.clone(), stopped.clone());
        spawn(runtime, Box::pin(unless(stopped, async move { receive(dealt, &state).await })))?;
    }
    let state = state.clone();
    spawn(first, Box::pin(unless(stopped, async move { accept(&listener, &others, &state).await })))?;
    Ok(Threads { address, stop, running, handles })
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

fn listen(runtime: &Runtime, address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let _inside = runtime.enter();
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A server that was just stopped leaves its port in a state in which only this gets it.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Does the work until the server stops. What it spawned ends with its runtime.
async fn unless(mut stopped: watch::Receiver<()>, work: impl Future<Output = ()>) {
    tokio::select! {
        biased;
        _ = stopped.changed() => {}
        () = work => {}
    }
}

async fn accept(listener: &TcpListener, others: &[mpsc::Sender<Dealt>], state: &Arc<State>) {
    let places = Arc::new(Semaphore::new(state.config.max_connections));
    let mut turn = 0;
    loop {
        // The semaphore is never closed.
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(_) => {
                // Most often there are too many open files. Trying at once would only spin.
                sleep(EXHAUSTED).await;
                continue;
            }
        };
        turn = (turn + 1) % (others.len() + 1);
        match turn.checked_sub(1) {
            None => take(stream, place, state),
            Some(other) => {
                if let Ok(stream) = stream.into_std() {
                    // A thread that is gone has stopped with the server.
                    let _ = others[other].send((stream, place)).await;
                }
            }
        }
    }
}

async fn receive(mut dealt: mpsc::Receiver<Dealt>, state: &Arc<State>) {
    while let Some((stream, place)) = dealt.recv().await {
        if let Ok(stream) = TcpStream::from_std(stream) {
            take(stream, place, state);
        }
    }
    // The accepting thread ended first; connections go on until the server stops.
    std::future::pending().await
}

fn take(stream: TcpStream, place: OwnedSemaphorePermit, state: &Arc<State>) {
    let state = state.clone();
    tokio::spawn(async move {
        serve(stream, state).await;
        drop(place);
    });
}
