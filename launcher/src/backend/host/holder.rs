//! The process that holds a workspace on this machine: while it lives, the workspace runs. Behind walls it is the parent
//! of the first process inside, and when that ends, so does everything in there.
//!
//! It carries the workspace's mark in its environment, as numbers of processes are used again.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agent_workspace_contract::ErrorCode;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use super::folder::Folder;
use super::record::{Record, Walls};
use super::walls::{PATH, alone};
use crate::error::{Error, Result};

/// The variable that marks the holder.
const HOLDER: &str = "AGENT_WORKSPACE_HOLDER";
/// The variable that marks what runs in a workspace without walls.
pub(super) const MEMBER: &str = "AGENT_WORKSPACE_ID";
/// How long walls may take to stand.
const READY_LIMIT: Duration = Duration::from_secs(30);
/// How long what runs may take to end by itself when it is stopped.
const GRACE: Duration = Duration::from_secs(10);
/// How long the kernel may take to end what was killed.
const KILLED_LIMIT: Duration = Duration::from_secs(10);
/// How often it is looked whether something has ended.
const LOOK: Duration = Duration::from_millis(20);
/// Writes its own number down before it becomes what holds the workspace, so that it is known whoever is killed when.
const BEGIN: &str = r#"printf '%s %s\n' "$$" "$AGENT_WORKSPACE_HOLDER" >"$1" && shift && exec "$@""#;
/// Says that it is there, and waits for its end. Who inside asks every `sleep` to end does not mean this one.
const WAIT: &str = "trap '' HUP INT TERM; echo ready; exec sleep infinity >/dev/null 2>&1";
/// What is then waiting, as the kernel says it.
const WAITING: &[u8] = b"sleep\0infinity\0";

/// The holder of a workspace that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pid: i32,
    /// The first process inside, behind walls that stand.
    inside: Option<i32>,
    /// The namespace of processes that it is the first of.
    namespace: Option<Namespace>,
    /// Whether everything was written down of it, and what it holds lives.
    pub(super) is_whole: bool,
    /// Whether it is frozen.
    pub(super) is_paused: bool,
    mark: String,
}

impl Holder {
    /// The holder of a folder's workspace, if one lives.
    pub(super) fn find(folder: &Folder) -> Option<Self> {
        let text = std::fs::read_to_string(folder.file("holder")).ok()?;
        let mut words = text.split_whitespace();
        let (pid, mark, inside) = (words.next()?.parse().ok()?, words.next()?.to_owned(), words.next());
        let state = state(pid).filter(|_| is_alive(pid))?;
        if !has_variable(pid, HOLDER, &mark) {
            return None;
        }
        let first = inside.and_then(|number| number.parse().ok());
        // Before it is looked whose it is, as that number may be somebody else's by now.
        let namespace = first.and_then(Namespace::apart);
        // What it holds may have ended, and itself be about to.
        let holds = first.is_none_or(|first| is_alive(first) && parent_of(first) == Some(pid));
        Some(Self {
            pid,
            is_whole: inside.is_some() && holds,
            namespace: namespace.filter(|_| holds),
            inside: first,
            is_paused: state == 'T',
            mark,
        })
    }

