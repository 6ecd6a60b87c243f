//! What was checked and mended.

use std::collections::BTreeMap;

use serde::Serialize;

use super::vm::VmStep;

words! {
    /// How a check of `doctor` came out. Readers treat members they do not know as `warning`.
    pub enum CheckStatus {
        /// All is well.
        Ok,
        /// Everything works, and something should be looked after.
        Warning,
        /// Something does not work.
        Failed,
        /// It could not be looked at, because another check failed.
        Skipped,
    }
}

impl CheckStatus {
    /// The word printed for people and in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

report! {
    /// One thing that `doctor` looked at.
    pub struct Check {
        /// What it is, snake case; new ones may appear.
        pub check: String,
        /// How it came out.
        pub status: CheckStatus,
        /// What was found, as one sentence for people.
        pub message: String,
        /// A command to paste that mends it; null when there is nothing to mend or no command does.
        pub fix: Option<String>,
    }
}

report! {
    /// What `doctor` found.
    pub struct DoctorReport {
        /// Whether no check failed.
        pub healthy: bool,
        /// Everything that was looked at, always in the same order.
        pub checks: Vec<Check>,
    }
}

report! {
    /// The image that `image build` made.
    pub struct ImageBuildReport {
        /// Its tag.
        pub image: String,
        /// The engine's id of it; null when the engine did not say.
        pub id: Option<String>,
        /// What it was built from.
        pub base: String,
        /// Milliseconds spent, by phase.
        pub timings_ms: BTreeMap<String, u64>,
    }
}

report! {
    /// What `repair` found and did.
    pub struct RepairReport {
        /// Full name.
        pub workspace: String,
        /// Whether anything had to be restored.
        pub changed: bool,
        /// What was proved, in its order.
        pub steps: Vec<VmStep>,
        /// Whether what a cut-off create or removal had left was cleared away, so that the workspace is no more.
        pub gone: bool,
    }
}

report! {
    /// What `rehome` did.
    pub struct RehomeReport {
        /// Full name.
        pub workspace: String,
        /// Whether it was moved.
        pub changed: bool,
        /// The folder on the VM that it was in.
        pub from: String,
        /// The folder that it is in.
        pub folder: String,
        /// The clone, or the work folder, as it is now.
        pub path: Option<String>,
    }
}
