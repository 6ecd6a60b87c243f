//! Which command a line of the command line is: one line a command.

use std::time::Duration;

use agent_workspace_contract::{Exit, VersionReport};

use crate::cli::{self, AgentVerb, ConfigVerb, ImageVerb, Verb, VmHostVerb, VmVerb, WorkspaceGrantsVerb};
use crate::command::{self, App};
use crate::conduct::{at, doctor, engine, everywhere, fleet, named, names_at_once, runtime};
use crate::error::{Error, Result, usage};
use crate::host::Host;
use crate::output::Output;
use crate::{backend, help, store};

/// One line a command.
pub(crate) fn run(host: &Host, output: &mut Output, verb: Verb, timeout: Option<Duration>) -> Exit {
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
