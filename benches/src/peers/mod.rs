//! Who is compared? One file for each subject, and nothing of a subject outside its file.

mod actix;
mod callboard;
mod kameo;
mod ractor;
mod threads;
mod tokio;

pub use self::actix::PlainActix;
pub use self::callboard::Callboard;
pub use self::kameo::Kameo;
pub use self::ractor::Ractor;
pub use self::tokio::PlainTokio;

/// The subjects in the order of the table's columns: what each is called, and the package whose version counts.
pub const SUBJECTS: [(&str, &str); 5] =
    [subject::<Callboard>(), subject::<PlainActix>(), subject::<PlainTokio>(), subject::<Ractor>(), subject::<Kameo>()];

const fn subject<P: crate::peer::Peer>() -> (&'static str, &'static str) {
    (P::NAME, P::PACKAGE)
}

/// One function for each of [`SUBJECTS`], in that order: `each_peer!(P => ask::sample::<P>)`.
#[macro_export]
macro_rules! each_peer {
    ($peer:ident => $function:expr) => {
        [
            Some({
                type $peer = $crate::peers::Callboard;
                $function as _
            }),
            Some({
                type $peer = $crate::peers::PlainActix;
                $function as _
            }),
            Some({
                type $peer = $crate::peers::PlainTokio;
                $function as _
            }),
            Some({
                type $peer = $crate::peers::Ractor;
                $function as _
            }),
            Some({
                type $peer = $crate::peers::Kameo;
                $function as _
            }),
        ]
    };
}
