//! The commands whose every request goes wrong, and how they end then.

use agent_workspace_tests::live::{Answer, FaultProxy, Image, Live, Wrong, network, token};

use super::world::State;

/// A command whose every request goes wrong in every way. Its workspace is `w`.
pub(super) struct Case {
    /// What is run; `{agent}` and `{plain}` are images, `{network}` is where the git server is.
    pub(super) line: &'static str,
    /// What is there before.
    pub(super) before: State,
    /// What is there when it has succeeded.
    pub(super) after: State,
    /// The fewest requests that it makes.
    pub(super) requests: usize,
    /// How many of them, the last ones, come when the workspace is as it is to be.
    pub(super) afterwards: usize,
    /// Makes a workspace that has succeeded as it was before; a script that is run in it.
    pub(super) reset: &'static str,
    /// Prints what a failure must not leave in a workspace; a script that is run in it.
    pub(super) remains: &'static str,
    /// What ends otherwise than `Case::ending` says.
    pub(super) exceptions: &'static [Exception],
}

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Success,
    /// It has come to its end, and says of what it could not judge that it is kept.
    Kept,
    Failure(i32, &'static str),
}

/// What a request begins with and what it ends with, what goes wrong with it, and how the command ends then.
pub(super) type Exception = (&'static str, &'static str, &'static [Wrong], Ending);

use Ending::{Failure, Kept, Success};
use State::{Absent, NeverStarted, Paused, Running, Stopped, Volumes};

const AGENT: Image = Image::Agent;
/// Has to be prepared.
const PLAIN: Image = Image::Busybox;
/// Has to be prepared, and has git.
const DEBIAN: Image = Image::Debian;

pub(super) const ALL: [Wrong; 7] =
    [Wrong::Delay, Wrong::CutBefore, Wrong::CutAfter, Wrong::Truncate, Wrong::Behead, Wrong::Refuse, Wrong::Stall];
/// The engine is gone for a moment.
const LOST: &[Wrong] = &[Wrong::CutBefore, Wrong::CutAfter, Wrong::Truncate, Wrong::Behead];
/// The engine is gone for a moment, or fails.
pub(super) const BROKEN: &[Wrong] = &[Wrong::CutBefore, Wrong::CutAfter, Wrong::Truncate, Wrong::Behead, Wrong::Refuse];

/// An order to remove something is given a second time: what is removed twice is removed once.
const REMOVED_AGAIN: &[Exception] = &[("DELETE /", "", BROKEN, Success)];

/// What things take is told where it is known. Engines before API 1.42 are not asked for volumes.
pub(super) const UNSIZED: [Exception; 2] =
    [("GET /containers/json?size=1", "", BROKEN, Success), ("GET /system/df", "", BROKEN, Success)];

/// A command that changes nothing but what it says.
pub(super) const fn case(line: &'static str, before: State, after: State, requests: usize) -> Case {
    Case { line, before, after, requests, afterwards: 0, reset: "", remains: "", exceptions: &[] }
}

/// A command that removes the workspace.
const fn removal(line: &'static str, before: State, requests: usize) -> Case {
    Case { exceptions: REMOVED_AGAIN, ..case(line, before, Absent, requests) }
}

/// A command that removes the container.
const fn removal_of_container(line: &'static str, before: State, requests: usize) -> Case {
    Case { exceptions: REMOVED_AGAIN, ..case(line, before, Volumes(AGENT), requests) }
}

pub(super) const CASES: &[Case] = &[
    case("ls", Running(PLAIN), Running(PLAIN), 1),
    case("describe w", Running(PLAIN), Running(PLAIN), 1),
    case("start w", Stopped(PLAIN), Running(PLAIN), 2),
    case("stop w", Running(PLAIN), Stopped(PLAIN), 2),
    removal("rm w --force", Running(PLAIN), 4),
    case("create --no-clone --name w --image {plain} --network {network}", Absent, Running(PLAIN), 6),
    case("create --no-clone --name w --image {agent} --network {network}", Absent, Running(AGENT), 3),
    case("create acme/hello --name w --image {agent} --network {network}", Absent, Running(AGENT), 6),
    Case {
        reset: "rm -rf /work/acme /tmp/.agent-workspace-joined",
        remains: "find /work /tmp -name '.clone-*' -o -name 'tmp.*' -o -name 'joined-*'",
        ..case("create acme/hello --name w --image {agent} --network {network}", Stopped(AGENT), Running(AGENT), 9)
    },
    Case {
        reset: "pkill -f '[c]ode tunnel' || true; rm -rf ~/.agents-env",
        // What is told to end takes a moment.
        remains: "for try in 1 2 3 4 5 6 7 8 9; do pgrep -fa '[c]ode tunnel' >/dev/null || exit 0; sleep 0.1; done; echo one",
        ..case("tunnel w --detach", Running(AGENT), Running(AGENT), 4)
    },
    removal("rm w", Running(AGENT), 7),
    Case {
        // What cannot be looked into may hold work.
        exceptions: &[
            REMOVED_AGAIN[0],
            ("POST /containers/create", "", &[Wrong::Refuse], Failure(5, "unsaved_work")),
            ("POST /containers/", "/start", &[Wrong::Refuse], Failure(5, "unsaved_work")),
        ],
        ..removal("rm w", Stopped(AGENT), 10)
    },
    // What they hold stays.
    removal_of_container("rm w --keep-volumes", Running(AGENT), 2),
    Case {
        exceptions: &[
            REMOVED_AGAIN[0],
            ("POST /containers/create", "", &[Wrong::Refuse], Failure(5, "unsaved_work")),
            ("POST /containers/", "/start", &[Wrong::Refuse], Failure(5, "unsaved_work")),
        ],
        ..removal("rm w", Volumes(AGENT), 8)
    },
    case("start w", Paused(PLAIN), Running(PLAIN), 2),
    case("create acme/hello --name w --image {debian} --network {network}", Absent, Running(DEBIAN), 6),
    Case {
        afterwards: 3,
        // There is a workspace by then, and what it lacks is only its tunnel.
        exceptions: &[
            ("POST /containers/", "/exec", BROKEN, Failure(8, "partial")),
            ("POST /exec/", "/start", BROKEN, Failure(8, "partial")),
            ("GET /exec/", "/json", BROKEN, Failure(8, "partial")),
        ],
        ..case(
            "create --no-clone --name w --image {agent} --network {network} --tunnel-detach",
            Absent,
            Running(AGENT),
            5,
        )
    },
    case("prune", Running(PLAIN), Running(PLAIN), 2),
    Case {
        exceptions: &[
            REMOVED_AGAIN[0],
            UNSIZED[0],
            UNSIZED[1],
            // The container is gone by then, and its volumes are looked into before they go.
            ("POST /", "", LOST, Failure(8, "partial")),
            ("GET /exec/", "", LOST, Failure(8, "partial")),
            ("POST /", "", &[Wrong::Refuse], Kept),
            ("GET /exec/", "", &[Wrong::Refuse], Kept),
        ],
        ..case("prune --older-than 0", NeverStarted(PLAIN), Absent, 10)
    },
    Case {
        // What is not known is a finding, and the command has done what it was to do; but for what volumes take, which
        // an engine may be slow to count. One before API 1.42 is not asked for that, and it is a request less.
        exceptions: &[UNSIZED[1], ("GET /", "", BROKEN, Failure(1, "unhealthy"))],
        ..case("doctor", Running(PLAIN), Running(PLAIN), 5)
    },
    case(
        "create acme/private --name w --image {agent} --network {network} --setup-git --secrets-dir {secrets}",
        Absent,
        Running(AGENT),
        12,
    ),
];

impl Case {
    /// Which of its exceptions says how it ends when a request goes wrong: the first that fits.
    pub(super) fn exception(&self, request: &str, wrong: Wrong) -> Option<usize> {
        self.exceptions.iter().position(|(begins, ends, wrongs, _)| {
            request.starts_with(begins) && request.ends_with(ends) && wrongs.contains(&wrong)
        })
    }

    /// Whether it clones into the workspace.
    pub(super) fn clones(&self) -> bool {
        self.line.contains(" acme/")
    }

    /// How it ends when a request goes wrong.
    pub(super) fn ending(&self, request: &str, wrong: Wrong) -> Ending {
        self.exception(request, wrong).map_or_else(|| Ending::of(wrong), |number| self.exceptions[number].3)
    }

    /// Runs it, through something in between where that is said, with more flags.
    pub(super) fn run(&self, live: &Live, engine: Option<&FaultProxy>, more: &str) -> Answer {
        let line = self.line.replace("{agent}", &AGENT.name()).replace("{plain}", &PLAIN.name());
        let line = line.replace("{debian}", &DEBIAN.name());
        let line = line.replace("{network}", &network()).replace("{secrets}", &secrets(live));
        let mut launcher = live.launcher(&format!("{line} {more}"));
        if line.contains("--setup-git") {
            launcher = launcher.env("GH_TOKEN", token());
        }
        Answer::to(&match engine {
            Some(engine) => launcher.env("DOCKER_HOST", engine.address()),
            None => launcher,
        })
    }
}

impl Ending {
    /// What a command ends with. A late answer is an answer. One that is lost is the engine's being gone, whatever the
    /// engine has done. A refusal is the engine's error. And nobody waits for ever.
    pub(super) fn of(wrong: Wrong) -> Self {
        match wrong {
            Wrong::Delay => Success,
            Wrong::CutBefore | Wrong::CutAfter | Wrong::Truncate | Wrong::Behead => Failure(7, "engine_unavailable"),
            Wrong::Refuse => Failure(1, "engine_error"),
            Wrong::Stall => Failure(124, "timeout"),
        }
    }

    /// Exit code and error code.
    pub(super) fn codes(self) -> (i32, &'static str) {
        match self {
            Success | Kept => (0, ""),
            Failure(exit, code) => (exit, code),
        }
    }
}

/// A folder of secrets that everybody may use.
fn secrets(live: &Live) -> String {
    use std::os::unix::fs::PermissionsExt;
    let dir = live.folder().join("secrets");
    std::fs::create_dir_all(&dir).expect("a folder");
    std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o777)).expect("ours");
    dir.to_str().expect("temporary folders are UTF-8").to_owned()
}
