//! What the inside of containers answers: the scripts that are run are recognised, and each has a reply.

/// A script of the launcher, recognised by what its first comment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Script {
    /// Says what runs beside what keeps a container alive.
    AtWork,
    /// Clones a repository.
    Clone,
    /// Ends a clone that was interrupted.
    CloneAbort,
    /// Applies a profile.
    CodexProfile,
    /// Keeps git credentials.
    GitAuth,
    /// Notes who counts on a workspace while it is made.
    Joined,
    /// Says whether there is any file in the work folder.
    FirstFile,
    /// Makes the user and its folders.
    Prepare,
    /// Packs work that exists nowhere else.
    Rescue,
    /// Looks whether secrets can be used.
    Secrets,
    /// Starts, finds or stops a tunnel.
    Tunnel,
    /// Looks for work that exists nowhere else.
    UnsavedWork,
    /// Anything else.
    Unknown,
}

impl Script {
    /// The script that an exec's words run.
    pub(super) fn of(argv: &[String]) -> Self {
        let text = argv.get(2).map(String::as_str).unwrap_or_default();
        match text.lines().next().unwrap_or_default() {
            first if first.starts_with("# Says what runs here") => Self::AtWork,
            first if first.starts_with("# Clones a repository") => Self::Clone,
            first if first.starts_with("# Ends a clone") => Self::CloneAbort,
            first if first.starts_with("# Gives the workspace's user") => Self::Prepare,
            first if first.starts_with("# Applies a profile") => Self::CodexProfile,
            first if first.starts_with("# Keeps git credentials") => Self::GitAuth,
            first if first.starts_with("# Says what is in a folder") => Self::FirstFile,
            first if first.starts_with("# Who has come back") => Self::Joined,
            first if first.starts_with("# Packs what exists") => Self::Rescue,
            first if first.starts_with("# The VS Code tunnel") => Self::Tunnel,
            first if first.starts_with("# Whether secrets of the host") => Self::Secrets,
            first if first.starts_with("# Prints what exists here") => Self::UnsavedWork,
            _ => Self::Unknown,
        }
    }

    /// The word that stands for an exec of it in `Engine::calls`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::AtWork => "at-work",
            Self::Clone => "clone",
            Self::CloneAbort => "clone-abort",
            Self::CodexProfile => "codex-profile",
            Self::GitAuth => "git-auth",
            Self::FirstFile => "first-file",
            Self::Joined => "joined",
            Self::Prepare => "prepare",
            Self::Rescue => "rescue",
            Self::Secrets => "secrets",
            Self::Tunnel => "tunnel",
            Self::UnsavedWork => "unsaved-work",
            Self::Unknown => "unknown",
        }
    }
}

/// How an exec answers.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) status: i64,
    pub(super) hangs: bool,
}

impl Reply {
    /// Says this on stdout and ends well.
    pub fn says(stdout: impl Into<String>) -> Self {
        Self { stdout: stdout.into(), ..Self::default() }
    }

    /// Ends with this status and says why on stderr.
    pub fn fails(status: i64, stderr: impl Into<String>) -> Self {
        Self { status, stderr: stderr.into(), ..Self::default() }
    }

    /// Never ends.
    pub fn hangs() -> Self {
        Self { hangs: true, ..Self::default() }
    }

    /// Says this on stdout as well.
    #[must_use]
    pub fn and_says(mut self, stdout: impl Into<String>) -> Self {
        self.stdout = stdout.into();
        self
    }

    /// How a script answers when all is well.
    pub(super) fn good(argv: &[String]) -> Self {
        let arg = |place: usize| argv.get(place).map(String::as_str).unwrap_or_default();
        match Script::of(argv) {
            Script::Clone => Self::says("result=cloned\n"),
            Script::GitAuth => Self::says("with=store\n"),
            Script::Secrets => Self::says("result=usable\nuser=1000\nowner=1000\n"),
            Script::AtWork | Script::FirstFile | Script::UnsavedWork => Self::says("end\n"),
            Script::Tunnel => match arg(4) {
                "start" => Self::says(format!("name={}\nbefore=no\nlog Open this link in your browser\n", arg(5))),
                "foreground" => Self { stderr: "Open this link in your browser\n".to_owned(), ..Self::default() },
                _ => Self::default(),
            },
            _ => Self::default(),
        }
    }
}
