//! How does a file become a document? Files are read on several threads; one that fails costs only itself.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;

use callboard_actors::text::{Language, language};

use super::cache::sha256;
use super::decode::decode;
use super::passages::{Span, passages};
use super::read::{Extract, Skip, read, title};
use super::repeats::Fingerprint;
use super::walk::{Found, Stamp, failure, too_large};
use super::{CorpusError, CorpusOptions};

/// A document that was just read.
pub(super) struct Fresh {
    /// SHA-256 of the file's bytes.
    pub(super) raw: String,
    pub(super) text: String,
    pub(super) title: String,
    pub(super) english: bool,
    pub(super) trails: Vec<Vec<String>>,
    pub(super) passages: Vec<Span>,
    pub(super) fingerprint: Fingerprint,
}

/// What came of one file.
pub(super) struct Reading {
    /// Its place in the list that was given.
    pub(super) index: usize,
    /// Its stamp when it was opened.
    pub(super) stamp: Stamp,
    pub(super) outcome: Result<Fresh, Skip>,
}

/// Reads files and hands each result to `take`, in the order in which they are ready. An error of `take` ends it.
pub(super) fn read_all(
    files: &[(usize, &Found)],
    options: &CorpusOptions,
    mut take: impl FnMut(Reading) -> Result<(), CorpusError>,
) -> Result<(), CorpusError> {
    let next = AtomicUsize::new(0);
    let threads = options.readers().min(files.len()).max(1);
    std::thread::scope(|scope| {
        // Few results wait, so that large documents do not pile up.
        let (sender, receiver) = sync_channel(threads);
        for _ in 0..threads {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                while let Some((index, found)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // The receiver is gone when reading was broken off.
                    if sender.send(read_one(*index, found, options.max_file_bytes)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        // The receiver is dropped with the iterator, which ends the threads.
        receiver.into_iter().try_for_each(&mut take)
    })
}

fn read_one(index: usize, found: &Found, max_bytes: u64) -> Reading {
    let mut stamp = found.stamp;
    let attempt = catch_unwind(AssertUnwindSafe(|| {
        let bytes = bytes(found, max_bytes, &mut stamp)?;
        document(found, bytes)
    }));
    let outcome = attempt.unwrap_or_else(|_| {
        tracing::error!(file = %found.path.display(), "a reader panicked; please report this file");
        Err(Skip::because("its reader failed"))
    });
    Reading { index, stamp, outcome }
}

/// The file's bytes, never more than `max_bytes`.
fn bytes(found: &Found, max_bytes: u64, stamp: &mut Stamp) -> Result<Vec<u8>, Skip> {
    let file = open(found).map_err(|error| link_or(&error))?;
    let metadata = file.metadata().map_err(|error| failure(&error))?;
    if !metadata.is_file() {
        return Err(Skip::because("not a regular file"));
    }
    *stamp = Stamp::of(&metadata);
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(max_bytes)).unwrap_or(0));
    file.take(max_bytes + 1).read_to_end(&mut bytes).map_err(|error| failure(&error))?;
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
        return Skip::because("became a link while it was read");
    }
    failure(error)
}

fn document(found: &Found, bytes: Vec<u8>) -> Result<Fresh, Skip> {
    let raw = sha256(&bytes);
    let extract = read(found.format, &decode(bytes)?)?;
    let title = title(&extract, std::path::Path::new(&found.file));
    let english = language(&extract.text) == Language::English;
    let (trails, passages) = used_trails(&extract, passages(&extract));
    let fingerprint = fingerprint(&extract.text, passages.iter().map(|span| (span.start, span.end)));
    Ok(Fresh { raw, text: extract.text, title, english, trails, passages, fingerprint })
}

/// The paragraphs of the passages: what [`super::repeats`] compares.
pub(super) fn fingerprint(text: &str, passages: impl Iterator<Item = (usize, usize)>) -> Fingerprint {
    Fingerprint::of(passages.filter_map(|(start, end)| text.get(start..end)).flat_map(|text| text.split("\n\n")))
}

/// Only the trails that passages name, renumbered.
fn used_trails(extract: &Extract, mut spans: Vec<Span>) -> (Vec<Vec<String>>, Vec<Span>) {
    let mut used: Vec<Vec<String>> = Vec::new();
    let mut last = None;
    for span in &mut spans {
        if last != Some(span.trail) {
            last = Some(span.trail);
            used.push(extract.trails[span.trail].clone());
        }
        span.trail = used.len() - 1;
    }
    (used, spans)
}
