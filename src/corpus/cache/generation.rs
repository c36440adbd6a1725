//! Is a generation whole, and what is in it?

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::files::{read_checked, write_checked};
use crate::corpus::manifest::{Document, Manifest};
use crate::corpus::rank::Ranker;

/// The file that describes the documents.
pub(in crate::corpus) const MANIFEST: &str = "manifest";
/// The file that holds the stored texts, one after the other.
pub(in crate::corpus) const TEXTS: &str = "texts";
/// The folder of the search index.
pub(in crate::corpus) const INDEX: &str = "index";
const SEAL: &str = "seal";

/// Why a generation cannot be used; for people.
#[derive(Debug)]
pub(in crate::corpus) struct Unusable(pub(in crate::corpus) String);

/// Length and CRC-32 of a file, by its path in the generation.
#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct Sealed {
    file: PathBuf,
    bytes: u64,
    crc: u32,
}

/// A complete generation, open for reading. It stays readable when a newer one replaces it.
pub(in crate::corpus) struct Generation {
    /// Where it was opened. Only who holds the lock of its slot can rely on the folder.
    pub(in crate::corpus) dir: PathBuf,
    pub(in crate::corpus) manifest: Manifest,
    pub(in crate::corpus) pack: Pack,
    pub(in crate::corpus) ranker: Ranker,
}

impl Generation {
    /// Opens a generation after comparing every file with the seal.
    pub(in crate::corpus) fn open(dir: &Path) -> Result<Self, Unusable> {
        let sealed: Vec<Sealed> = read_checked(&dir.join(SEAL)).map_err(|error| unusable(SEAL, &error))?;
        for expected in &sealed {
            let name = expected.file.to_string_lossy();
            let (bytes, crc) = checksum(&dir.join(&expected.file)).map_err(|error| unusable(&name, &error))?;
            if (bytes, crc) != (expected.bytes, expected.crc) {
                return Err(Unusable(format!("{name} is damaged")));
            }
        }
        let manifest: Manifest = read_checked(&dir.join(MANIFEST)).map_err(|error| unusable(MANIFEST, &error))?;
        let pack = Pack::open(&dir.join(TEXTS)).map_err(|error| unusable(TEXTS, &error))?;
        let ranker =
            Ranker::open(&dir.join(INDEX), &manifest).map_err(|error| Unusable(format!("{INDEX}: {error}")))?;
        Ok(Self { dir: dir.to_path_buf(), manifest, pack, ranker })
    }
}

fn unusable(name: &str, error: &io::Error) -> Unusable {
    match error.kind() {
        io::ErrorKind::NotFound => Unusable(format!("{name} is missing")),
        io::ErrorKind::InvalidData => Unusable(format!("{name} is damaged")),
        _ => Unusable(format!("{name} cannot be read: {error}")),
    }
}

/// Writes the seal over all that is in `dir`. Nothing may be written there afterwards.
pub(in crate::corpus) fn seal(dir: &Path) -> io::Result<()> {
    let mut sealed = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(dir.join(&folder))? {
            let entry = entry?;
            let file = folder.join(entry.file_name());
            let is_lock = file.extension().is_some_and(|extension| extension == "lock");
            if entry.file_type()?.is_dir() {
                folders.push(file);
            } else if !is_lock {
                let (bytes, crc) = checksum(&entry.path())?;
                sealed.push(Sealed { file, bytes, crc });
            }
        }
    }
    write_checked(&dir.join(SEAL), &sealed)
}

fn checksum(path: &Path) -> io::Result<(u64, u32)> {
    let mut file = File::open(path)?;
    let mut hasher = crc32fast::Hasher::new();
    let mut buffer = vec![0; 256 << 10];
    let mut bytes = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((bytes, hasher.finalize())),
            read => {
                hasher.update(&buffer[..read]);
                bytes += read as u64;
            }
        }
    }
}

/// The stored texts. Reading is safe from many threads.
#[derive(Debug)]
pub(in crate::corpus) struct Pack {
    file: Mutex<File>,
}

impl Pack {
    pub(in crate::corpus) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: Mutex::new(File::open(path)?) })
    }

    /// Bytes `start..end` of the document's stored text.
    pub(in crate::corpus) fn slice(&self, document: &Document, start: usize, end: usize) -> io::Result<String> {
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the stored text does not hold the passage");
        let length = end.checked_sub(start).filter(|_| end as u64 <= document.bytes).ok_or_else(damaged)?;
        let mut bytes = vec![0; length];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(document.offset + start as u64))?;
        file.read_exact(&mut bytes)?;
        drop(file);
        String::from_utf8(bytes).map_err(|_| damaged())
    }

    /// The document's whole stored text.
    pub(in crate::corpus) fn text(&self, document: &Document) -> io::Result<String> {
        let length = usize::try_from(document.bytes).map_err(io::Error::other)?;
        self.slice(document, 0, length)
    }

    /// The whole stored text, after comparing it with the SHA-256 that names it.
    pub(in crate::corpus) fn verified(&self, document: &Document) -> io::Result<String> {
        let text = self.text(document)?;
        if sha256(text.as_bytes()) == *document.source {
            return Ok(text);
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "the stored text is not the one that was read"))
    }
}

/// Lower-case hexadecimal SHA-256.
pub(in crate::corpus) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        for digit in [byte >> 4, byte & 15] {
            hex.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
        hex
    })
}
