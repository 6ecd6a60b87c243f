//! From a request to its answer: opens what a command works on, runs it, listens for signals and the clock, and takes
//! back what was made when it does not get to its end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent_workspace_contract::{DoctorReport, ErrorCode, Exit, LsReport};
use serde::Serialize;

use crate::backend::{self, Backend};
use crate::command::vm::Fleet;
use crate::command::{self, App};
use crate::completion::Named;
use crate::ending::Ending;
use crate::error::{Error, Result};
use crate::host::{Host, IgnoredSignals};
use crate::output::{Human, Output, Progress};
use crate::phase::Phases;
use crate::signals::{Signals, expired};
use crate::store;
use crate::undo::{Undo, Undone};
use crate::workspace::{Prefix, WorkspaceName};

/// How long undoing may take before the process ends all the same.
const UNDO_LIMIT: Duration = Duration::from_secs(60);

/// Runs a command about workspaces where they are asked for, to its answer. `typed` is the backend that the command line
/// names.
pub(crate) fn engine<Q, R>(
    host: &Host,
    output: &Output,
    timeout: Option<Duration>,
    typed: Option<String>,
    request: Result<Q>,
    run: impl AsyncFnOnce(&App, Q) -> Result<R>,
    finish: impl FnOnce(&Output, Result<R>) -> Exit,
) -> Exit {
    let request = request.and_then(|request| Ok((backend::choose(typed.as_deref(), host)?, request)));
    // What a hint tells a person to paste has to reach the same workspaces.
    let said = |error: Error| error.with_hint(|hint| backend::in_the_words_of(typed.as_deref(), hint));
    at(host, output, timeout, request, run, |output, result| finish(output, result.map_err(said)))
}

/// Runs a command about one workspace where that is, to its answer.
pub(crate) fn named<Q: AsRef<WorkspaceName>, R: Human + Serialize>(
    host: &Host,
    output: &Output,
    timeout: Option<Duration>,
    typed: Option<String>,
    request: Result<Q>,
    run: impl AsyncFnOnce(&App, Q) -> Result<R>,
) -> Exit {
    let located = request.and_then(|request| {
        let name = request.as_ref().clone();
        Ok((backend::locate(typed.as_deref(), host, &name)?, name, request))
    });
    let (place, name, request) = match located {
        Ok(located) => located,
        Err(error) => return output.finish::<R>(Err(error)),
    };
    let said = |error| place.explain(typed.as_deref(), host, &name, error);
    at(host, output, timeout, Ok((place.backend, request)), run, |output, result| output.finish(result.map_err(said)))
}

