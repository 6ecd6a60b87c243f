//! What was removed, what stays and why, and where work was brought first.

use serde::Serialize;

report! {
    /// A thing that `rm` removed.
    pub struct RemovedItem {
        /// `container` or `volume`; `workspace` or `folder` on this machine.
        pub kind: String,
        /// The engine's name for it.
        pub id: String,
    }
}

report! {
    /// A thing that `rm` has kept.
    pub struct KeptItem {
        /// `container` or `volume`; `workspace` or `folder` on this machine.
        pub kind: String,
        /// The engine's name for it.
        pub id: String,
    }
}

report! {
    /// A thing that `rm` could not remove.
    pub struct FailedItem {
        /// `container` or `volume`; `workspace` or `folder` on this machine.
        pub kind: String,
        /// The engine's name for it.
        pub id: String,
        /// Why, in the engine's words.
        pub message: String,
    }
}

report! {
    /// A file that work was brought out into.
    pub struct RescuedItem {
        /// `bundle`, `changes`, `staged`, `shallow` or `files`.
        pub kind: String,
        /// The repository inside; null for files outside any.
        pub repository: Option<String>,
        /// Its name in the folder.
        pub file: String,
        /// Its size.
        pub bytes: u64,
        /// Its SHA-256, in hex.
        pub sha256: String,
    }
}

report! {
    /// What was brought out before something was removed.
    pub struct RescueReport {
        /// The folder on the caller's host, absolute.
        pub dir: String,
        /// What is in it, beside a text that says how to restore.
        pub items: Vec<RescuedItem>,
    }
}

report! {
    /// What `rm` did.
    pub struct RmReport {
        /// Full name of the workspace.
        pub workspace: String,
        /// What is gone.
        pub removed: Vec<RemovedItem>,
        /// What stays: it was asked to be kept, or nobody has looked into it.
        pub kept: Vec<KeptItem>,
        /// What could not be removed.
        pub failed: Vec<FailedItem>,
        /// What was brought out first; null when there was nothing to bring out, absent unless `--rescue` was given.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub rescued: Option<Option<RescueReport>>,
        /// Whether this call changed anything.
        pub changed: bool,
    }
}

report! {
    /// A thing that nothing uses and that `prune` removed, or would.
    pub struct LeftRemoved {
        /// `container` or `volume`; `workspace` or `folder` on this machine.
        pub kind: String,
        /// The engine's name for it.
        pub id: String,
        /// Full name of the workspace it belongs to.
        pub workspace: String,
        /// What it takes; null when the engine did not say.
        pub bytes: Option<u64>,
        /// Why it is left over: `viewer`, `never_started`, `half_made` or `unused`; new ones may appear.
        pub reason: String,
    }
}

report! {
    /// A thing that nothing uses and that `prune` kept.
    pub struct LeftKept {
        /// `container` or `volume`; `workspace` or `folder` on this machine.
        pub kind: String,
        /// The engine's name for it.
        pub id: String,
        /// Full name of the workspace it belongs to.
        pub workspace: String,
        /// What it takes; null when the engine did not say.
        pub bytes: Option<u64>,
        /// Why it is left over.
        pub reason: String,
        /// Why it was kept all the same, as one sentence for people.
        pub why: String,
    }
}

report! {
    /// A thing that nothing uses and that `prune` could not remove.
    pub struct LeftUnremoved {
        /// `container` or `volume`; `workspace` or `folder` on this machine.
        pub kind: String,
        /// The engine's name for it.
        pub id: String,
        /// Full name of the workspace it belongs to.
        pub workspace: String,
        /// What it takes; null when the engine did not say.
        pub bytes: Option<u64>,
        /// Why it is left over.
        pub reason: String,
        /// Why it could not be removed, in the engine's words.
        pub message: String,
    }
}

report! {
    /// What `prune` did.
    pub struct PruneReport {
        /// Whether it only said what it would do.
        pub dry_run: bool,
        /// What is gone, or would be.
        pub removed: Vec<LeftRemoved>,
        /// What stays though nothing uses it.
        pub kept: Vec<LeftKept>,
        /// What could not be removed.
        pub failed: Vec<LeftUnremoved>,
        /// Why there may be more that was not looked for, as one sentence for people; null when there is not.
        pub unfinished: Option<String>,
        /// Sum of the sizes that are known of what is gone, or would be.
        pub reclaimed_bytes: u64,
    }
}
