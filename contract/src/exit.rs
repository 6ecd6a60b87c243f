//! The exit codes: one number for each thing a script would branch on.

/// How the process ends, as the number a shell sees in `$?`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Done, or already so.
    Ok = 0,
    /// Any other failure; also `--supports` and `--requires` answering no.
    Failed = 1,
    /// Bad flag, missing or invalid argument, unknown command.
    Usage = 2,
    /// What was named does not exist.
    NotFound = 3,
    /// It exists and differs, is busy, or is in the wrong state.
    Conflict = 4,
    /// Refused: it would destroy work that exists nowhere else.
    UnsavedWork = 5,
    /// Credentials are missing or were refused.
    Auth = 6,
    /// The engine or a host cannot be reached.
    Unavailable = 7,
    /// Some of several things failed; the document lists which.
    Partial = 8,
    /// This backend, engine or image cannot do that.
    Unsupported = 9,
    /// `--timeout` ran out.
    Timeout = 124,
    /// SIGINT, after cleaning up.
    Interrupted = 130,
    /// SIGTERM or SIGHUP, after cleaning up.
    Terminated = 143,
}

impl Exit {
    /// Every exit code, in ascending order.
    pub const ALL: [Self; 13] = [
        Self::Ok,
        Self::Failed,
        Self::Usage,
        Self::NotFound,
        Self::Conflict,
        Self::UnsavedWork,
        Self::Auth,
        Self::Unavailable,
        Self::Partial,
        Self::Unsupported,
        Self::Timeout,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The number given to the operating system.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The name used in documentation, snake case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::UnsavedWork => "unsaved_work",
            Self::Auth => "auth",
            Self::Unavailable => "unavailable",
            Self::Partial => "partial",
            Self::Unsupported => "unsupported",
            Self::Timeout => "timeout",
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
        }
    }

    /// When this code is used, as one sentence for the table in the documentation.
    #[must_use]
    pub const fn when(self) -> &'static str {
        match self {
            Self::Ok => "done, or already so",
            Self::Failed => "any other failure; and `--supports`/`--requires` answering no",
            Self::Usage => "bad flag, missing or invalid argument, unknown command",
            Self::NotFound => "the workspace, image, ref, network, VM or VM host does not exist",
            Self::Conflict => "it exists and differs, is busy, or is in the wrong state",
            Self::UnsavedWork => "refused: it would destroy work that exists nowhere else",
            Self::Auth => "git, registry or SSH credentials missing or refused, or an SSH host not to be believed",
            Self::Unavailable => "engine not running, host unreachable, connection lost",
            Self::Partial => "some of several things failed; the document lists which",
            Self::Unsupported => {
                "this launcher, backend, engine, image or machine cannot do that, or the state is a newer launcher's"
            }
            Self::Timeout => "`--timeout` ran out",
            Self::Interrupted => "SIGINT, after cleaning up",
            Self::Terminated => "SIGTERM or SIGHUP, after cleaning up",
        }
    }

    /// Whether the same call may succeed later with nothing changed by the caller.
    #[must_use]
    pub const fn retryable(self) -> bool {
        matches!(self, Self::Unavailable | Self::Timeout)
    }
}
