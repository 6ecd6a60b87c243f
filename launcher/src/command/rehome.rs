//! `rehome`: moves a workspace on a VM to another folder there.

use std::sync::Arc;

use agent_workspace_contract::RehomeReport;

use crate::backend::Moved;
use crate::command::code_workspace::File;
use crate::command::{App, Target};
use crate::error::{Result, usage};
use crate::host::Host;
use crate::workspace::WorkspaceName;

/// Longer than any folder that people name.
const LONGEST: usize = 200;

/// Flags of `rehome`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The workspace
    #[command(flatten)]
    pub target: Target,
    /// The folder on its VM that it is to be in, which is not there yet
    #[arg(long, value_name = "PATH")]
    to: String,
}

/// What goes where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The workspace.
    pub name: WorkspaceName,
    /// The folder.
    pub to: String,
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
    /// `usage` for a folder that no workspace can be in, `invalid_name`, `invalid_environment`, `unsupported`.
    pub fn resolve(self, host: &Host) -> Result<Request> {
        let Self { target, to } = self;
        Ok(Request { name: target.resolve(host)?, to: folder(&to)? })
    }
}

/// A folder that a workspace can be in: absolute, plain, and nobody's home.
fn folder(text: &str) -> Result<String> {
    let wrong = |why: &str| Err(usage(format!("--to {text}: {why}")).hint("for example: --to /data/workspaces/NAME"));
    let plain = text.strip_suffix('/').unwrap_or(text);
    let Some(below) = plain.strip_prefix('/').filter(|below| !below.is_empty()) else {
        return wrong("it has to be an absolute path on the VM");
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || "/._-+@".contains(c);
    if plain.len() > LONGEST || !plain.chars().all(fits) {
        return wrong("it has other characters than letters, digits and ._-+@, or is too long");
    }
    if below.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return wrong("a part of it is empty, . or ..");
    }
    let first = below.split('/').next().unwrap_or_default();
    if matches!(first, "home" | "root") {
        return wrong("homes are their users' alone, and a workspace's user could not pass");
    }
    if matches!(first, "proc" | "sys" | "dev" | "run" | "tmp") || below.starts_with("var/tmp") {
        return wrong("what is there does not last");
    }
    Ok(plain.to_owned())
}

/// Moves it.
///
/// # Errors
/// `workspace_not_found`, `unsupported` where workspaces are not on VMs, `wrong_state` while something runs in it,
/// `path_occupied`, or the backend's own.
pub async fn run(app: &App, request: Request) -> Result<RehomeReport> {
    let Request { name, to } = request;
    let workspace = app.find(&name).await?;
    app.progress.step("rehome_started", &format!("moving workspace {} to {to}", workspace.name));
    if let Some(file) = File::of(app, &workspace) {
        // Of two moves, nobody would know the first any more.
        file.follow(app);
    }
    let (backend, moving, target) = (Arc::clone(&app.backend), workspace.clone(), to.clone());
    app.undo.register(format!("a copy of {} in {to}", workspace.name), move || async move {
        backend.end_rehome(&moving, &target).await
    });
    let Moved { from, to, changed } = app.backend.rehome(&workspace, &to).await?;
    app.undo.keep_everything();
    let now = app.backend.find(&name).await?;
    if let Some(file) = now.as_ref().and_then(|workspace| File::of(app, workspace)).filter(|_| changed) {
        file.put(app);
    }
    let path = now.and_then(|workspace| workspace.path);
    Ok(RehomeReport { workspace: workspace.name, changed, from, folder: to, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_goes_into_a_plain_folder_that_is_nobodys_home() {
        assert_eq!(folder("/data/ws/").unwrap(), "/data/ws");
        for no in [
            "",
            "/",
            "data",
            "./x",
            "~/x",
            "/a//b",
            "/a/../b",
            "/a/.",
            "/a b",
            "/a\nb",
            "/a;b",
            "/home/me/ws",
            "/home",
            "/root/x",
            "/tmp/x",
            "/var/tmp/x",
            "/proc/1",
            "/dev/shm/x",
        ] {
            assert!(folder(no).is_err(), "{no:?}");
        }
        assert!(folder("/homes/x").is_ok() && folder("/data/home").is_ok());
    }
}