/// Runs a command on one backend, to its answer.
pub(crate) fn at<Q, R>(
    host: &Host,
    output: &Output,
    timeout: Option<Duration>,
    request: Result<(&'static str, Q)>,
    run: impl AsyncFnOnce(&App, Q) -> Result<R>,
    finish: impl FnOnce(&Output, Result<R>) -> Exit,
) -> Exit {
    let opened = request.and_then(|(chosen, request)| {
        let prefix = command::prefix(host)?;
        let runtime = runtime()?;
        // The backend's client belongs to the runtime.
        let backend = runtime.block_on(async { backend::open(chosen, host, prefix.clone()) })?;
        Ok((request, prefix, backend, runtime))
    });
    let (request, prefix, backend, runtime) = match opened {
        Ok(opened) => opened,
        Err(error) => return finish(output, Err(error)),
    };
    let progress = output.progress().clone();
    let app = App { backend, prefix, progress, undo: Undo::default(), phases: Phases::new(timeout) };
    let ending = Ending::default();
    let work = Work { undo: &app.undo, phases: &app.phases, progress: &app.progress, ending: &ending, timeout };
    conduct(runtime, output, work, run(&app, request), finish)
}

/// Runs `ls` over every backend, to its answer.
pub(crate) fn everywhere(host: &Host, output: &Output, timeout: Option<Duration>) -> Exit {
    let opened = command::prefix(host).and_then(|prefix| Ok((prefix, runtime()?)));
    let (prefix, runtime) = match opened {
        Ok(opened) => opened,
        Err(error) => return output.finish::<LsReport>(Err(error)),
    };
    let open = |name| (name, backend::open(name, host, prefix.clone()));
    let backends = runtime.block_on(async { backend::everywhere(host).into_iter().map(open).collect() });
    let (undo, phases, progress) = (Undo::default(), Phases::new(timeout), output.progress());
    let ending = Ending::default();
    let work = Work { undo: &undo, phases: &phases, progress, ending: &ending, timeout };
    conduct(runtime, output, work, command::ls::everywhere(backends, &prefix, progress), Output::finish)
}

/// Runs a command about machines that are not an engine's, to its answer. Opens no engine.
pub(crate) fn fleet<Q, R: Human + Serialize>(
    host: &Host,
    output: &Output,
    timeout: Option<Duration>,
    request: Result<Q>,
    run: impl AsyncFnOnce(&Fleet, Q) -> Result<R>,
) -> Exit {
    let opened =
        request.and_then(|request| Ok((request, Fleet::of(host, output.progress().clone(), timeout)?, runtime()?)));
    let (request, fleet, runtime) = match opened {
        Ok(opened) => opened,
        Err(error) => return output.finish::<R>(Err(error)),
    };
    let Fleet { undo, phases, progress, ending, .. } = &fleet;
    let work = Work { undo, phases, progress, ending, timeout };
    conduct(runtime, output, work, run(&fleet, request), Output::finish)
}

/// What a command that runs can be taken back by, and for how long it may run.
struct Work<'a> {
    undo: &'a Undo,
    phases: &'a Phases,
    progress: &'a Progress,
    ending: &'a Ending,
    timeout: Option<Duration>,
}

/// Runs a command to its answer: listens for signals and the clock, and takes back what was made when the command does
/// not get to its end or its answer to nobody.
fn conduct<R>(
    runtime: tokio::runtime::Runtime,
    output: &Output,
    work: Work<'_>,
    run: impl Future<Output = Result<R>>,
    finish: impl FnOnce(&Output, Result<R>) -> Exit,
) -> Exit {
    let ignored = IgnoredSignals::now();
    let exit = runtime.block_on(async {
        let mut signals = Signals::listen(ignored);
        let result = {
            // Let go of before anything is taken back: what it holds, a claim say, is in the way of that.
            let (mut run, mut expired) = (std::pin::pin!(run), std::pin::pin!(expired(work.timeout)));
            loop {
                tokio::select! {
                    biased;
                    error = signals.interruption() => {
                        // For a command that waits for it, Ctrl-C is how it ends and no failure.
                        if error.code() != ErrorCode::Interrupted || !work.ending.ask() {
                            break Err(error);
                        }
                    }
                    error = &mut expired => break Err(error),
                    result = &mut run => break result,
                }
            }
        };
        let result = match result {
            Ok(report) => Ok(report),
            Err(error) => Err(take_back(work.undo, work.phases, &mut signals, error).await),
        };
        let done = result.is_ok();
        let exit = finish(output, result);
        if done && exit != Exit::Ok {
            let limit = tokio::time::sleep(UNDO_LIMIT);
            let taken_back = tokio::select! {
                taken_back = work.undo.take_back_undelivered() => taken_back,
                () = limit => Err(Error::new(ErrorCode::Timeout, "it took too long")),
                error = signals.interruption() => Err(error),
            };
            match taken_back {
                Ok(true) => work.progress.note("what had been made was taken back, as nobody could be told of it"),
                Ok(false) => {}
                Err(error) => work.progress.note(&format!("what had been made could not be taken back: {error}")),
            }
        }
        exit
    });
    // A thread that waits for the keyboard must not hold up the end.
    runtime.shutdown_background();
    exit
}

