//! The users of agents on a machine: what each has, which groups it is in, and what takes it away again.

use std::time::Duration;

use agent_workspace_contract::ErrorCode;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, usage};
use crate::guest::vm::WORKSPACES;
use crate::guest::{clone, cut_off_host, failed, last_lines, reported, run_short, said_all};
use crate::machine::{Command, Machine, Output, Places, Who};
use crate::output::Progress;
use crate::workspace::repo_spec::Host;
use crate::workspace::{GitRef, RepoSpec};

macro_rules! as_root {
    ($file:literal) => {
        concat!(
            include_str!("scripts/numbers.sh"),
            include_str!("scripts/agent_common.sh"),
            include_str!(concat!("scripts/", $file))
        )
    };
}

const MAKE: &str = as_root!("agent_make.sh");
const GROUPS: &str = as_root!("agent_groups.sh");
const LOOK: &str = as_root!("agent_look.sh");
const REMOVE: &str = as_root!("agent_remove.sh");
const GIT: &str = include_str!("scripts/agent_git.sh");
const DOTFILES: &str = include_str!("scripts/agent_dotfiles.sh");

const NO_SHELL: i64 = 81;
const NOT_OURS: i64 = 82;
const REMOVED_MEANWHILE: i64 = 83;
const NO_USER: i64 = 84;
const AT_WORK: i64 = 85;
const INSTALL_FAILED: i64 = 86;

/// How long the command that puts dotfiles in their places may take.
const INSTALL_LIMIT: Duration = Duration::from_secs(600);
/// Longer than any path of a shell.
const LONGEST_SHELL: usize = 100;
/// The login shell when nothing else is said.
pub const DEFAULT_SHELL: &str = "bash";
const DEFAULT_DESTINATION: &str = ".dotfiles";

/// How an agent is set up, beside its name and its VM.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentSetup {
    /// The login shell, a name or a path; `bash` when nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
    /// What is cloned into its home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dotfiles: Option<Dotfiles>,
}

/// A repository that is cloned into a home.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dotfiles {
    /// Where it is cloned from, over HTTPS.
    pub source: String,
    /// A branch, a tag or a commit; the default branch when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_ref: Option<String>,
    /// The folder it goes to, below the home.
    pub destination: String,
    /// What is run in it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install: Option<String>,
}

impl AgentSetup {
    /// Checks a login shell as it was typed.
    ///
    /// # Errors
    /// `usage`.
    pub fn shell(text: &str) -> Result<String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '/');
        let name = !text.contains('/') || text.starts_with('/');
        if !text.is_empty() && text.len() <= LONGEST_SHELL && name && text.chars().all(plain) && !text.starts_with('-')
        {
            return Ok(text.to_owned());
        }
        Err(usage(format!("{text:?} is no login shell")).hint("a name or a path: --shell zsh, --shell /usr/bin/fish"))
    }
}

impl Dotfiles {
    /// Reads a source: OWNER/REPO or an HTTPS address, with `git::` or `git+` before it and `?ref=REF` behind it as one
    /// likes; and where below the home it goes.
    ///
    /// # Errors
    /// `invalid_repo`, `invalid_ref`, `usage`.
    pub fn parse(source: &str, destination: Option<&str>, install: Option<String>) -> Result<Self> {
        let bare = source.strip_prefix("git::").unwrap_or(source);
        let bare = bare.strip_prefix("git+").unwrap_or(bare);
        let (address, git_ref) = match bare.split_once("?ref=") {
            Some((address, git_ref)) => (address, Some(GitRef::parse(git_ref)?.as_str().to_owned())),
            None => (bare, None),
        };
        let repo = RepoSpec::parse(address, &Host::parse("github.com")?)?;
        let destination = destination.unwrap_or(DEFAULT_DESTINATION);
        let below = destination.strip_prefix("~/").unwrap_or(destination).trim_end_matches('/');
        let inside = below.split('/').all(|part| !matches!(part, "" | "." | ".." | "~"));
        if !inside || below.chars().any(char::is_control) {
            return Err(usage(format!("{destination:?} is no folder below the agent's home"))
                .hint("for example: --dotfiles-destination .dotfiles"));
        }
        if install.as_ref().is_some_and(|command| command.trim().is_empty() || command.contains('\0')) {
            return Err(usage("the command that installs dotfiles is empty").hint("leave --dotfiles-install out"));
        }
        Ok(Self { source: repo.url(), git_ref, destination: below.to_owned(), install })
    }
}

