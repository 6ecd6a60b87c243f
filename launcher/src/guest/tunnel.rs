//! VS Code tunnels inside a machine: one process a workspace, found, started, watched while it starts.

use agent_workspace_contract::{ErrorCode, Login};

use crate::error::{Error, Result};
use crate::guest::{Lines, cut_off, failed, reported};
use crate::machine::{Command, Machine, Places};
use crate::output::Progress;
use crate::workspace::TunnelName;

const SCRIPT: &str = include_str!("scripts/tunnel.sh");
const NO_CLI: i64 = 80;
const DIED: i64 = 81;

/// The tunnel's log inside the workspace.
pub fn log(places: &Places) -> String {
    format!("{}/.agents-env/logs/code-tunnel.log", places.home)
}

/// The script for a step of a tunnel's life.
fn step(machine: &dyn Machine, what: &str, name: &TunnelName, id: &str) -> Command {
    let places = machine.places();
    Command::script(SCRIPT, &[what, name.as_str(), &log(&places), id, &places.scratch])
}

/// A tunnel that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its name, which is not the one asked for when it ran before.
    pub name: String,
    /// Whether it ran before.
    pub before: bool,
    /// What a person must do to log it in.
    pub login: Option<Login>,
    /// The end of its log.
    pub log: Vec<String>,
}

/// Starts a tunnel in the background, unless one runs, and watches it until it says how it is.
///
/// # Errors
/// `tunnel_cli_missing`, `tunnel_failed` with the last lines of its log, `guest_failed`, `engine_unavailable` when its
/// answer was lost, or the machine's own.
pub async fn start(machine: &dyn Machine, name: &TunnelName, id: &str) -> Result<Running> {
    ask(machine, "start", name, id).await?.ok_or_else(|| cut_off("start the tunnel"))
}

/// The tunnel that runs, if one does.
///
/// # Errors
/// `tunnel_cli_missing`, `guest_failed`, or the machine's own.
pub async fn running(machine: &dyn Machine, name: &TunnelName, id: &str) -> Result<Option<Running>> {
    ask(machine, "look", name, id).await
}

/// Runs a tunnel in front of the caller: on the terminal when there is one, else with its words as progress.
///
/// # Errors
/// `tunnel_failed` when it ends by itself with a failure, or the machine's own.
pub async fn foreground(
    machine: &dyn Machine,
    name: &TunnelName,
    id: &str,
    terminal: bool,
    progress: &Progress,
) -> Result<()> {
    let command = step(machine, "foreground", name, id);
    let status = if terminal {
        machine.attach(command).await?
    } else {
        let mut lines = Lines::default();
        let mut listener = |bytes: &[u8]| lines.feed(bytes, |line, _| progress.detail("tunnel_output", line));
        machine.run(command, &mut listener).await?.status
    };
    match status {
        // Ended by a person with Ctrl-C.
        0 | 130 => Ok(()),
        NO_CLI => Err(no_cli()),
        status => Err(Error::new(ErrorCode::TunnelFailed, "the tunnel ended with a failure").detail("status", status)),
    }
}

/// Ends what the call of this id has begun, and no other tunnel. Returns whether it had begun anything.
///
/// # Errors
/// The machine's own.
pub async fn abort(machine: &dyn Machine, name: &TunnelName, id: &str) -> Result<bool> {
    let output = machine.run(step(machine, "abort", name, id), &mut |_| {}).await?;
    Ok(reported(&output.stdout, "result") == Some("aborted"))
}

async fn ask(machine: &dyn Machine, what: &str, name: &TunnelName, id: &str) -> Result<Option<Running>> {
    let output = machine.run(step(machine, what, name, id), &mut |_| {}).await?;
    let log_path = log(&machine.places());
    let log: Vec<String> =
        output.stdout.lines().filter_map(|line| line.strip_prefix("log ")).map(str::to_owned).collect();
    match output.status {
        0 => Ok(reported(&output.stdout, "name").map(|live| Running {
            name: live.to_owned(),
            before: reported(&output.stdout, "before") == Some("yes"),
            login: login(&log),
            log,
        })),
        NO_CLI => Err(no_cli()),
        DIED => {
            let tail: Vec<String> = log.iter().skip(log.len().saturating_sub(10)).cloned().collect();
            let error = Error::new(ErrorCode::TunnelFailed, "the tunnel process ended right after its start")
                .detail("log_path", log_path)
                .detail("log", tail.clone());
            Err(tail.into_iter().fold(error, Error::cause))
        }
        _ => Err(failed("start the tunnel", &output)),
    }
}

fn no_cli() -> Error {
    Error::new(ErrorCode::TunnelCliMissing, "the image has no VS Code CLI (`code`)")
        .hint("build an image where the network allows to fetch it: agent-workspace image build")
}

/// The page and code of a device login, from the last such line of a log, unless the tunnel is open since.
fn login(log: &[String]) -> Option<Login> {
    for line in log.iter().rev() {
        if line.contains("Open this link in your browser") {
            return None;
        }
        let url = line.split_whitespace().find(|word| {
            word.starts_with("https://")
                && (word.contains("/login/device") || word.contains("devicelogin") || word.contains("/device"))
        });
        if let Some(url) = url {
            let code = line.split_once("code ").and_then(|(_, rest)| rest.split_whitespace().next());
            return Some(Login {
                url: url.trim_end_matches(['.', ',']).to_owned(),
                code: code.map(|code| code.trim_end_matches(['.', ',']).to_owned()),
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_login_is_read_from_the_log() {
        let github = "* licence\nTo grant access to the server, please log into https://github.com/login/device and use code 1234-ABCD";
        let expected = Login { url: "https://github.com/login/device".to_owned(), code: Some("1234-ABCD".to_owned()) };
        assert_eq!(login(&lines(github)), Some(expected));
        let microsoft = "To sign in, use a web browser to open the page https://microsoft.com/devicelogin and enter the code ABCD1234 to authenticate.";
        let expected = Login { url: "https://microsoft.com/devicelogin".to_owned(), code: Some("ABCD1234".to_owned()) };
        assert_eq!(login(&lines(microsoft)), Some(expected));
    }

    #[test]
    fn an_open_tunnel_asks_for_nothing() {
        let log = "log into https://github.com/login/device and use code 1234-ABCD\nOpen this link in your browser https://vscode.dev/tunnel/x/work";
        assert_eq!(login(&lines(log)), None);
        assert_eq!(login(&[]), None);
    }
}
