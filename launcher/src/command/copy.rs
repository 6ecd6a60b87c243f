//! `copy`: makes a workspace like another one, with all of its work, on any backend.

mod like;

use std::sync::Arc;

use agent_workspace_contract::{CopyReport, ErrorCode, WorkspaceStatus};

use self::like::{Like, like};
use super::create::{self, Made, SetupGit};
use crate::backend::{self, Backend, DOCKER, Purpose, VM, WORK, Workspace, in_the_words_of};
use crate::command::{App, not_found, prefix};
use crate::error::{Error, Result, usage};
use crate::guest::{copy, finished};
use crate::host::{self, Host};
use crate::machine::Secret;
use crate::output::warning;
use crate::phase::Phase;
use crate::workspace::{ImageRef, MachineName, WorkspaceName};

/// Flags of `copy`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Name of the workspace to copy, as given to create or as listed
    #[arg(value_name = "NAME")]
    source: String,
    /// Name of the new workspace
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Where the new workspace lives: docker, host or vm; by default where its source does
    #[arg(long, value_name = "BACKEND")]
    backend: Option<String>,
    /// The VM it is to be on; says --backend vm too
    #[arg(long, value_name = "VM")]
    vm: Option<String>,
    /// Where its source lives: docker, host or vm
    #[arg(long, value_name = "BACKEND")]
    source_backend: Option<String>,
    /// Keep the token in the new workspace, for git on the repository's host
    #[arg(long, help_heading = "Credentials")]
    setup_git: bool,
    /// Read the token from stdin, and not from GH_TOKEN or GITHUB_TOKEN
    #[arg(long, help_heading = "Credentials")]
    token_stdin: bool,
}

/// A copy that is valid as far as it can be known without asking anybody.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The names that its source may have.
    pub source: WorkspaceName,
    /// Where that lives.
    pub source_backend: &'static str,
    /// What the new workspace is to be called.
    pub name: WorkspaceName,
    /// Where the new workspace is to live.
    pub backend: &'static str,
    /// The VM that it is to be on, where one was named.
    pub vm: Option<String>,
    /// The VM that the configuration has for those that name none.
    pub default_vm: Option<String>,
    /// The image of a container whose source is none.
    pub image: Option<ImageRef>,
    /// The token that is kept in the new workspace, and the host of repositories that do not name theirs.
    pub setup_git: Option<(Secret, String)>,
}

impl Args {
    /// The backend that is named for the new workspace, if one is.
    pub fn backend(&self) -> Option<String> {
        self.backend.clone().or_else(|| self.vm.as_ref().map(|_| VM.to_owned()))
    }

    /// Checks everything that nobody has to be asked for. The new workspace is where the flags say, else where the
    /// environment does, else beside its source.
    ///
    /// # Errors
    /// `invalid_name`, `input_required`, `usage`, `unsupported`, `git_auth_missing`, `invalid_environment`, `config_invalid`.
    pub fn resolve(self, host: &Host) -> Result<Request> {
        let typed = self.backend();
        let Self { source, name, backend, vm, source_backend, setup_git, token_stdin } = self;
        let vm = vm.map(|vm| MachineName::parse(&vm)).transpose()?;
        if vm.is_some() {
            create::on_vm(backend.as_deref())?;
        }
        let asked = backend::asked(typed.as_deref(), host)?;
        let source = WorkspaceName::parse(&source, &prefix(host)?)?;
        let from = backend::locate(source_backend.as_deref(), host, &source)?.backend;
        let to = asked.unwrap_or(from);
        let name = name.ok_or_else(|| {
            Error::new(ErrorCode::InputRequired, "copy needs a name for the new workspace")
                .hint("agent-workspace copy NAME --name NEW")
                .detail("flag", "--name")
        })?;
        let name = WorkspaceName::parse(&name, &prefix(host)?)?;
        backend::check_free(Some(to), host, &name)?;
        let setup_git = match (setup_git, token_stdin) {
            (true, from_stdin) => {
                let default_host = create::default_host(None, host)?.as_str().to_owned();
                let token = if from_stdin {
                    Some(create::piped_token(host, "copy NAME --name NEW --setup-git")?)
                } else {
                    create::token(host)?
                };
                let SetupGit { token, .. } = SetupGit::new(&default_host, token, false)?;
                Some((token, default_host))
            }
            (false, true) => {
                return Err(
                    usage("--token-stdin is for --setup-git").hint("add --setup-git, or leave --token-stdin out")
                );
            }
            (false, false) => None,
        };
        Ok(Request {
            source,
            source_backend: from,
            name,
            backend: to,
            vm: vm.map(|vm| vm.as_str().to_owned()),
            default_vm: if to == VM { host.config()?.defaults().vm } else { None },
            image: if to == DOCKER { create::resolve_image(None, host)? } else { None },
            setup_git,
        })
    }
}

