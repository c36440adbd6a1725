//! Whose call is it, and how soon does it matter? Plain values that the lines sort by.

/// How soon a call matters, compared with the other calls of its run. Of one run's waiting calls a more urgent one always
/// starts first; what another run gets does not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    /// Others wait for its answer, such as a supervisor's plan or synthesis.
    Urgent,
    /// The work itself. The default.
    #[default]
    Normal,
    /// Useful, and nobody waits for it.
    Background,
}

impl Priority {
    /// How many there are.
    pub(super) const COUNT: usize = 3;

    /// 0 for the most urgent.
    pub(super) fn rank(self) -> usize {
        self as usize
    }
}

/// Whose a call is. Calls that say nothing of it belong to one run of one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::gateway) struct Flow {
    /// The number of its user.
    pub(in crate::gateway) user: u64,
    /// The number of its run among those of its user.
    pub(in crate::gateway) run: u64,
    pub(in crate::gateway) class: Priority,
}

/// When a user and its run were last served, or came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) struct Turns {
    pub(super) user: u64,
    pub(super) run: u64,
}
