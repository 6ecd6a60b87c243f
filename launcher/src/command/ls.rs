//! `ls`: every workspace, newest first; of the backend that is named, in one call to it, or of all of them at once.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use agent_workspace_contract::{BackendAnswer, ErrorCode, LsReport, WorkspaceRow};
use futures_util::future::join_all;
use serde_json::json;

use crate::backend::{self, Backend, DOCKER};
use crate::command::{App, row};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::output::{Progress, warning};
use crate::workspace::Prefix;

/// How long an engine may keep the rows of others waiting. VMs have deadlines of their own, and folders answer at once.
const ENGINE_LIMIT: Duration = Duration::from_secs(10);

/// Flags of `ls`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Where workspaces live: docker, host or vm; by default everywhere
    #[arg(long, value_name = "BACKEND")]
    pub backend: Option<String>,
}

impl Args {
    /// The one backend that is asked; `None` when all are.
    ///
    /// # Errors
    /// `unsupported`.
    pub fn resolve(self, host: &Host) -> Result<Option<&'static str>> {
        let Self { backend } = self;
        backend::asked(backend.as_deref(), host)
    }
}

/// Lists those of one backend.
///
/// # Errors
/// The backend's own; never because one workspace is broken.
pub async fn run(app: &App) -> Result<LsReport> {
    let workspaces = app.backend.list().await?;
    Ok(LsReport { workspaces: workspaces.iter().map(|workspace| app.row(workspace)).collect(), backends: None })
}