/// An agent's user, as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account<'a> {
    /// Its name.
    pub user: &'a str,
    /// The mark of the call that made the agent, which the user carries.
    pub mark: &'a str,
}

/// What is on the machine now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Whether something had to be changed.
    pub changed: bool,
    /// The path of the login shell.
    pub shell: String,
    /// The home.
    pub home: String,
}

impl Made {
    /// Where the agent's folders are for what runs as it: there is a home, and no folder of work.
    pub fn places(&self) -> Places {
        places(&self.home)
    }
}

/// Where folders are for what runs as an agent with this home.
pub fn places(home: &str) -> Places {
    Places { work: String::new(), home: home.to_owned(), scratch: "/tmp".to_owned() }
}

/// The home that an agent's user is given.
pub fn home_of(user: &str) -> String {
    format!("/home/{user}")
}

/// Makes sure of the user. `call` is the mark of this call, by which [`remove`] keeps it from going on.
///
/// # Errors
/// `shell_not_found`, `name_taken` when a user or folder of that name is somebody else's, `guest_failed`, or the machine's.
pub async fn make(machine: &dyn Machine, account: &Account<'_>, shell: &str, call: &str) -> Result<Made> {
    let doing = "make the agent's user";
    let script = Command::script(MAKE, &[WORKSPACES, account.user, account.mark, shell, call]).run_by(Who::Root);
    let output = run_short(machine, script, doing).await.map_err(on_the_machine)?;
    if output.status == NO_SHELL {
        return Err(Error::new(ErrorCode::ShellNotFound, format!("the machine has no login shell {shell:?}"))
            .detail("shell", shell)
            .cause(format!("it has {}", last_lines(&output.stderr, 1)))
            .hint("choose one of those, or install it there: --shell bash"));
    }
    let said = whole(&output, account, doing)?;
    let value = |name: &str| reported(said, name).unwrap_or_default().to_owned();
    Ok(Made { changed: value("changed") == "yes", shell: value("shell"), home: value("home") })
}

/// What became of the groups of an agent's user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Groups that it was made a member of.
    pub added: Vec<String>,
    /// Groups that it was taken out of.
    pub removed: Vec<String>,
    /// Groups that are not there.
    pub missing: Vec<String>,
    /// Processes of it that are still in one that it was taken out of.
    pub running: u64,
    /// Processes of it that were ended.
    pub ended: u64,
}

/// Makes the user a member of these groups of workspaces and of no others; `None` when there is no such user. Linux gives and takes groups when a process
/// begins: with `end`, what runs in a group that was left is ended.
///
/// # Errors
/// `guest_failed`, `name_taken`, or the machine's own.
pub async fn settle_groups(
    machine: &dyn Machine,
    account: &Account<'_>,
    groups: &[String],
    end: bool,
) -> Result<Option<Settled>> {
    let doing = "set the groups of the agent's user";
    let mut args = vec![WORKSPACES, account.user, account.mark, if end { "yes" } else { "no" }];
    args.extend(groups.iter().map(String::as_str));
    let script = Command::script(GROUPS, &args).run_by(Who::Root);
    let output = run_short(machine, script, doing).await.map_err(on_the_machine)?;
    if output.status == NO_USER {
        return Ok(None);
    }
    let said = whole(&output, account, doing)?;
    let all = |name: &str| {
        let lines = said.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        lines.map(str::to_owned).collect()
    };
    let (running, ended) = (number(said, "running"), number(said, "ended"));
    Ok(Some(Settled { added: all("added"), removed: all("removed"), missing: all("missing"), running, ended }))
}

/// Lets git trust the clones in these folders, whoever owns them; `machine` acts as the agent. Returns whether something
/// had to be changed.
///
/// # Errors
/// `guest_failed`, or the machine's own.
pub async fn trust(machine: &dyn Machine, folders: &[String]) -> Result<bool> {
    let doing = "tell the agent's git which clones it may trust";
    let args: Vec<&str> = folders.iter().map(String::as_str).collect();
    let output = run_short(machine, Command::script(GIT, &args), doing).await.map_err(on_the_machine)?;
    changed(&output, doing)
}

