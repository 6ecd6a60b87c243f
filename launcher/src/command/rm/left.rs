//! What a removal that was cut off has left. It is said and stays: it may be why somebody has cut the removal off.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use agent_workspace_contract::ErrorCode;

use crate::backend::survey::Kind;
use crate::backend::{Backend, Workspace};
use crate::command::App;
use crate::error::{Error, Result};
use crate::undo::Outcome;
use crate::workspace::WorkspaceName;

/// How long a container is waited for whose removal is under way. An engine goes on with it for who has gone away.
const GOES: Duration = Duration::from_secs(5);
/// How long it takes to carry out what was ordered by then, and to look again.
const A_MOMENT: Duration = Duration::from_millis(200);

/// Says what is left of a workspace whose volumes were to go with its container, when the command is cut off before this
/// is true: a removal that has come to an end, good or bad, says so itself.
pub(super) fn say_when_undone(app: &App, name: &WorkspaceName, workspace: &Workspace) -> Arc<AtomicBool> {
    let has_ended = Arc::new(AtomicBool::new(false));
    if app.backend.unit() != Kind::Container {
        // What removes step by step shows by itself how far it has come.
        return has_ended;
    }
    let ended = Arc::clone(&has_ended);
    let what = format!("the removal of workspace {}", workspace.name);
    let remedy = format!("agent-workspace rm {}", workspace.name);
    let (backend, name, workspace) = (Arc::clone(&app.backend), name.clone(), workspace.clone());
    app.undo.register_removable(what, remedy, move || async move {
        if ended.load(Ordering::Relaxed) { Ok(Outcome::Nothing) } else { left(&*backend, &name, &workspace).await }
    });
    has_ended
}

async fn left(backend: &dyn Backend, name: &WorkspaceName, workspace: &Workspace) -> Result<Outcome> {
    let until = Instant::now() + GOES;
    while backend.again(workspace).await?.is_some() {
        if Instant::now() > until {
            // It is there, and listed.
            return Ok(Outcome::Nothing);
        }
        tokio::time::sleep(A_MOMENT).await;
    }
    tokio::time::sleep(A_MOMENT).await;
    let volumes = backend.leftovers(name).await?;
    // Somebody may have made a workspace with them by now.
    if volumes.is_empty() || backend.find(name).await?.is_some() {
        return Ok(Outcome::Nothing);
    }
    let left = volumes.join(" and ");
    Err(Error::new(ErrorCode::Partial, format!("its container is gone, and left is {left}")))
}
