//! `tunnel`: a VS Code tunnel into a workspace, one process each.

use agent_workspace_contract::{ErrorCode, TunnelReport, WorkspaceStatus};

use crate::backend::Workspace;
use crate::command::{App, Target};
use crate::error::{Result, usage};
use crate::guest::tunnel as guest;
use crate::host::{self, Host};
use crate::output::warning;
use crate::workspace::{TunnelName, WorkspaceName};

/// Flags of `tunnel`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The workspace
    #[command(flatten)]
    pub target: Target,
    /// Name of the tunnel, 20 characters at most; by default made from the workspace's
    #[arg(long = "name", value_name = "TUNNEL", id = "tunnel_name")]
    tunnel_name: Option<String>,
    /// Run it in the background
    #[arg(long)]
    detach: bool,
}

/// How a tunnel runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In the background.
    Detached,
    /// In front of the caller; on a terminal or not.
    Foreground {
        /// Whether a person is there to see it.
        terminal: bool,
    },
}

impl Mode {
    /// The mode that flags ask for; `None` when no tunnel is asked for.
    ///
    /// # Errors
    /// `usage` when a document is wanted of something that runs in front.
    pub fn resolve(foreground: bool, detach: bool, json: bool, host: &Host) -> Result<Option<Self>> {
        match (foreground, detach) {
            (_, true) => Ok(Some(Self::Detached)),
            (true, false) if json => Err(usage("--output json requires --detach: a tunnel in front has the terminal")
                .hint("add --detach (with create: --tunnel-detach)")),
            (true, false) => Ok(Some(Self::Foreground { terminal: host.interactive() })),
            (false, false) => Ok(None),
        }
    }
}

/// A tunnel that is valid as far as it can be known without the engine.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The workspace.
    pub name: WorkspaceName,
    /// The tunnel's name, when one was typed.
    pub tunnel_name: Option<TunnelName>,
    /// How it runs.
    pub mode: Mode,
}

impl AsRef<WorkspaceName> for Request {
    fn as_ref(&self) -> &WorkspaceName {
        &self.name
    }
}

impl Args {
    /// Checks everything before any call.
    ///
    /// # Errors
    /// `usage`, `invalid_name`, `invalid_tunnel_name`, `unsupported`.
    pub fn resolve(self, host: &Host, json: bool) -> Result<Request> {
        let Self { target, tunnel_name, detach } = self;
        let mode = if detach { Mode::Detached } else { Mode::Foreground { terminal: host.interactive() } };
        Mode::resolve(true, detach, json, host)?;
        let tunnel_name =
            tunnel_name.filter(|name| !name.is_empty()).map(|name| TunnelName::parse(&name)).transpose()?;
        Ok(Request { name: target.resolve(host)?, tunnel_name, mode })
    }
}

/// Opens the tunnel, starting the workspace when it is stopped.
///
/// # Errors
/// `workspace_not_found`, and what the guest says.
pub async fn run(app: &App, request: Request) -> Result<TunnelReport> {
    let Request { name, tunnel_name, mode } = request;
    let workspace = app.find(&name).await?;
    if workspace.status != WorkspaceStatus::Running {
        app.progress.step("start_started", &format!("starting workspace {}", workspace.name));
        app.make_running(&workspace).await?;
    }
    let tunnel_name = tunnel_name.unwrap_or_else(|| TunnelName::for_workspace(&workspace.name, &app.prefix));
    open(app, &workspace, &tunnel_name, mode).await
}

/// Opens a tunnel into a running workspace, or reports the one that runs.
///
/// # Errors
/// What the guest says.
pub async fn open(app: &App, workspace: &Workspace, name: &TunnelName, mode: Mode) -> Result<TunnelReport> {
    let opened = open_or_find(app, workspace, name, mode).await;
    opened.map_err(|error| match error.code() {
        ErrorCode::TunnelFailed => {
            let exec = app.transport(workspace).exec.join(" ");
            error
                .hint(format!("read its log: {exec} cat {}", guest::log(&workspace.places)))
                .detail("workspace", workspace.name.clone())
        }
        _ => error.detail("workspace", workspace.name.clone()),
    })
}

async fn open_or_find(app: &App, workspace: &Workspace, name: &TunnelName, mode: Mode) -> Result<TunnelReport> {
    let machine = app.backend.machine(workspace);
    let report = |running: guest::Running| TunnelReport {
        workspace: workspace.name.clone(),
        tunnel_name: running.name,
        detach: mode == Mode::Detached,
        already_running: running.before,
        log_path: guest::log(&workspace.places),
        login: running.login,
    };
    let id = host::fresh_id()?;
    let begin = || {
        let (machine, name, id) = (machine.clone(), name.clone(), id.clone());
        app.undo.register(format!("tunnel {}", name.as_str()), move || async move {
            guest::abort(&*machine, &name, &id).await
        });
    };
    let running = match mode {
        Mode::Detached => {
            app.progress.step("tunnel_started", &format!("opening tunnel {}", name.as_str()));
            begin();
            guest::start(&*machine, name, &id).await?
        }
        Mode::Foreground { terminal } => match guest::running(&*machine, name, &id).await? {
            Some(running) => running,
            None => {
                begin();
                guest::foreground(&*machine, name, &id, terminal, &app.progress).await?;
                guest::Running { name: name.as_str().to_owned(), before: false, login: None, log: Vec::new() }
            }
        },
    };
    app.undo.keep_everything();
    if running.before {
        app.progress.warn(warning("tunnel_already_running", format!("a tunnel named {} runs already", running.name)));
    }
    if mode == Mode::Detached {
        for line in &running.log {
            app.progress.detail("tunnel_log", line);
        }
    }
    Ok(report(running))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Verb};

    fn resolve(args: &[&str], json: bool) -> Result<Request> {
        let words = ["agent-workspace", "tunnel"].into_iter().chain(args.iter().copied());
        let Some(Verb::Tunnel(args)) = Cli::try_parse_from(words).unwrap().command else { panic!("not tunnel") };
        args.resolve(&Host::fixed(&[], []), json)
    }

    #[test]
    fn a_document_needs_a_tunnel_in_the_background() {
        let error = resolve(&["foo"], true).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Usage);
        assert!(error.message().contains("--output json requires --detach"));
        assert_eq!(resolve(&["foo", "--detach"], true).unwrap().mode, Mode::Detached);
    }

    #[test]
    fn names_are_checked_before_any_call() {
        assert_eq!(
            resolve(&["foo", "--name", "exactly-twentyone-char"], false).unwrap_err().code(),
            ErrorCode::InvalidTunnelName
        );
        assert_eq!(resolve(&["foo", "--name="], false).unwrap().tunnel_name, None);
        assert_eq!(resolve(&["!!!"], false).unwrap_err().code(), ErrorCode::InvalidName);
    }
}
