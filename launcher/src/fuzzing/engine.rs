//! Properties of what an engine answers: whatever it says of its containers becomes rows that can be told.

use std::sync::Arc;

use agent_workspace_contract::{DescribeReport, LsReport};
use hyper::StatusCode;

use super::{check_document, check_error, check_shown};
use crate::backend::Workspace;
use crate::backend::docker::fuzzing::Answers;
use crate::command::App;
use crate::command::create::secrets;
use crate::output::Progress;
use crate::phase::Phases;
use crate::undo::Undo;
use crate::workspace::Prefix;

/// The first byte chooses the question and the status of the answer, the rest is the answer.
pub(super) fn engine(bytes: &[u8]) {
    let Some((&first, body)) = bytes.split_first() else { return };
    let status = match first & 7 {
        0..=2 => StatusCode::OK,
        3 => StatusCode::NO_CONTENT,
        4 => StatusCode::NOT_FOUND,
        5 => StatusCode::CONFLICT,
        6 => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::FORBIDDEN,
    };
    let Ok(prefix) = Prefix::parse(Prefix::DEFAULT) else { panic!("the built-in prefix is one") };
    let Ok(answers) = Answers::new(prefix.clone()) else { panic!("a socket is an address") };
    let found = match first >> 3 & 3 {
        0 => answers.inspected(status, body).map(|found| found.into_iter().collect()),
        1 => answers.listed(status, body),
        2 => answers.obeyed(status, body).map(|_| Vec::new()),
        _ => {
            answers.explained(status, &String::from_utf8_lossy(body)).iter().for_each(check_error);
            return;
        }
    };
    match found {
        Ok(found) => check_workspaces(answers, prefix, &found),
        Err(error) => check_error(&error),
    }
}

fn check_workspaces(answers: Answers, prefix: Prefix, found: &[Workspace]) {
    let app = App {
        backend: Arc::new(answers.0),
        prefix,
        progress: Progress::new(true, false, false),
        undo: Undo::default(),
        phases: Phases::default(),
    };
    let list = LsReport { workspaces: found.iter().map(|workspace| app.row(workspace)).collect(), backends: None };
    check_document(&list);
    check_shown(&list);
    for workspace in found {
        let own = |volume: &String| volume.strip_prefix(&workspace.name).is_some_and(|end| end.starts_with('-'));
        assert!(workspace.volumes.iter().all(own), "not its volumes: {:?}", workspace.volumes);
        let time = workspace.created_at.as_deref();
        let is_time =
            |time: &str| time.len() == 20 && !time.starts_with('-') && time.parse::<jiff::Timestamp>().is_ok();
        assert!(time.is_none_or(is_time), "{time:?}");
        assert!(!workspace.user.is_empty(), "nobody");
        let one = DescribeReport {
            workspace: app.row(workspace),
            isolation: workspace.isolation,
            secrets: secrets::report(workspace.secrets.as_ref(), None),
            transport: app.transport(workspace),
        };
        check_document(&one);
        check_shown(&one);
    }
}