/// Clones dotfiles into the home and puts them in their places; `machine` acts as the agent. A clone that is there and its
/// changes are left alone. Returns whether something had to be changed.
///
/// # Errors
/// Those of cloning, `guest_failed` when the command fails, or the machine's own.
pub async fn install(machine: &dyn Machine, dotfiles: &Dotfiles, id: &str, progress: &Progress) -> Result<bool> {
    let Dotfiles { source, git_ref, destination, install } = dotfiles;
    let clone = clone::Clone {
        repo: RepoSpec::parse(source, &Host::parse("github.com")?)?,
        dest: format!("{}/{destination}", machine.places().home),
        git_ref: git_ref.as_deref().map(GitRef::parse).transpose()?,
        submodules: false,
        token: None,
        id: id.to_owned(),
        finished: None,
    };
    let cloned = clone::run(machine, &clone, progress).await?;
    let Some(command) = install else { return Ok(cloned) };
    let doing = "install the dotfiles";
    progress.step("dotfiles_started", &format!("installing dotfiles: {command}"));
    let mut nobody = |_: &[u8]| {};
    let running = machine.run(Command::script(DOTFILES, &[&clone.dest, command]), &mut nobody);
    let output = tokio::time::timeout(INSTALL_LIMIT, running).await.map_err(|_| {
        Error::new(ErrorCode::GuestFailed, format!("could not {doing}: it took more than ten minutes"))
            .hint("see what the command waits for: nobody can answer it")
    })??;
    if output.status == INSTALL_FAILED {
        return Err(Error::new(
            ErrorCode::GuestFailed,
            format!("the command that installs dotfiles failed: {command}"),
        )
        .cause(last_lines(&output.stderr, 5))
        .hint("mend it, and run: agent-workspace agent reinit"));
    }
    Ok(changed(&output, doing)? || cloned)
}

/// How an agent's user is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Whether it has a home.
    pub home: bool,
    /// How many processes of it run.
    pub running: u64,
}

/// How an agent's user is; `None` when there is no such user.
///
/// # Errors
/// `name_taken` when the user is somebody else's, `guest_failed`, or the machine's own.
pub async fn look(machine: &dyn Machine, account: &Account<'_>) -> Result<Option<Look>> {
    let doing = "look at the agent's user";
    let script = Command::script(LOOK, &[WORKSPACES, account.user, account.mark]).run_by(Who::Root);
    let output = run_short(machine, script, doing).await.map_err(on_the_machine)?;
    let said = whole(&output, account, doing)?;
    let is = |name: &str| reported(said, name) == Some("yes");
    Ok(is("there").then(|| Look { home: is("home"), running: number(said, "running") }))
}

/// What became of an agent's user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Whether it was there before.
    pub removed: bool,
    /// Processes of it that were ended.
    pub ended: u64,
}

/// Removes the user and what it has outside of workspaces: its home, jobs, files in folders that everybody writes to. What
/// it made in workspaces becomes theirs. `call` is a call to make it that must not go on any more; without `end`, one whose
/// processes run is left as it is.
///
/// # Errors
/// `agent_busy`, `name_taken` when the user is somebody else's, `guest_failed`, or the machine's own.
pub async fn remove(machine: &dyn Machine, account: &Account<'_>, call: Option<&str>, end: bool) -> Result<Gone> {
    let doing = "remove the agent's user";
    let end = if end { "yes" } else { "no" };
    let args = [WORKSPACES, account.user, account.mark, call.unwrap_or_default(), end];
    // A home may be large: this ends with the command, and not with a step that does little.
    let output = machine.run(Command::script(REMOVE, &args).run_by(Who::Root), &mut |_| {}).await?;
    if output.status == AT_WORK {
        let count: u64 = output.stderr.trim().parse().unwrap_or(1);
        return Err(Error::new(ErrorCode::AgentBusy, format!("{count} processes of {} are running", account.user))
            .detail("running_processes", count));
    }
    let said = whole(&output, account, doing)?;
    Ok(Gone { removed: reported(said, "result") == Some("removed"), ended: number(said, "ended") })
}