/// Runs `doctor`, which answers also where nothing can be opened: that is what it is for.
pub(crate) fn doctor(
    output: &Output,
    timeout: Option<Duration>,
    request: Result<command::doctor::Request>,
    open: impl FnOnce(&str, Prefix) -> Result<Arc<dyn Backend>>,
) -> Exit {
    let (request, runtime) = match request.and_then(|request| Ok((request, runtime()?))) {
        Ok(opened) => opened,
        Err(error) => return output.finish::<DoctorReport>(Err(error)),
    };
    let result = runtime.block_on(async {
        let mut signals = Signals::listen(IgnoredSignals::now());
        tokio::select! {
            biased;
            error = signals.interruption() => Err(error),
            error = expired(timeout) => Err(error),
            report = command::doctor::run(open(request.backend, request.prefix.clone()), request) => Ok(report),
        }
    });
    runtime.shutdown_background();
    output.finish(result)
}

/// Workspaces that backends list while somebody waits with a finger on the key, or machines that are remembered; none
/// where it takes longer or fails.
pub(crate) fn names_at_once(host: &Host, named: Named, typed: Option<&str>) -> Option<Vec<(String, String)>> {
    if named != Named::Workspace {
        return Some(command::complete::remembered(&store::Store::of(host).ok()?, named));
    }
    let prefix = command::prefix(host).ok()?;
    let asked = backend::asked(typed, host).ok()?.map_or_else(|| backend::everywhere(host), |backend| vec![backend]);
    let runtime = runtime().ok()?;
    let names = runtime.block_on(async {
        let names = asked.into_iter().map(|name| {
            let backend = backend::open(name, host, prefix.clone());
            let prefix = &prefix;
            async move {
                let names = async { command::complete::names(&*backend.ok()?, prefix).await.into() };
                tokio::time::timeout(command::complete::PATIENCE, names).await.ok().flatten()
            }
        });
        // Of two that share a name, that of this machine is the one that the name means, and described.
        futures_util::future::join_all(names).await.into_iter().rev().flatten().flatten().collect()
    });
    // A host name that is still being looked up must not hold up the end.
    runtime.shutdown_background();
    Some(names)
}

pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(ErrorCode::Internal, "no runtime could be started").cause(error.to_string()))
}

/// Undoes what a failed command has made, and says in its error where it was, what was undone, what could not be and
/// how to remove that, and what stays.
async fn take_back(undo: &Undo, phases: &Phases, signals: &mut Signals, error: Error) -> Error {
    let undone = Mutex::new(Undone::default());
    tokio::select! {
        () = undo.run(&undone) => {}
        () = tokio::time::sleep(UNDO_LIMIT) => {}
        // Who asks a second time wants it to end now.
        _ = signals.interruption() => {}
    }
    let Undone { done, left, remedies, kept, rescued, kept_for_a_look, unsure } =
        undone.into_inner().unwrap_or_default();
    let mut error = error;
    if let Some(phase) = phases.current() {
        error = error.detail("phase", phase);
    }
    if !done.is_empty() {
        error = error.detail("undone", done);
    }
    if let Some(kept) = kept {
        error = error.cause(format!("workspace {kept} is finished and stays")).detail("workspace", kept);
    }
    if let Some(rescued) = rescued {
        error = error.cause(format!("the work is in {}", rescued.dir)).detail("rescued", serde_json::json!(rescued));
    }
    if let Some(kept) = kept_for_a_look {
        error = error
            .cause(format!("workspace {kept} is not finished and is kept for a look; then: agent-workspace rm {kept}"))
            .detail("kept", kept);
    }
    error = unsure.into_iter().fold(error, Error::cause);
    if left.is_empty() {
        return error;
    }
    let mut error = error.detail("left_behind", left.clone());
    if !remedies.is_empty() {
        error = error.hint(format!("remove what is left: {}", remedies.join("; ")));
    }
    left.into_iter().fold(error, |error, left| error.cause(format!("could not undo: {left}")))
}