/// Lists those of several backends, all asked at the same time. One that fails is warned of and hides nothing of the
/// others.
///
/// # Errors
/// Where there is no row at all, that of the first backend that failed: what is down is never an empty list.
pub async fn everywhere(
    backends: Vec<(&'static str, Result<Arc<dyn Backend>>)>,
    prefix: &Prefix,
    progress: &Progress,
) -> Result<LsReport> {
    let asked = backends.into_iter().map(|(name, opened)| async move {
        let rows = listed(name, opened, prefix).await;
        (name, rows)
    });
    let report = merged(join_all(asked).await)?;
    for answer in report.backends.iter().flatten().filter(|answer| !answer.ok) {
        progress.warn(warning("backend_unavailable", missing(answer)));
    }
    Ok(report)
}

/// The rows of one backend.
async fn listed(name: &str, opened: Result<Arc<dyn Backend>>, prefix: &Prefix) -> Result<Vec<WorkspaceRow>> {
    let backend = opened?;
    let workspaces = if name == DOCKER {
        tokio::time::timeout(ENGINE_LIMIT, backend.list()).await.unwrap_or_else(|_| Err(overdue()))?
    } else {
        backend.list().await?
    };
    Ok(workspaces.iter().map(|workspace| row(workspace, name, prefix)).collect())
}

fn overdue() -> Error {
    let limit = ENGINE_LIMIT.as_secs();
    Error::new(ErrorCode::EngineUnavailable, format!("the engine did not answer within {limit} seconds"))
        .hint(format!("give it more time: agent-workspace ls --backend {DOCKER}"))
}

/// One report of what several backends have said.
fn merged(said: Vec<(&'static str, Result<Vec<WorkspaceRow>>)>) -> Result<LsReport> {
    let mut workspaces = Vec::new();
    let mut failed = Vec::new();
    let mut backends = Vec::new();
    for (name, rows) in said {
        backends.push(answer(name, rows.as_ref().err()));
        match rows {
            Ok(rows) => workspaces.extend(rows),
            Err(error) => failed.push(error),
        }
    }
    if workspaces.is_empty() && !failed.is_empty() {
        let others: Vec<_> = failed.iter().skip(1).map(|error| error.message().to_owned()).collect();
        let first = failed.swap_remove(0).detail("backends", json!(backends));
        return Err(others.into_iter().fold(first, Error::cause));
    }
    // Stable, so that those of one backend keep its order where they are of the same second.
    workspaces.sort_by_cached_key(|row| Reverse(row.created_at.clone()));
    Ok(LsReport { workspaces, backends: Some(backends) })
}

fn answer(name: &str, error: Option<&Error>) -> BackendAnswer {
    BackendAnswer {
        backend: name.to_owned(),
        ok: error.is_none(),
        code: error.map(|error| error.code().as_str().to_owned()),
        message: error.map(|error| error.message().to_owned()),
        hint: error.and_then(Error::hint_text).map(str::to_owned),
    }
}

/// What a person is told of a backend that has not answered.
fn missing(answer: &BackendAnswer) -> String {
    let BackendAnswer { backend, message, hint, .. } = answer;
    let why = message.as_deref().unwrap_or_default();
    let hint = hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("workspaces of the backend {backend} are missing here: {why}{hint}")
}

#[cfg(test)]
mod tests {
    use agent_workspace_contract::WorkspaceStatus;

    use super::*;

    fn rows(backend: &str, times: &[(&str, Option<u8>)]) -> Vec<WorkspaceRow> {
        let row = |(name, second): &(&str, Option<u8>)| WorkspaceRow {
            workspace: (*name).to_owned(),
            name: (*name).to_owned(),
            backend: backend.to_owned(),
            status: WorkspaceStatus::Running,
            repo: None,
            path: None,
            image: None,
            created_at: second.map(|second| format!("2026-01-22T08:46:{second:02}Z")),
            problems: Vec::new(),
        };
        times.iter().map(row).collect()
    }

    fn down(code: ErrorCode, message: &str) -> Result<Vec<WorkspaceRow>> {
        Err(Error::new(code, message).hint("mend it"))
    }

    fn names(report: &LsReport) -> Vec<&str> {
        report.workspaces.iter().map(|row| row.workspace.as_str()).collect()
    }

    #[test]
    fn rows_of_all_stand_together_newest_first_and_those_without_a_time_last() {
        let docker = rows("docker", &[("d3", Some(3)), ("d1", Some(1)), ("old", None)]);
        let host = rows("host", &[("h2", Some(2)), ("h1", Some(1))]);
        let report = merged(vec![("docker", Ok(docker)), ("host", Ok(host))]).unwrap();
        assert_eq!(names(&report), ["d3", "h2", "d1", "h1", "old"]);
        assert!(report.backends.unwrap().iter().all(|answer| answer.ok && answer.code.is_none()));
    }

    #[test]
    fn one_that_fails_hides_no_row_of_others_and_is_named() {
        for failing in ["docker", "host", "vm"] {
            let said = |name| match name == failing {
                true => down(ErrorCode::EngineUnavailable, "it is down"),
                false => Ok(rows(name, &[(name, Some(1))])),
            };
            let report = merged(["docker", "host", "vm"].map(|name| (name, said(name))).to_vec()).unwrap();
            assert_eq!(report.workspaces.len(), 2);
            let backends = report.backends.unwrap();
            let failed: Vec<_> = backends.iter().filter(|answer| !answer.ok).collect();
            assert_eq!((failed.len(), failed[0].backend.as_str()), (1, failing));
            assert_eq!(failed[0].code.as_deref(), Some("engine_unavailable"));
            let told = missing(failed[0]);
            assert!(told.contains(failing) && told.ends_with("it is down (mend it)"), "{told}");
        }
    }

    #[test]
    fn without_any_row_the_first_failure_is_the_answer_and_tells_of_the_rest() {
        let error = merged(vec![
            ("docker", down(ErrorCode::EngineUnavailable, "no engine runs")),
            ("host", Ok(Vec::new())),
            ("vm", down(ErrorCode::StateFailed, "the state cannot be used")),
        ])
        .unwrap_err();
        assert_eq!((error.code(), error.hint_text()), (ErrorCode::EngineUnavailable, Some("mend it")));
        assert_eq!(error.causes(), ["the state cannot be used"]);
        let backends = &error.body().details["backends"];
        assert_eq!(backends[1], json!({ "backend": "host", "ok": true }));
        assert_eq!(backends[2]["code"], "state_failed");
        assert_eq!(
            merged(vec![("host", down(ErrorCode::StateFailed, ""))]).unwrap_err().code(),
            ErrorCode::StateFailed
        );
        assert_eq!(merged(vec![("docker", Ok(Vec::new())), ("host", Ok(Vec::new()))]).unwrap().workspaces, []);
    }
}
