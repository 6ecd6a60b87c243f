//! What makes a Debian machine a VM: what it must be, its mark, and the steps that prepare it, as often as one likes.

use agent_workspace_contract::{ErrorCode, VmLive, VmStep};

use crate::error::{Error, Result};
use crate::guest::{cut_off_host, failed, reported, run_short, said_all};
use crate::machine::{Command, Machine, Output, Who};

const FACTS: &str = include_str!("scripts/vm_facts.sh");
const MARK: &str = include_str!("scripts/vm_mark.sh");
const LIVE: &str = include_str!("scripts/vm_live.sh");

/// Where the workspaces of a VM are.
pub const WORKSPACES: &str = "/srv/agent-workspace/workspaces";
/// The oldest Debian that this is proved on.
const OLDEST_DEBIAN: u32 = 12;
/// Longer than any system names itself.
const LONGEST_OS: usize = 100;
const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];

/// Longer than any mark that we make.
const LONGEST_MARK: usize = 64;

/// A step of preparing a machine: looks first, and acts only where something is missing.
struct Step {
    name: &'static str,
    does: &'static str,
    script: &'static str,
    args: &'static [&'static str],
}

/// The step that templates add to.
const PACKAGES: &str = "packages";

const STEPS: [Step; 3] = [
    Step {
        name: PACKAGES,
        does: "make sure of the packages",
        script: include_str!("scripts/vm_packages.sh"),
        args: &["acl", "ca-certificates", "curl", "git", "tmux", "zstd"],
    },
    Step {
        name: "folders",
        does: "make sure of the folders",
        script: include_str!("scripts/vm_folders.sh"),
        args: &["/srv/agent-workspace", WORKSPACES],
    },
    Step {
        name: "access_lists",
        does: "look for access control lists",
        script: include_str!("scripts/vm_acl.sh"),
        args: &[WORKSPACES],
    },
];

/// What a machine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its mark.
    pub machine_id: String,
    /// The home of who logs in.
    pub home: String,
    /// The system as it names itself.
    pub os: String,
    /// Its architecture, as Debian names it.
    pub architecture: String,
}

/// Looks whether a machine can be a VM, and gives it its mark, `fresh` unless it has one. `said` is told of each step
/// and what it said on stderr.
///
/// # Errors
/// `vm_unsuitable`, `guest_failed`, or the machine's own.
pub async fn take_in(machine: &dyn Machine, fresh: &str, said: impl Fn(&str, &str)) -> Result<Facts> {
    let doing = "look what the machine is";
    let output = run_short(machine, Command::script(FACTS, &[]), doing).await.map_err(of_a_vm)?;
    said("facts", &output.stderr);
    let (home, os, architecture) = suitable(whole(&output, doing)?)?;
    let doing = "mark the machine";
    let mark = Command::script(MARK, &[fresh]).run_by(Who::Root);
    let output = run_short(machine, mark, doing).await.map_err(of_a_vm)?;
    said("mark", &output.stderr);
    let mark = reported(whole(&output, doing)?, "machine").unwrap_or_default().to_owned();
    if mark.is_empty() || mark.len() > LONGEST_MARK || !mark.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(Error::new(ErrorCode::VmUnsuitable, "the machine's mark is broken")
            .hint("remove it there: sudo rm /etc/agent-workspace/machine-id"));
    }
    Ok(Facts { machine_id: mark, home, os, architecture })
}

/// The home, the system and the architecture of a machine that can be a VM.
fn suitable(said: &str) -> Result<(String, String, String)> {
    let value = |name: &str| reported(said, name).unwrap_or_default().to_owned();
    let no = |message: String| Error::new(ErrorCode::VmUnsuitable, message);
    let (id, version, architecture) = (value("id"), value("version"), value("architecture"));
    let os = if value("os").is_empty() { id.clone() } else { value("os") };
    let os: String = os.chars().filter(|c| !c.is_control()).take(LONGEST_OS).collect();
    if id != "debian" {
        let what = if os.is_empty() { "something else".to_owned() } else { os };
        return Err(no(format!("the machine runs {what}, and only Debian can be prepared"))
            .hint("take a machine with Debian 12 or later"));
    }
    // One that is still being made has no number.
    if version
        .split('.')
        .next()
        .and_then(|number| number.parse::<u32>().ok())
        .is_some_and(|number| number < OLDEST_DEBIAN)
    {
        return Err(
            no(format!("the machine runs {os}, which is too old")).hint("take a machine with Debian 12 or later")
        );
    }
    if !ARCHITECTURES.contains(&architecture.as_str()) {
        return Err(no(format!("the machine's architecture {architecture:?} is not known"))
            .hint(format!("one of: {}", ARCHITECTURES.join(", "))));
    }
    if value("root") != "yes" {
        return Err(no("who logs in cannot become root there without a password".to_owned())
            .hint("on the machine: echo \"$USER ALL=(ALL) NOPASSWD:ALL\" | sudo tee /etc/sudoers.d/agent-workspace"));
    }
    let home = value("home");
    if !home.starts_with('/') {
        return Err(
            no("who logs in has no home there".to_owned()).hint("give the user one: sudo mkhomedir_helper USER")
        );
    }
    Ok((home, os, architecture))
}