/// Makes the new workspace, brings the work over, and proves that it came.
///
/// # Errors
/// What either backend and the guest say; `workspace_not_found`, `wrong_state` for a source that is not finished,
/// `workspace_exists`.
pub async fn run(app: &App, from: Arc<dyn Backend>, request: Request) -> Result<CopyReport> {
    let Request { source, source_backend, name, backend: _, vm, default_vm, image, setup_git } = request;
    // What a hint says of the source is not to be looked for where the copy is to be.
    let of_source = |error: Error| error.with_hint(|hint| in_the_words_of(Some(source_backend), hint));
    let source = app.phases.run(Phase::Create, find(&*from, &source)).await.map_err(of_source)?;
    app.phases.run(Phase::Create, check_free(app, &name)).await?;

    let Like { mut spec, not_copied } = like(&source, source_backend, app.backend.name(), &name, image)?;
    spec.create_id = host::fresh_id()?;
    (spec.vm, spec.default_vm) = (vm, default_vm);
    for what in not_copied {
        app.progress.warn(warning("not_copied", what));
    }
    create::warn_of_cut(app, &spec.name);
    app.progress.step("create_started", &format!("creating workspace {}", spec.name));
    create::register_undo(app, &spec, false, Made::Unknown);
    let created = app.backend.create(&spec, &app.progress, &app.phases).await?;
    if !created.new {
        // It is another call's, and so is what carries that call's mark.
        app.undo.keep_everything();
        return Err(exists(&created.workspace.name));
    }
    let workspace = created.workspace;
    create::register_undo(app, &spec, false, Made::ByUs);

    app.progress.step("copy_started", &format!("copying the work of {}", source.name));
    let machine = app.backend.machine(&workspace);
    let copied = app.phases.run(Phase::Copy, async {
        if source.status == WorkspaceStatus::Running {
            return copy::run(&*from.machine(&source), &*machine).await;
        }
        let view = app.view_of(&from, &source, Purpose::Rescue).await?;
        if from.again(&source).await?.is_none() {
            // Removed before the view had its volumes, which engines make anew for it, empty.
            return Err(removed(&source.name));
        }
        let copied = copy::run(&*view.machine, &*machine).await?;
        view.close().await?;
        Ok(copied)
    });
    let copied = copied.await.map_err(|error| error.detail("source", source.name.clone()))?;
    if copied.changed {
        app.progress.warn(warning(
            "changed_while_copied",
            format!("files of {} changed while they were copied, and the copy may have them half", source.name),
        ));
    }
    let git = setup_git.map(|(token, default_host)| {
        let host = spec.repo_host.clone().unwrap_or_else(|| default_host.clone());
        let token_elsewhere = host != default_host && host != "github.com";
        SetupGit { host, token, token_elsewhere }
    });
    create::keep_credentials(app, &workspace, true, git).await?;
    app.phases.run(Phase::Copy, finished::set(&*machine, &spec.create_id)).await?;

    // From here on it is the user's, who only has to hear of it.
    app.undo.keep_workspace(&workspace.name);
    let (backend, id) = (Arc::clone(&app.backend), spec.create_id.clone());
    app.undo.when_undelivered(move || async move { backend.discard(&id).await });
    Ok(CopyReport {
        transport: app.transport(&workspace),
        path: workspace.places.locate(workspace.path.as_deref().unwrap_or(WORK)),
        source: source.name,
        source_backend: source_backend.to_owned(),
        backend: app.backend.name().to_owned(),
        created: true,
        repo: workspace.repo,
        image: workspace.image.unwrap_or_else(|| app.backend.image(&spec)),
        isolation: workspace.isolation,
        status: workspace.status,
        files: copied.files,
        bytes: copied.bytes,
        timings_ms: app.phases.timings_ms(),
        workspace: workspace.name,
    })
}

