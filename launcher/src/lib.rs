//! `agent-workspace`: makes isolated, persistent workspaces for coding agents and tells programs about them in JSON.
//!
//! This file is the program's table of contents: parse, open, dispatch, finish. `docs/architecture.md` shows the rooms.

pub mod backend;
pub mod capabilities;
pub mod cli;
pub mod command;
pub mod completion;
pub mod config;
pub mod ending;
pub mod error;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod guest;
pub mod host;
pub mod machine;
pub mod output;
pub mod phase;
pub mod platform;
pub mod ssh;
pub mod store;
pub mod undo;
pub mod workspace;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent_workspace_contract::{DoctorReport, ErrorCode, Exit, HelpReport, LsReport, VersionReport};
use clap::error::ErrorKind;
use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::backend::Backend;
use crate::cli::{AgentVerb, ConfigVerb, ImageVerb, Verb, VmHostVerb, VmVerb, WorkspaceGrantsVerb};
use crate::command::App;
use crate::command::vm::Fleet;
use crate::completion::Named;
use crate::ending::Ending;
use crate::error::{Error, Result, usage};
pub use crate::host::Host;
use crate::host::IgnoredSignals;
use crate::output::{Early, Human, Output, Progress};
use crate::phase::Phases;
use crate::undo::{Undo, Undone};
use crate::workspace::{Prefix, WorkspaceName};

/// How long undoing may take before the process ends all the same.
const UNDO_LIMIT: Duration = Duration::from_secs(60);

/// Runs one invocation from argv to exit code.
pub fn run(host: &Host) -> Exit {
    let early = Early::scan(host, &cli::COMMANDS);
    output::answer_panics(&early);
    let mut output = Output::new(&early, host);
    // Building the tree is most of what a short command costs.
    let parsed = cli::at_once(host.args()).map_or_else(|| cli::parse(host.args()), Ok);
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return answer_parse_error(&mut output, &error),
    };
    if cli.version {
        output.set_command("version");
        return output.finish(Ok(VersionReport {}));
    }
    if let Some(name) = cli.supports {
        output.set_command("supports");
        return output.finish(command::capabilities::supports(&name));
    }
    if let Some(requirement) = cli.requires {
        output.set_command("requires");
        return output.finish(command::capabilities::requires(&requirement));
    }
    let timeout = match cli.global.timeout.as_deref().map(workspace::resources::timeout).transpose() {
        Ok(timeout) => timeout,
        Err(error) => return output.finish::<VersionReport>(Err(error)),
    };
    let passphrase = match cli.global.passphrase_fd.map(host::descriptor::passphrase).transpose() {
        Ok(passphrase) => passphrase,
        Err(error) => return output.finish::<VersionReport>(Err(error)),
    };
    let with_passphrase = passphrase.map(|passphrase| host.with_passphrase(passphrase));
    let host = with_passphrase.as_ref().unwrap_or(host);
    let Some(verb) = cli.command else { return help(&mut output, cli::help(&[]).unwrap_or_default()) };
    dispatch(host, &mut output, verb, timeout)
}