/// Prepares a machine, step by step; each is told to `begun` before it begins, and what it says on stderr to `heard`.
/// `packages` are wanted beside those that every VM has; their names have been looked at.
///
/// # Errors
/// `guest_failed` with the step that failed, or the machine's own.
pub async fn initialize(
    machine: &dyn Machine,
    packages: &[String],
    begun: impl Fn(&str, &str),
    heard: impl Fn(&[u8]) + Send + Sync,
) -> Result<Vec<VmStep>> {
    let mut steps = Vec::new();
    for Step { name, does, script, args } in &STEPS {
        begun(name, does);
        let more = packages.iter().filter(|_| *name == PACKAGES).map(String::as_str);
        let args: Vec<&str> = args.iter().copied().chain(more).collect();
        let command = Command::script(script, &args).run_by(Who::Root);
        let output = machine.run(command, &mut |bytes: &[u8]| heard(bytes)).await?;
        let said = whole(&output, does).map_err(|error| error.detail("step", *name))?;
        steps.push(VmStep { step: (*name).to_owned(), changed: reported(said, "changed") == Some("yes") });
    }
    Ok(steps)
}

/// How a machine is at this moment, and the mark it carries, in one round trip.
///
/// # Errors
/// `guest_failed`, or the machine's own.
pub async fn live(machine: &dyn Machine) -> Result<(VmLive, Option<String>)> {
    let doing = "ask the machine how it is";
    let output = run_short(machine, Command::script(LIVE, &[WORKSPACES]), doing).await.map_err(of_a_vm)?;
    let said = whole(&output, doing)?;
    let live = read_live(said).ok_or_else(|| of_a_vm(failed(doing, &output)))?;
    Ok((live, reported(said, "machine").filter(|mark| !mark.is_empty()).map(str::to_owned)))
}

fn read_live(said: &str) -> Option<VmLive> {
    let number = |name: &str| reported(said, name)?.trim().parse::<u64>().ok();
    let milli = |text: &str| {
        let value: f64 = text.parse().ok()?;
        let milli = (value * 1000.0).round();
        // A load or a time that is no such number is not known.
        (0.0..=9e15).contains(&milli).then_some(milli as u64)
    };
    let mut load = reported(said, "load")?.split_whitespace().map(milli);
    let mut disk = reported(said, "disk")?.split_whitespace().map(|word| word.parse::<u64>().ok());
    let kibibytes = |count: u64| count.saturating_mul(1024);
    Some(VmLive {
        cpus: number("cpus")?,
        load_1m_milli: load.next()??,
        load_5m_milli: load.next()??,
        load_15m_milli: load.next()??,
        memory_total_bytes: kibibytes(number("MemTotal")?),
        memory_available_bytes: kibibytes(number("MemAvailable")?),
        swap_total_bytes: kibibytes(number("SwapTotal")?),
        swap_free_bytes: kibibytes(number("SwapFree")?),
        disk_total_bytes: kibibytes(disk.next()??),
        disk_available_bytes: kibibytes(disk.next()??),
        uptime_ms: milli(reported(said, "uptime")?)?,
    })
}

/// A step that failed on a machine and in no workspace, where `ls` has nothing to show of it.
fn of_a_vm(error: Error) -> Error {
    if error.code() == ErrorCode::GuestFailed { error.hint("look at the machine itself, and try again") } else { error }
}

/// What a script has said, when it came to its end.
fn whole<'a>(output: &'a Output, doing: &str) -> Result<&'a str> {
    if output.status != 0 {
        return Err(of_a_vm(failed(doing, output)));
    }
    if said_all(&output.stdout) { Ok(&output.stdout) } else { Err(cut_off_host(doing)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBIAN: &str = "id=debian\nversion=12\nos=Debian GNU/Linux 12 (bookworm)\narchitecture=amd64\n\
                          home=/home/admin\nroot=yes\nend\n";

    #[test]
    fn debian_with_a_way_to_root_is_taken() {
        let (home, os, architecture) = suitable(DEBIAN).unwrap();
        assert_eq!((&*home, &*os, &*architecture), ("/home/admin", "Debian GNU/Linux 12 (bookworm)", "amd64"));
        assert!(suitable(&DEBIAN.replace("version=12", "version=")).is_ok(), "one that is still being made");
        let (_, os, _) = suitable(&DEBIAN.replace("GNU", &"\u{1b}G".repeat(1000))).unwrap();
        assert!(os.len() == LONGEST_OS && !os.contains('\u{1b}'), "what is remembered has an end: {os:?}");
    }

    #[test]
    fn everything_else_is_refused_with_the_reason() {
        for (from, to, word) in [
            ("id=debian", "id=ubuntu", "Debian"),
            ("id=debian", "id=", "Debian"),
            ("version=12", "version=11", "too old"),
            ("architecture=amd64", "architecture=i386", "i386"),
            ("root=yes", "root=no", "root"),
            ("home=/home/admin", "home=", "home"),
        ] {
            let error = suitable(&DEBIAN.replace(from, to)).unwrap_err();
            assert_eq!(error.code(), ErrorCode::VmUnsuitable);
            assert!(error.message().contains(word), "{error:?}");
        }
    }

    #[test]
    fn what_a_machine_says_of_itself_is_read_whole_or_not_at_all() {
        let said = "cpus=2\nload=0.52 1 12.345\nMemTotal=1000\nMemAvailable=500\nSwapTotal=0\nSwapFree=0\n\
                    disk=2000 100\nuptime=12.34\nend\n";
        let live = read_live(said).unwrap();
        assert_eq!((live.load_1m_milli, live.load_15m_milli, live.uptime_ms), (520, 12345, 12340));
        assert_eq!((live.memory_total_bytes, live.disk_available_bytes), (1_024_000, 102_400));
        for line in said.lines().filter(|line| *line != "end") {
            assert!(read_live(&said.replace(line, "")).is_none(), "without {line}");
        }
        assert!(read_live(&said.replace("0.52", "-1")).is_none());
    }
}