/// The source, when it is one that can be copied.
async fn find(from: &dyn Backend, name: &WorkspaceName) -> Result<Workspace> {
    let source = from.find(name).await?.ok_or_else(|| not_found(name))?;
    if matches!(source.status, WorkspaceStatus::Creating | WorkspaceStatus::Unknown) {
        let status = source.status.as_str();
        return Err(Error::new(ErrorCode::WrongState, format!("workspace {} is {status}", source.name))
            .detail("workspace", source.name.clone())
            .hint(format!("agent-workspace start {}", source.name)));
    }
    Ok(source)
}

/// Checks that nothing is there by the new workspace's name, nor what one of that name has left.
async fn check_free(app: &App, name: &WorkspaceName) -> Result<()> {
    if let Some(there) = app.backend.find(name).await? {
        return Err(exists(&there.name));
    }
    if let Some(left) = app.backend.leftovers(name).await?.into_iter().next() {
        let canonical = name.canonical();
        return Err(Error::new(
            ErrorCode::WorkspaceExists,
            format!("a workspace {canonical} that was removed has left its files"),
        )
        .cause(format!("{left} is still there"))
        .detail("workspace", canonical)
        .hint(format!("choose another --name, or remove them: agent-workspace rm {canonical}")));
    }
    Ok(())
}

fn removed(name: &str) -> Error {
    Error::new(ErrorCode::ContainerVanished, format!("workspace {name} was removed before it could be copied"))
        .hint("see what there is: agent-workspace ls")
}

fn exists(name: &str) -> Error {
    Error::new(ErrorCode::WorkspaceExists, format!("workspace {name} exists"))
        .detail("workspace", name)
        .hint("choose another --name")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Verb};
    use crate::config::Config;

    fn resolve(line: &str, host: &Host) -> Result<Request> {
        let words = ["agent-workspace", "copy"].into_iter().chain(line.split(' '));
        let Some(Verb::Copy(args)) = Cli::try_parse_from(words).unwrap().command else { panic!("not copy") };
        args.resolve(host)
    }

    #[test]
    fn a_copy_is_where_the_flags_say_or_the_environment_or_beside_its_source() {
        let set = Host::fixed(&[], [("AGENT_WORKSPACE_BACKEND", "host")]);
        let unset = Host::fixed(&[], []);
        for (line, host, from, to) in [
            ("a --name b", &unset, DOCKER, DOCKER),
            ("a --name b --source-backend host", &unset, backend::HOST, backend::HOST),
            ("a --name b --vm dev", &unset, DOCKER, VM),
            ("a --name b --backend docker", &set, backend::HOST, DOCKER),
            ("a --name b --source-backend docker", &set, DOCKER, backend::HOST),
        ] {
            let request = resolve(line, host).unwrap();
            assert_eq!((request.source_backend, request.backend), (from, to), "{line}");
        }
    }

    #[test]
    fn the_configuration_is_asked_for_what_the_copy_needs_of_it_alone() {
        let text = "[defaults]\nvm = \"dev\"\nimage = \"mine:1\"\n";
        let host = Host::fixed(&[], []).configured(Ok(Config::from_text(text)));
        let on_vm = resolve("a --name b --backend vm", &host).unwrap();
        assert_eq!((on_vm.vm, on_vm.default_vm.as_deref(), on_vm.image), (None, Some("dev"), None));
        let container = resolve("a --name b --backend docker", &host).unwrap();
        assert_eq!(
            (container.default_vm, container.image.map(|image| image.as_str().to_owned())),
            (None, Some("mine:1".to_owned()))
        );
        let broken = Host::fixed(&[], []).configured(Err(Error::new(ErrorCode::ConfigInvalid, "broken")));
        assert_eq!(resolve("a --name b --backend docker", &broken).unwrap_err().code(), ErrorCode::ConfigInvalid);
        assert!(resolve("a --name b --backend host", &broken).is_ok());
    }
}
