//! How high the walls of a new workspace are.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What a new workspace may do to the machine it is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// A development box: sudo works, what such a box does not need is taken away
    #[default]
    Standard,
    /// No more rights than its user's, a root that cannot be written, no network unless one is named
    Strict,
    /// Standard, or nothing: fails where a workspace cannot be walled off
    Require,
    /// No walls at all; of this machine's folders alone, which have no others where bubblewrap does not work
    None,
}

impl Isolation {
    /// The word on the command line and in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Strict => "strict",
            Self::Require => "require",
            Self::None => "none",
        }
    }
}

/// Processes a workspace may have at once; far above what builds need, far below what a machine can bear.
pub const PIDS_LIMIT: i64 = 4096;

/// Capabilities that engines give by default and a development box does not need: making devices, raw packets, changing
/// the capabilities of files and processes, changing the root. What sudo and package managers need stays.
pub const DROPPED: [&str; 5] = ["MKNOD", "NET_RAW", "SETFCAP", "SETPCAP", "SYS_CHROOT"];

/// Folders that programs expect to write to, in memory where the root cannot be written. Programs may be run from
/// them, as build tools do; devices and setuid bits have no effect there.
pub const TMPFS: [(&str, &str); 3] = [
    ("/tmp", "rw,exec,nosuid,nodev,mode=1777,size=1g"),
    ("/var/tmp", "rw,exec,nosuid,nodev,mode=1777,size=1g"),
    ("/run", "rw,noexec,nosuid,nodev,mode=755,size=64m"),
];