/// One line a command.
fn dispatch(host: &Host, output: &mut Output, verb: Verb, timeout: Option<Duration>) -> Exit {
    let json = output.json();
    match verb {
        Verb::Agent(verb) => agent(host, output, verb, timeout),
        Verb::Capabilities => output.finish_as_document(&command::capabilities::run()),
        Verb::Help { command } => match cli::help(&command) {
            Some(text) => help(output, text),
            None => {
                output
                    .finish::<VersionReport>(Err(usage(format!("there is no command {:?}", command.join(" ")))
                        .hint("see: agent-workspace --help")))
            }
        },
        Verb::Schema(args) => output.finish(args.resolve().and_then(command::schema::run)),
        Verb::Field(args) => {
            output.finish(args.resolve().and_then(|request| command::field::run(&request, std::io::stdin().lock())))
        }
        Verb::Complete(args) => {
            let question = args.resolve();
            let typed = command::complete::backend_in(&question);
            let names = |named| names_at_once(host, named, typed.as_deref()).unwrap_or_default();
            output.finish_as_text(&command::complete::run(&question, names))
        }
        Verb::Completion(args) => output.finish(Ok(command::completion::run(&args))),
        Verb::Config(verb) => config(host, output, verb),
        Verb::Copy(args) => {
            let copy = async |app: &App, request: command::copy::Request| {
                let source = backend::open(request.source_backend, host, app.prefix.clone())?;
                command::copy::run(app, source, request).await
            };
            let typed = args.backend();
            let said = |error: Error| error.with_hint(|hint| backend::in_the_words_of(typed.as_deref(), hint));
            let request = args.resolve(host).map(|request| (request.backend, request));
            at(host, output, timeout, request.map_err(said), copy, |output, result| output.finish(result.map_err(said)))
        }
        Verb::Create(args) | Verb::Up(args) if args.plan_only() => {
            let backend = args.backend();
            let request = to_create(host, *args, json);
            engine(host, output, timeout, backend, request, command::create::plan::run, Output::finish)
        }
        Verb::Create(args) | Verb::Up(args) => {
            let backend = args.backend();
            let request = to_create(host, *args, json);
            engine(host, output, timeout, backend, request, command::create::run, |output, result| {
                if let Ok(report) = &result {
                    output.create_notes(report);
                }
                output.finish(result)
            })
        }
        Verb::Describe(args) => {
            let backend = args.target.backend.clone();
            named(host, output, timeout, backend, args.resolve(host), command::describe::run)
        }
        Verb::Doctor(args) => {
            doctor(output, timeout, args.resolve(host), |name, prefix| backend::open(name, host, prefix))
        }
        Verb::Image(ImageVerb::Build(args)) => {
            output.set_command("image build");
            let backend = args.backend.clone();
            engine(host, output, timeout, backend, args.resolve(host), command::image::run, Output::finish)
        }
        Verb::Ls(args) => {
            let list = async |app: &App, _| command::ls::run(app).await;
            let backend = args.backend.clone();
            match args.resolve(host) {
                Ok(None) => everywhere(host, output, timeout),
                asked => engine(host, output, timeout, backend, asked, list, Output::finish),
            }
        }
        Verb::ParseRepo(args) => output.finish(args.resolve(host).map(|repo| command::parse_repo::run(&repo))),
        Verb::Prune(args) => {
            let backend = args.backend.clone();
            engine(host, output, timeout, backend, args.resolve(host), command::prune::run, Output::finish)
        }
        Verb::Rehome(args) => {
            let backend = args.target.backend.clone();
            named(host, output, timeout, backend, args.resolve(host), command::rehome::run)
        }
        Verb::Repair(target) => {
            let backend = target.backend.clone();
            named(host, output, timeout, backend, target.resolve(host), command::repair::run)
        }
        Verb::Rm(args) => {
            let backend = args.target.backend.clone();
            named(host, output, timeout, backend, args.resolve(host), command::rm::run)
        }
        Verb::Start(target) => {
            let backend = target.backend.clone();
            named(host, output, timeout, backend, target.resolve(host), command::start::run)
        }
        Verb::Stop(target) => {
            let backend = target.backend.clone();
            named(host, output, timeout, backend, target.resolve(host), command::stop::run)
        }
        Verb::Tunnel(args) => {
            let backend = args.target.backend.clone();
            named(host, output, timeout, backend, args.resolve(host, json), command::tunnel::run)
        }
        Verb::Vm(verb) => vm(host, output, verb, timeout),
        Verb::VmHost(verb) => vm_host(host, output, verb, timeout),
        Verb::WorkspaceGrants(verb) => workspace_grants(host, output, verb, timeout),
    }
}

/// The verbs of `agent`.
fn agent(host: &Host, output: &mut Output, verb: AgentVerb, timeout: Option<Duration>) -> Exit {
    use command::agent;
    match verb {
        AgentVerb::Create(args) => {
            output.set_command("agent create");
            fleet(host, output, timeout, args.resolve(host), agent::create::run)
        }
        AgentVerb::Delete(args) => {
            output.set_command("agent delete");
            fleet(host, output, timeout, args.resolve(), agent::delete::run)
        }
        AgentVerb::Describe(target) => {
            output.set_command("agent describe");
            fleet(host, output, timeout, target.resolve(), agent::describe::run)
        }
        AgentVerb::List(args) => {
            output.set_command("agent list");
            fleet(host, output, timeout, args.resolve(), agent::list::run)
        }
        AgentVerb::Reinit(args) => {
            output.set_command("agent reinit");
            fleet(host, output, timeout, args.resolve(host), agent::reinit::run)
        }
    }
}

