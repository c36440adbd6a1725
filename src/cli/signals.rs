//! What does Ctrl-C do? The first ends the run in order, the second ends the process at once; SIGTERM counts as one, and as the
//! first one so does the SIGHUP of a terminal that is closed, where standard output or standard error is one.
//! Without a terminal it is left as it was found: under `nohup` it ends nothing.

use std::io::{self, IsTerminal};

use callboard::ExitStatus;
use tokio::sync::watch;

/// How late a signal is seen at most that was sent before another one.
#[cfg(unix)]
const MOMENT: std::time::Duration = std::time::Duration::from_secs(1);

/// Whether a signal came. Clones see the same.
#[derive(Debug, Clone)]
pub(super) struct Signals(watch::Receiver<bool>);

impl Signals {
    /// Listens from now on, on a thread of the tokio runtime around it. The first signal calls `heard` at once,
    /// whatever the other threads are busy with; the second ends the process.
    pub(super) fn listen(heard: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let mut source = Source::open()?;
        let (send, receive) = watch::channel(false);
        tokio::spawn(async move {
            let is_closed = source.next().await;
            send.send_replace(true);
            // Not here: whatever it writes to may stand still, and the second signal must not wait for it.
            tokio::task::spawn_blocking(heard);
            source.second(is_closed).await;
            std::process::exit(ExitStatus::Interrupted.code().into());
        });
        Ok(Self(receive))
    }

    /// Whether the first signal came.
    pub(super) fn came(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for the first signal, however long it takes; give it a rival in a `select`.
    pub(super) async fn first(&mut self) {
        if self.0.wait_for(|came| *came).await.is_err() {
            // The listener is gone with its runtime: no signal will come.
            std::future::pending().await
        }
    }
}

#[cfg(unix)]
struct Source {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Source {
    fn open() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let has_terminal = io::stdout().is_terminal() || io::stderr().is_terminal();
        let hangup = has_terminal.then(|| signal(SignalKind::hangup())).transpose()?;
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())?, hangup })
    }

    /// The second signal. A terminal that is closed says so twice: its shell does, and then the system. One other signal may belong to
    /// that: it was sent before, and is seen late, within a moment.
    async fn second(&mut self, is_closed: bool) {
        if is_closed {
            let _it_was_none = tokio::time::timeout(MOMENT, self.asked()).await;
        }
        self.asked().await;
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// The first signal; whether it was that of a terminal that is closed.
    async fn next(&mut self) -> bool {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => drop(hangup.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => false,
            _ = self.terminate.recv() => false,
            () = hangup => true,
        }
    }
}

#[cfg(not(unix))]
struct Source;

#[cfg(not(unix))]
impl Source {
    fn open() -> io::Result<Self> {
        Ok(Self)
    }

    async fn second(&mut self, _: bool) {
        self.next().await;
    }

    async fn next(&mut self) -> bool {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        false
    }
}
