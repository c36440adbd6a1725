//! Where does an index live between two runs? One slot for each set of corpus paths and version of the
//! program, one generation in it at a time.
//!
//! ```text
//! <cache>/corpus/locks/<slot>.lock    shared while an index is opened, exclusive while one is built
//! <cache>/corpus/<slot>/current       the name of the living generation; replaced atomically
//! <cache>/corpus/<slot>/visits        what came of each file, so that an unchanged one is not read again
//! <cache>/corpus/<slot>/g-.../        a generation: manifest, texts, index/ and a seal over all of them
//! ```
//!
//! A generation is complete before `current` names it and never changes afterwards: a new one begins with a copy of its
//! index, which then follows the documents. Its seal holds the length and the CRC-32 of each file, so that damage is found
//! when the generation is opened, before anything parses it.

mod files;
mod generation;
mod lock;
mod slot;

pub(super) use files::{make_private, private_dir, private_file, write_checked};
pub(super) use generation::{Generation, INDEX, MANIFEST, Pack, TEXTS, seal, sha256};
pub(super) use lock::Guard;
pub(super) use slot::{Held, Slot};
