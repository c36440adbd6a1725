//! How does a file become a document? Files are read on several threads; one that fails costs only itself.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use callboard_actors::text::{Language, language};

use super::cache::sha256;
use super::decode::decode;
use super::outline::Outline;
use super::passages::{Span, passages};
use super::read::{Skip, read, title};
use super::repeats::Fingerprint;
use super::walk::{Found, Stamp, failure, too_large};
use super::{CorpusError, CorpusOptions};
use crate::report::own::written_by_us;

/// A document that was just read.
pub(super) struct Fresh {
    /// SHA-256 of the file's bytes.
    pub(super) raw: String,
    pub(super) text: String,
    pub(super) title: String,
    pub(super) english: bool,
    pub(super) outline: Outline,
    pub(super) passages: Vec<Span>,
    pub(super) fingerprint: Fingerprint,
}

/// What came of one file.
pub(super) struct Reading {
    /// Its place in the list that was given.
    pub(super) index: usize,
    /// The stamp under which the outcome can be remembered; `None` if the next time may be different.
    pub(super) stamp: Option<Stamp>,
    pub(super) outcome: Result<Fresh, Skip>,
}

/// How often the one who waits for a file is asked whether to go on.
const LOOK: Duration = Duration::from_millis(50);

/// Reads files and hands each result to `take`, in the order of the files; every [`LOOK`] without one it gets `None`. An
/// error of `take` ends the reading.
pub(super) fn read_all(
    files: &[(usize, &Found)],
    options: &CorpusOptions,
    mut take: impl FnMut(Option<Reading>) -> Result<(), CorpusError>,
) -> Result<(), CorpusError> {
    let threads = options.readers().min(files.len()).max(1);
    let stopped = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<Receiver<Reading>> = (0..threads)
            .map(|first| {
                // One result waits for each reader, so that large documents do not pile up.
                let (sender, receiver) = sync_channel(1);
                let stopped = &stopped;
                scope.spawn(move || {
                    for (index, found) in files.iter().skip(first).step_by(threads) {
                        // The receiver is gone when reading was broken off.
                        if sender.send(read_one(*index, found, options.max_file_bytes, stopped)).is_err() {
                            return;
                        }
                    }
                });
                receiver
            })
            .collect();
        let result = (0..files.len()).try_for_each(|at| next(&readers[at % threads], &mut take));
        // With the receivers gone, the readers end after the file, or the part of a file, that they are at.
        stopped.store(true, Ordering::Relaxed);
        drop(readers);
        result
    })
}

fn next(
    reader: &Receiver<Reading>,
    take: &mut impl FnMut(Option<Reading>) -> Result<(), CorpusError>,
) -> Result<(), CorpusError> {
    loop {
        match reader.recv_timeout(LOOK) {
            Ok(reading) => return take(Some(reading)),
            Err(RecvTimeoutError::Timeout) => take(None)?,
            // The thread ended early, which only a panic can do; it goes on where the threads are joined.
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

fn read_one(index: usize, found: &Found, max_bytes: u64, stopped: &AtomicBool) -> Reading {
    let mut stamp = None;
    let attempt = catch_unwind(AssertUnwindSafe(|| {
        let bytes = bytes(found, max_bytes, &mut stamp)?;
        document(found, bytes, stopped)
    }));
    let outcome = attempt.unwrap_or_else(|_| {
        tracing::error!(file = %found.path.display(), "a reader panicked; please report this file");
        Err(Skip::because("its reader failed"))
    });
    Reading { index, stamp, outcome }
}

/// The file's bytes, never more than `max_bytes`.
fn bytes(found: &Found, max_bytes: u64, stamp: &mut Option<Stamp>) -> Result<Vec<u8>, Skip> {
    let file = open(found).map_err(|error| {
        // A change of permissions changes the stamp; what else can go wrong here may be over the next time.
        *stamp = (error.kind() == ErrorKind::PermissionDenied).then_some(found.stamp);
        link_or(&error)
    })?;
    let metadata = file.metadata().map_err(|error| failure(&error))?;
    if !metadata.is_file() {
        return Err(Skip::because("not a regular file"));
    }
    in_place(found, &metadata)?;
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(max_bytes)).unwrap_or(0));
    file.take(max_bytes + 1).read_to_end(&mut bytes).map_err(|error| failure(&error))?;
    *stamp = Some(Stamp::of(&metadata));
    if bytes.len() as u64 > max_bytes { Err(too_large(max_bytes)) } else { Ok(bytes) }
}

/// Opens a file; a link or a pipe that took its place since it was listed is neither followed nor waited for.
fn open(found: &Found) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC,
    );
    options.open(&found.path)
}

fn link_or(error: &std::io::Error) -> Skip {
    #[cfg(unix)]
    if error.raw_os_error() == Some(libc::ELOOP) {
        return became_a_link();
    }
    failure(error)
}

fn became_a_link() -> Skip {
    Skip::because("became a link while it was read")
}

/// Refuses a file that is not the one that was listed, such as one below a folder that has become a link since: the path
/// must have no link in it now, and lead to what is open.
#[cfg(unix)]
fn in_place(found: &Found, open: &Metadata) -> Result<(), Skip> {
    use std::os::unix::fs::MetadataExt;
    if std::fs::canonicalize(&found.path).map_err(|error| failure(&error))? != found.path {
        return Err(became_a_link());
    }
    let there = std::fs::symlink_metadata(&found.path).map_err(|error| failure(&error))?;
    if (there.dev(), there.ino()) != (open.dev(), open.ino()) {
        return Err(Skip::because("was replaced while it was read"));
    }
    Ok(())
}

/// Elsewhere the standard library tells no file from another.
#[cfg(not(unix))]
fn in_place(_: &Found, _: &Metadata) -> Result<(), Skip> {
    Ok(())
}

fn document(found: &Found, bytes: Vec<u8>, stopped: &AtomicBool) -> Result<Fresh, Skip> {
    // Nobody hears this reason.
    let go_on = || if stopped.load(Ordering::Relaxed) { Err(Skip::because("broken off")) } else { Ok(()) };
    let raw = sha256(&bytes);
    go_on()?;
    let text = decode(bytes)?;
    if !found.is_named
        && let Some(reason) = written_by_us(&found.file, &raw, &text, found.format.is_page(&text))
    {
        return Err(Skip::because(reason));
    }
    let extract = read(found.format, &text)?;
    go_on()?;
    let title = title(&extract, std::path::Path::new(&found.file));
    let english = language(&extract.text) == Language::English;
    let mut passages = passages(&extract);
    let outline = extract.outline.keep(passages.iter_mut().map(|span| &mut span.place));
    let fingerprint = fingerprint(&extract.text, passages.iter().map(|span| (span.start, span.end)));
    Ok(Fresh { raw, text: extract.text, title, english, outline, passages, fingerprint })
}

/// The paragraphs of the passages: what [`super::repeats`] compares.
pub(super) fn fingerprint(text: &str, passages: impl Iterator<Item = (usize, usize)>) -> Fingerprint {
    Fingerprint::of(passages.filter_map(|(start, end)| text.get(start..end)).flat_map(|text| text.split("\n\n")))
}