    /// Starts one. `wall` is what puts the walls up, up to the command, or nothing.
    ///
    /// # Errors
    /// `engine_error` with what was said, when they do not stand.
    pub(super) async fn start(folder: &Folder, record: &Record, wall: &[std::ffi::OsString]) -> Result<Self> {
        let failed = |why: &str| {
            Error::new(ErrorCode::EngineError, format!("workspace {} could not be started", folder.name()))
                .cause(why)
                .detail("workspace", folder.name())
                .hint("see what is wrong: agent-workspace doctor --backend host")
        };
        let [program, alone @ ..] = alone();
        let mut command = tokio::process::Command::new(program);
        command
            .args(alone)
            .args(["sh", "-c", BEGIN, "sh"])
            .arg(folder.file("holder"))
            .args(wall)
            .args(["sh", "-c", WAIT]);
        // Nothing of the caller's environment: what is inside can read it.
        command.env_clear().env("PATH", PATH).env(HOLDER, &record.create_id).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| failed(&error.to_string()))?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).ok_or_else(|| failed("it ended at once"))?;
        let (Some(stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(failed("its streams could not be read"));
        };
        let mut line = String::new();
        let mut stdout = BufReader::new(stdout);
        let ready = tokio::time::timeout(READY_LIMIT, stdout.read_line(&mut line)).await;
        if !matches!(ready, Ok(Ok(_))) || line.trim_end() != "ready" {
            end_strays(&record.create_id).await;
            let mut said = String::new();
            let _ = tokio::time::timeout(Duration::from_secs(1), stderr.read_to_string(&mut said)).await;
            let said = said.trim();
            return Err(failed(if said.is_empty() { "it did not say that it is ready" } else { said }));
        }
        let walled = record.walls != Walls::None;
        let inside = if walled { Some(child_of(pid).ok_or_else(|| failed("nothing runs inside"))?) } else { None };
        let number = inside.map_or_else(|| "-".to_owned(), |inside| inside.to_string());
        let network = if record.walls == Walls::Strict { "own" } else { "shared" };
        folder.put("holder", &format!("{pid} {} {number} {network}\n", record.create_id))?;
        let mark = record.create_id.clone();
        Ok(Self { pid, namespace: inside.and_then(Namespace::apart), inside, is_whole: true, is_paused: false, mark })
    }

    /// Everything that runs in the workspace, the first process inside included and the holder not.
    fn members(&self) -> Vec<i32> {
        // What has ended and is not yet buried is waited for by its parent, which may be frozen.
        let numbers = processes().into_iter().filter(|pid| *pid != self.pid && is_alive(*pid));
        match self.inside {
            Some(_) => {
                let Some(theirs) = &self.namespace else { return Vec::new() };
                let about = |pid| (pid, parent_of(pid), theirs.has(pid));
                with_descendants(&numbers.map(about).collect::<Vec<_>>())
            }
            None => {
                let is_ours =
                    |pid: &i32| has_variable(*pid, MEMBER, &self.mark) || has_variable(*pid, HOLDER, &self.mark);
                numbers.filter(is_ours).collect()
            }
        }
    }

    /// Those of them that somebody has started.
    fn started(&self) -> Vec<i32> {
        let mut members = self.members();
        members.retain(|pid| Some(*pid) != self.inside && !self.waits(*pid));
        members
    }

    /// Whether a process is the one that only waits inside.
    fn waits(&self, pid: i32) -> bool {
        self.inside.is_some()
            && parent_of(pid) == self.inside
            && std::fs::read(about(pid, "cmdline")).is_ok_and(|words| words == WAITING)
    }

    /// Ends it and everything it holds: by asking first where that is wanted, and by force.
    ///
    /// # Errors
    /// `wrong_state` when something is still there then.
    pub(super) async fn stop(&self, folder: &Folder, gently: bool) -> Result<()> {
        if gently {
            let since = Instant::now();
            for signal in [Signal::TERM, Signal::CONT] {
                self.started().into_iter().for_each(|pid| end(pid, signal));
            }
            while !self.started().is_empty() && since.elapsed() < GRACE {
                tokio::time::sleep(LOOK).await;
            }
        }
        let since = Instant::now();
        loop {
            // With the first process inside all the others go, those too that come meanwhile.
            let members = self.members();
            members.iter().for_each(|pid| end(*pid, Signal::KILL));
            let lives = has_variable(self.pid, HOLDER, &self.mark);
            if members.is_empty() && !lives {
                break;
            }
            if members.is_empty() {
                end(self.pid, Signal::KILL);
            }
            if since.elapsed() > KILLED_LIMIT {
                return Err(Error::new(
                    ErrorCode::WrongState,
                    format!("what runs in workspace {} does not end", folder.name()),
                )
                .detail("workspace", folder.name())
                .hint(format!("see what it is: ps -p {}", members.first().unwrap_or(&self.pid))));
            }
            tokio::time::sleep(LOOK).await;
        }
        let _ = std::fs::remove_file(folder.file("holder"));
        Ok(())
    }

    /// Freezes everything, so that nothing changes.
    pub(super) fn pause(&self) {
        // What was started by something that was not frozen yet is in the next list.
        for _ in 0..3 {
            self.signal(Signal::STOP);
        }
        end(self.pid, Signal::STOP);
    }

    /// Lets everything run again.
    pub(super) fn resume(&self) {
        self.signal(Signal::CONT);
        end(self.pid, Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        self.members().into_iter().for_each(|pid| end(pid, signal));
    }
}