/// The verbs of `workspace-grants`.
fn workspace_grants(host: &Host, output: &mut Output, verb: WorkspaceGrantsVerb, timeout: Option<Duration>) -> Exit {
    use command::workspace_grants as grants;
    match verb {
        WorkspaceGrantsVerb::Deny(args) => {
            output.set_command("workspace-grants deny");
            fleet(host, output, timeout, args.resolve(host), grants::deny::run)
        }
        WorkspaceGrantsVerb::Grant(args) => {
            output.set_command("workspace-grants grant");
            fleet(host, output, timeout, args.resolve(host), grants::grant::run)
        }
        WorkspaceGrantsVerb::List(target) => {
            output.set_command("workspace-grants list");
            fleet(host, output, timeout, target.resolve(), grants::list::run)
        }
    }
}

/// The verbs of `config`, which answer whatever is in it.
fn config(host: &Host, output: &mut Output, verb: ConfigVerb) -> Exit {
    use command::config;
    let json = output.json();
    match verb {
        ConfigVerb::Check => {
            output.set_command("config check");
            output.finish(config::check::run(host))
        }
        ConfigVerb::Edit => {
            output.set_command("config edit");
            let request = config::edit::resolve(host, json).and_then(|request| Ok((request, runtime()?)));
            output.finish(request.and_then(|(request, runtime)| runtime.block_on(config::edit::run(host, request))))
        }
        ConfigVerb::Init(args) => {
            output.set_command("config init");
            output.finish(args.resolve(host).and_then(config::init::run))
        }
        ConfigVerb::Sample => {
            output.set_command("config sample");
            output.finish(config::sample::run(host))
        }
    }
}

/// The verbs of `vm`.
fn vm(host: &Host, output: &mut Output, verb: VmVerb, timeout: Option<Duration>) -> Exit {
    use command::vm;
    match verb {
        VmVerb::Create(args) => {
            output.set_command("vm create");
            fleet(host, output, timeout, args.resolve(host), vm::create::run)
        }
        VmVerb::Delete(args) => {
            output.set_command("vm delete");
            fleet(host, output, timeout, args.resolve(), vm::delete::run)
        }
        VmVerb::Describe(target) => {
            output.set_command("vm describe");
            fleet(host, output, timeout, target.resolve(), vm::describe::run)
        }
        VmVerb::List(args) => {
            output.set_command("vm list");
            fleet(host, output, timeout, Ok(args.resolve()), vm::list::run)
        }
        VmVerb::Logs(args) => {
            output.set_command("vm logs");
            let store = || store::Store::of(host);
            output.finish(args.resolve().and_then(|request| vm::logs::run(&store()?, request)))
        }
        VmVerb::PortForward(args) => {
            output.set_command("vm port-forward");
            fleet(host, output, timeout, args.resolve(), vm::port_forward::run)
        }
        VmVerb::Reinit(args) => {
            output.set_command("vm reinit");
            fleet(host, output, timeout, args.resolve(), vm::reinit::run)
        }
        VmVerb::SshConfig(args) => {
            output.set_command("vm ssh-config");
            fleet(host, output, timeout, Ok(args.resolve()), vm::ssh_config::run)
        }
        VmVerb::Start(target) => {
            output.set_command("vm start");
            fleet(host, output, timeout, target.resolve(), vm::start::run)
        }
        VmVerb::Stop(target) => {
            output.set_command("vm stop");
            fleet(host, output, timeout, target.resolve(), vm::stop::run)
        }
    }
}

/// The verbs of `vm-host`.
fn vm_host(host: &Host, output: &mut Output, verb: VmHostVerb, timeout: Option<Duration>) -> Exit {
    use command::vm_host;
    let store = || store::Store::of(host);
    match verb {
        VmHostVerb::Add(args) => {
            output.set_command("vm-host add");
            fleet(host, output, timeout, args.resolve(), vm_host::add::run)
        }
        VmHostVerb::List => {
            output.set_command("vm-host list");
            output.finish(store().and_then(|store| vm_host::list::run(&store)))
        }
        VmHostVerb::Remove(args) => {
            output.set_command("vm-host remove");
            output.finish(args.resolve().and_then(|request| vm_host::remove::run(&store()?, request)))
        }
    }
}

