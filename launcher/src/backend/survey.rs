//! Things of ours that nothing uses, and the rule of which are old enough to go.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::backend::Workspace;

/// What a leaving is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A container.
    Container,
    /// A volume.
    Volume,
    /// A folder of this machine.
    Folder,
}

impl Kind {
    /// The word in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Volume => "volume",
            Self::Folder => "folder",
        }
    }
}

/// Why it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It only looked into a workspace, and its launcher was killed.
    Viewer,
    /// Its create was cut off before the start.
    NeverStarted,
    /// Its create was cut off between the start and the end.
    HalfMade,
    /// No container mounts it; or its workspace was removed and it was kept.
    Unused,
    /// Its removal was cut off.
    HalfRemoved,
}

impl Reason {
    /// The word in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::NeverStarted => "never_started",
            Self::HalfMade => "half_made",
            Self::Unused => "unused",
            Self::HalfRemoved => "half_removed",
        }
    }
}

/// Something of ours that nothing uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaving {
    /// What it is.
    pub kind: Kind,
    /// The backend's own id; what is acted on.
    pub id: String,
    /// Its name, for documents.
    pub name: String,
    /// Full name of the workspace it belongs to.
    pub workspace: String,
    /// When it was made, in seconds since 1970, when that is known.
    pub made_at: Option<i64>,
    /// The mark of the call that made it. Without one, its name alone says that it is ours.
    pub create_id: Option<String>,
    /// Why it is one.
    pub reason: Reason,
}

impl Leaving {
    /// Whether it is what a workspace has left for the next one of its name, with work in it perhaps.
    pub fn is_storage(&self) -> bool {
        self.reason == Reason::Unused
    }
}

/// Everything of ours that is no workspace in use, as far as it can be told from outside.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Survey {
    /// Containers first.
    pub leavings: Vec<Leaving>,
    /// Workspaces that were started and that their create was to finish: whether it did shows inside alone.
    pub to_finish: Vec<Workspace>,
    /// Where nobody could look, as a sentence.
    pub unfinished: Option<String>,
}

/// Bytes by kind and name.
pub type Sizes = BTreeMap<(Kind, String), u64>;

/// What became of a leaving that was to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cleared {
    /// It is gone.
    Removed,
    /// Somebody else was faster.
    Gone,
    /// Something uses it by now, and what.
    InUse(String),
}

/// How old something must be to go when nobody says it: longer than a create is at work.
pub const DEFAULT_AGE: Duration = Duration::from_secs(3600);

/// Whether what was made then is older than that now. What nobody knows the age of is not, unless any age will do.
pub fn is_due(made_at: Option<i64>, now: i64, age: Duration) -> bool {
    let age = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
    made_at.map_or(age == 0, |made_at| now.saturating_sub(made_at) >= age)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_young_or_of_unknown_age_or_of_tomorrow_is_not_due() {
        let hour = DEFAULT_AGE;
        assert!(is_due(Some(0), 3600, hour) && !is_due(Some(1), 3600, hour));
        assert!(!is_due(None, 3600, hour) && !is_due(Some(9999), 3600, hour));
        assert!(is_due(None, 3600, Duration::ZERO) && is_due(Some(3600), 3600, Duration::ZERO));
    }
}