/// Processes of a namespace and all that they have started, in whichever it is: what runs inside makes namespaces of its
/// own. Of each process there are its number, that of its parent, and whether it is in the namespace.
fn with_descendants(processes: &[(i32, Option<i32>, bool)]) -> Vec<i32> {
    let mut found: Vec<i32> = processes.iter().filter(|(.., is_in)| *is_in).map(|(pid, ..)| *pid).collect();
    loop {
        let is_new = |(pid, parent, _): &&(i32, Option<i32>, bool)| {
            !found.contains(pid) && parent.is_some_and(|parent| found.contains(&parent))
        };
        let more: Vec<i32> = processes.iter().filter(is_new).map(|(pid, ..)| *pid).collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

/// Everything that carries this mark: a holder, and the first process of what it holds, whoever was killed when.
fn strays(mark: &str) -> Vec<i32> {
    processes().into_iter().filter(|pid| has_variable(*pid, HOLDER, mark)).collect()
}

/// Ends what a launcher that was killed has left holding, and with it all that is held.
pub(super) async fn end_strays(mark: &str) {
    let since = Instant::now();
    loop {
        let strays = strays(mark);
        if strays.is_empty() || since.elapsed() > KILLED_LIMIT {
            return;
        }
        strays.into_iter().for_each(|pid| end(pid, Signal::KILL));
        tokio::time::sleep(LOOK).await;
    }
}

/// What is gone needs no signal.
fn end(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

fn processes() -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn about(pid: i32, what: &str) -> PathBuf {
    Path::new("/proc").join(pid.to_string()).join(what)
}

/// A namespace of processes. While it is open here its number is given to no other one: the kernel gives the number of
/// one that has ended to the next that is made, and whatever is in that must not be taken for what is being ended.
#[derive(Clone, Debug)]
struct Namespace {
    number: u64,
    _open: Arc<File>,
}

impl PartialEq for Namespace {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Namespace {}

impl Namespace {
    /// That of a process, where it is another than that of this program: what is in this one is everybody's.
    fn apart(pid: i32) -> Option<Self> {
        let open = File::open(about(pid, "ns/pid")).ok()?;
        let number = open.metadata().ok()?.ino();
        let own = std::fs::metadata("/proc/self/ns/pid").ok()?.ino();
        (number != own).then(|| Self { number, _open: Arc::new(open) })
    }

    /// Whether a process is in it.
    fn has(&self, pid: i32) -> bool {
        std::fs::metadata(about(pid, "ns/pid")).is_ok_and(|found| found.ino() == self.number)
    }
}

/// Whether a process was started with a variable of this value.
fn has_variable(pid: i32, name: &str, value: &str) -> bool {
    let wanted = format!("{name}={value}");
    let environment = std::fs::read(about(pid, "environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())
}

/// What follows a process's name in the kernel's line about it, which may be anything.
fn status_line(pid: i32) -> Option<String> {
    let text = std::fs::read(about(pid, "stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    text.rsplit_once(") ").map(|(_, rest)| rest.to_owned())
}

/// Whether a process is there and not merely unburied.
fn is_alive(pid: i32) -> bool {
    state(pid).is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// The letter of its state; `None` when it is gone.
fn state(pid: i32) -> Option<char> {
    status_line(pid)?.chars().next()
}

fn parent_of(pid: i32) -> Option<i32> {
    status_line(pid)?.split_whitespace().nth(1)?.parse().ok()
}

/// The only child of a process.
fn child_of(pid: i32) -> Option<i32> {
    processes().into_iter().find(|child| parent_of(*child) == Some(pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_no_namespace_of_its_own_is_never_taken_for_what_a_workspace_holds() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(Namespace::apart(own), None);
        // The number of what was inside is this program's by now.
        let holder = Holder {
            pid: i32::MAX,
            inside: Some(own),
            namespace: Namespace::apart(own),
            is_whole: true,
            is_paused: false,
            mark: String::new(),
        };
        assert_eq!(holder.members(), Vec::<i32>::new());
    }

    #[test]
    fn what_runs_in_namespaces_of_its_own_inside_belongs_to_the_workspace() {
        let processes = [
            (9, Some(8), false),
            (1, None, false),
            (5, Some(1), true),
            (7, Some(5), false),
            (8, Some(7), false),
            (2, Some(1), false),
        ];
        assert_eq!(with_descendants(&processes), [5, 7, 8, 9]);
    }

    #[tokio::test]
    async fn a_process_is_known_by_its_mark_and_not_by_its_number() {
        let mut child =
            std::process::Command::new("sleep").arg("60").env(HOLDER, "a-mark-of-this-test").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        // It may still be this program, with this environment.
        let until = Instant::now() + Duration::from_secs(5);
        while !has_variable(pid, HOLDER, "a-mark-of-this-test") && Instant::now() < until {
            std::thread::sleep(LOOK);
        }
        assert!(has_variable(pid, HOLDER, "a-mark-of-this-test") && !has_variable(pid, HOLDER, "a-mark"));
        assert_eq!(strays("a-mark-of-this-test"), [pid]);
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::new(root.path(), "a");
        std::fs::create_dir(folder.path()).unwrap();
        for (text, found) in [
            (format!("{pid} a-mark-of-this-test - shared"), true),
            (format!("{pid} theirs - shared"), false),
            ("99999999 a-mark-of-this-test".to_owned(), false),
            (format!("{pid}"), false),
            (String::new(), false),
        ] {
            std::fs::write(folder.file("holder"), &text).unwrap();
            assert_eq!(Holder::find(&folder).is_some(), found, "{text}");
        }
        end_strays("a-mark-of-this-test").await;
        assert!(!child.wait().unwrap().success());
        std::fs::write(folder.file("holder"), format!("{pid} a-mark-of-this-test - shared")).unwrap();
        assert_eq!(Holder::find(&folder), None);
    }
}