/// What a create is to make, when its name is free elsewhere.
fn to_create(host: &Host, args: command::create::Args, json: bool) -> Result<command::create::Request> {
    let typed = args.backend();
    let request = args.resolve(host, json)?;
    backend::check_free(typed.as_deref(), host, &request.name)?;
    Ok(request)
}

/// Runs a command about workspaces where they are asked for, to its answer. `typed` is the backend that the command line
/// names.
fn engine<Q, R>(
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
fn named<Q: AsRef<WorkspaceName>, R: Human + Serialize>(
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
fn at<Q, R>(
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
fn everywhere(host: &Host, output: &Output, timeout: Option<Duration>) -> Exit {
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
fn fleet<Q, R: Human + Serialize>(
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
fn doctor(
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
fn names_at_once(host: &Host, named: Named, typed: Option<&str>) -> Option<Vec<(String, String)>> {
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

fn runtime() -> Result<tokio::runtime::Runtime> {
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

/// Signals that ask the process to end. One that comes while an earlier one is being answered is not lost.
struct Signals([Option<(Signal, ErrorCode, &'static str)>; 3]);

impl Signals {
    /// Listens from now on. Signals that were ignored when the process began stay so: `nohup` means it.
    fn listen(ignored: IgnoredSignals) -> Self {
        let asks = [
            (SignalKind::interrupt(), ErrorCode::Interrupted, "SIGINT"),
            (SignalKind::terminate(), ErrorCode::Terminated, "SIGTERM"),
            (SignalKind::hangup(), ErrorCode::Terminated, "SIGHUP"),
        ];
        Self(asks.map(|(kind, code, name)| {
            let listened = !ignored.has(kind.as_raw_value());
            listened.then(|| signal(kind).ok()).flatten().map(|signal| (signal, code, name))
        }))
    }

    /// The error of the next signal. Never, if none comes.
    async fn interruption(&mut self) -> Error {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            error = next(interrupt) => error,
            error = next(terminate) => error,
            error = next(hangup) => error,
        }
    }
}

async fn next(listened: &mut Option<(Signal, ErrorCode, &'static str)>) -> Error {
    let Some((signal, code, name)) = listened else { return std::future::pending().await };
    signal.recv().await;
    Error::new(*code, format!("interrupted by {name}")).hint("see what there is: agent-workspace ls")
}

/// The error of a time that has run out. Never, without a limit.
async fn expired(timeout: Option<Duration>) -> Error {
    let Some(timeout) = timeout else { return std::future::pending().await };
    tokio::time::sleep(timeout).await;
    Error::new(ErrorCode::Timeout, "the time given by --timeout ran out")
        .detail("timeout_ms", u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX))
        .hint("give more time: --timeout 10m")
}

/// Help is an answer; every other parse error is a usage error in the words of the parser.
fn answer_parse_error(output: &mut Output, error: &clap::Error) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp => help(output, error.to_string()),
        // The text of this one is the whole help of a command that has commands of its own.
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            let text = error.to_string();
            let usage_line = text.lines().find_map(|line| line.trim_start().strip_prefix("Usage: agent-workspace "));
            let group = usage_line.and_then(|line| line.split_whitespace().next()).unwrap_or("it");
            output.finish::<VersionReport>(Err(
                usage(format!("{group} needs a command")).hint(format!("see: agent-workspace {group} --help"))
            ))
        }
        _ => {
            let text = error.to_string();
            let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            let message = lines.next().unwrap_or("the command line is wrong").trim_start_matches("error: ").to_owned();
            let rest: Vec<&str> = lines.filter(|line| !line.starts_with("For more information")).collect();
            let tip = rest
                .iter()
                .find_map(|line| line.strip_prefix("tip: "))
                // What would be passed as a value that way is an argument of its own.
                .filter(|tip| !tip.starts_with("to pass"));
            let missing: Vec<&str> = rest.iter().copied().take_while(|line| line.starts_with(['<', '-'])).collect();
            let command = output.command().map(|command| format!("{command} ")).unwrap_or_default();
            let hint = tip.map_or_else(|| format!("see: agent-workspace {command}--help"), str::to_owned);
            let message = if missing.is_empty() { message } else { format!("{message} {}", missing.join(" ")) };
            output.finish::<VersionReport>(Err(usage(message).hint(hint)))
        }
    }
}

fn help(output: &mut Output, help: String) -> Exit {
    output.set_command("help");
    output.finish(Ok(HelpReport { help }))
}