fn number(said: &str, name: &str) -> u64 {
    reported(said, name).and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

/// What a script that says whether it changed anything has said.
fn changed(output: &Output, doing: &str) -> Result<bool> {
    if output.status != 0 {
        return Err(on_the_machine(failed(doing, output)));
    }
    if said_all(&output.stdout) {
        Ok(reported(&output.stdout, "changed") == Some("yes"))
    } else {
        Err(cut_off_host(doing))
    }
}

/// What a script about a user has said, when it came to its end.
fn whole<'a>(output: &'a Output, account: &Account<'_>, doing: &str) -> Result<&'a str> {
    let user = account.user;
    match output.status {
        0 if said_all(&output.stdout) => Ok(&output.stdout),
        0 => Err(cut_off_host(doing)),
        NOT_OURS => {
            Err(Error::new(ErrorCode::NameTaken, format!("the machine's user {user} was not made for this agent"))
                .detail("user", user)
                .cause(last_lines(&output.stderr, 1))
                .hint("choose another name, or see whose it is: getent passwd, on the machine"))
        }
        REMOVED_MEANWHILE => {
            Err(Error::new(ErrorCode::GuestFailed, format!("could not {doing}: it was removed in the meantime"))
                .hint("see: agent-workspace agent list"))
        }
        _ => Err(on_the_machine(failed(doing, output))),
    }
}

/// A step that failed on a machine and in no workspace, where `ls` has nothing to show of it.
fn on_the_machine(error: Error) -> Error {
    if error.code() == ErrorCode::GuestFailed { error.hint("look at the machine itself, and try again") } else { error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotfiles_are_read_in_every_form_and_secrets_in_addresses_are_refused() {
        let url = "https://git.test/o/dots.git";
        for (text, source, git_ref) in [
            ("o/dots", "https://github.com/o/dots.git", None),
            ("https://git.test/o/dots", url, None),
            ("git+https://git.test/o/dots.git?ref=v1", url, Some("v1")),
            ("git::https://git.test/o/dots?ref=0123abcd", url, Some("0123abcd")),
        ] {
            let read = Dotfiles::parse(text, None, None).unwrap();
            assert_eq!((&*read.source, read.git_ref.as_deref(), &*read.destination), (source, git_ref, ".dotfiles"));
        }
        for (text, code) in [
            ("https://me:secret@git.test/o/dots", ErrorCode::InvalidRepo),
            ("git::file:///etc", ErrorCode::InvalidRepo),
            ("o/dots?ref=--upload-pack=x", ErrorCode::InvalidRef),
        ] {
            let error = Dotfiles::parse(text, None, None).unwrap_err();
            assert_eq!(error.code(), code);
            assert!(!error.message().contains("secret"));
        }
    }

    #[test]
    fn dotfiles_go_nowhere_but_below_the_home() {
        let at = |destination| Dotfiles::parse("o/dots", Some(destination), None).map(|read| read.destination);
        assert_eq!(at("~/x/y/").unwrap(), "x/y");
        for destination in ["", "/etc", "..", "a/../b", "~", "~/", "a//b", "./a"] {
            assert_eq!(at(destination).unwrap_err().code(), ErrorCode::Usage, "{destination:?}");
        }
    }

    #[test]
    fn shells_are_names_or_paths() {
        for text in ["bash", "/usr/bin/zsh", "fish"] {
            assert_eq!(AgentSetup::shell(text).unwrap(), text);
        }
        for text in ["", "a b", "bin/sh", "-x", "/bin/sh;id", "$(id)"] {
            assert_eq!(AgentSetup::shell(text).unwrap_err().code(), ErrorCode::Usage, "{text:?}");
        }
    }

    #[test]
    fn every_end_of_a_script_has_a_code_and_silence_is_no_success() {
        let account = Account { user: "agt--a", mark: "1" };
        let ended = |status, stdout: &str| {
            let output = Output { status, stdout: stdout.to_owned(), stderr: "words".to_owned() };
            whole(&output, &account, "do it").map(str::to_owned).map_err(|error| error.code())
        };
        assert_eq!(ended(0, "end\n"), Ok("end\n".to_owned()));
        assert_eq!(ended(0, ""), Err(ErrorCode::HostUnreachable));
        assert_eq!(ended(NOT_OURS, ""), Err(ErrorCode::NameTaken));
        for status in [1, REMOVED_MEANWHILE, NO_USER] {
            assert_eq!(ended(status, ""), Err(ErrorCode::GuestFailed));
        }
    }
}
