//! `create` (also `up`): makes a workspace with a clone in it, or comes back to the one that is there.

pub(in crate::command) mod args;
pub(in crate::command) mod credentials;
pub mod plan;
pub mod secrets;

use std::path::Path;
use std::sync::Arc;

use agent_workspace_contract::{CreateReport, ErrorCode, Isolation as Walls, TunnelReport, WorkspaceStatus};

pub use self::args::{Args, CloneRequest, IfExists, Request};
pub(in crate::command) use self::args::{
    clone_path, default_host, on_vm, piped_token, read_repo, resolve_image, token,
};
pub use self::credentials::SetupGit;
pub(in crate::command) use self::credentials::keep as keep_credentials;
use super::code_workspace::File;
use super::tunnel;
use crate::backend::{RecordedSpec, Spec, WORK, Workspace};
use crate::command::App;
use crate::error::{Error, Result};
use crate::guest::clone::{self, Clone};
use crate::guest::{finished, joined, unsaved_work};
use crate::host;
use crate::output::warning;
use crate::phase::Phase;
use crate::undo::Outcome;
use crate::workspace::{Isolation, Prefix, RepoSpec, TunnelName, WorkspaceName, name};

/// How often a name made of the time is made anew when another create was faster.
const NAME_TRIES: i64 = 60;

/// For how many seconds a workspace may still be the work of the create that makes it.
const WORK_IN_PROGRESS: i64 = 3600;

/// Makes the workspace, or comes back to it; clones; opens the tunnel.
///
/// # Errors
/// What the backend and the guest say; `workspace_exists`, `spec_conflict`; `partial` when only the tunnel failed.
pub async fn run(app: &App, request: Request) -> Result<CreateReport> {
    let Request {
        name,
        name_is_made,
        fail_if_exists,
        keep_on_failure,
        mut spec,
        clone,
        repo,
        setup_git,
        codex_profile,
        tunnel,
    } = request;
    spec.create_id = host::fresh_id()?;
    check_secrets(app, &spec)?;
    if let Some(legacy) = name.legacy() {
        // Only a name that an earlier launcher would have spelled otherwise needs a look before the create.
        if let Some(existing) = app.phases.run(Phase::Create, app.backend.find(&name)).await?
            && existing.name == legacy
        {
            legacy.clone_into(&mut spec.name);
        }
    }
    warn_of_cut(app, &spec.name);

    app.progress.step("create_started", &format!("creating workspace {}", spec.name));
    register_undo(app, &spec, keep_on_failure, Made::Unknown);
    let mut created = app.backend.create(&spec, &app.progress, &app.phases).await?;
    let mut tries = 0;
    while name_is_made && !created.new {
        // Another create of this repository in this second has the name; the next second's is as good.
        tries += 1;
        if tries > NAME_TRIES {
            return Err(Error::new(ErrorCode::WorkspaceExists, "no free name was found for the workspace")
                .hint("give one: --name NAME"));
        }
        spec.name = next_name(repo.as_ref(), tries, &app.prefix)?;
        register_undo(app, &spec, keep_on_failure, Made::Unknown);
        created = app.backend.create(&spec, &app.progress, &app.phases).await?;
    }
    let mut workspace = created.workspace;
    if !created.new {
        // It is another call's, and so is what carries that call's mark.
        app.undo.keep_everything();
        if fail_if_exists {
            return Err(Error::new(ErrorCode::WorkspaceExists, format!("workspace {} exists", workspace.name))
                .detail("workspace", workspace.name.clone())
                .hint("leave --if-exists out to come back to it, or choose another --name"));
        }
        credentials::check_profile(&workspace, codex_profile.as_ref())?;
        return_to(app, &workspace, &spec).await?;
        workspace.status = WorkspaceStatus::Running;
        workspace.problems.clear();
    } else {
        register_undo(app, &spec, keep_on_failure, Made::ByUs);
        secrets::look(app, &workspace).await?;
    }

    let cloned = clone.is_some();
    let mut path = workspace.path.clone().unwrap_or_else(|| WORK.to_owned());
    if let Some(clone) = clone {
        path = workspace.places.locate(&spec.path);
        clone_into(app, &workspace, &spec, clone).await?;
    }
    credentials::keep(app, &workspace, created.new, setup_git).await?;
    let codex_profile = credentials::apply_profile(app, &workspace, codex_profile).await?;
    workspace.path = Some(path.clone());
    let code_file = File::of(app, &workspace);
    // From here on it is the user's, who only has to hear of it.
    app.undo.keep_workspace(&workspace.name);
    if created.new {
        let (backend, id) = (Arc::clone(&app.backend), spec.create_id.clone());
        let file = code_file.clone();
        app.undo.when_undelivered(move || async move {
            // What is left of it is no reason to leave more.
            let _ = file.as_ref().map(File::take_quietly);
            backend.discard(&id).await
        });
    }
    let code_workspace = code_file.map(|file| file.put(app));
    let tunnel = match tunnel {
        Some(mode) => Some(open_tunnel(app, &workspace, mode, created.new).await?),
        None => None,
    };
    Ok(CreateReport {
        transport: app.transport(&workspace),
        workspace: workspace.name,
        created: created.new,
        // What was asked for is there when it was cloned or just made; else what the workspace was made with.
        repo: if cloned || created.new { repo.map(|repo| repo.slug()) } else { None }.or(workspace.repo),
        path,
        image: workspace.image.unwrap_or_else(|| app.backend.image(&spec)),
        isolation: workspace.isolation,
        secrets: secrets::report(workspace.secrets.as_ref(), codex_profile),
        backend: app.backend.name().to_owned(),
        status: workspace.status,
        tunnel,
        code_workspace,
        timings_ms: app.phases.timings_ms(),
    })
}

/// Says that the hostname of a workspace is not its whole name.
pub(in crate::command) fn warn_of_cut(app: &App, name: &str) {
    let (_, cut) = name::hostname(name);
    if cut {
        app.progress.warn(warning(
            "hostname_cut",
            "the name is longer than a hostname may be; the hostname is cut in its middle",
        ));
    }
}

/// Checks that secrets may be mounted, before anything is asked.
fn check_secrets(app: &App, spec: &Spec) -> Result<()> {
    spec.secrets.as_ref().map_or(Ok(()), |secrets| app.backend.check_shared(Path::new(&secrets.dir)))
}

/// Whether the workspace is known to be of this call's making.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::command) enum Made {
    /// Another call may have its name.
    Unknown,
    /// The engine has said so.
    ByUs,
}

/// Registers how to take back what a create makes, or, when it is to be kept for a look, how to say what is there. What
/// was registered before is part of it. Nobody is told to remove by force what may be somebody else's.
pub(in crate::command) fn register_undo(app: &App, spec: &Spec, keep: bool, made: Made) {
    app.undo.keep_everything();
    let (backend, id) = (Arc::clone(&app.backend), spec.create_id.clone());
    let what = format!("what was made for workspace {}", spec.name);
    if keep {
        app.undo.register(what, move || async move {
            Ok(backend.made_by(&id).await?.map_or(Outcome::Nothing, Outcome::Kept))
        });
        return;
    }
    let discard = move || async move { backend.discard(&id).await };
    match made {
        Made::Unknown => app.undo.register(what, discard),
        // Not by force: its volumes may have been there before, with work in them.
        Made::ByUs => app.undo.register_removable(what, format!("agent-workspace rm {}", spec.name), discard),
    }
}

fn next_name(repo: Option<&RepoSpec>, tries: i64, prefix: &Prefix) -> Result<String> {
    let time = host::now().checked_add(jiff::SignedDuration::from_secs(tries));
    let time = time.map_err(|error| Error::new(ErrorCode::Internal, "no time can be told").cause(error.to_string()))?;
    let (owner, repo) = repo.map_or(("", ""), |repo| (repo.owner(), repo.repo()));
    WorkspaceName::for_repo(owner, repo, time, prefix).map(|name| name.canonical().to_owned())
}

/// Makes an existing workspace running, after checking that it is the one that was meant.
async fn return_to(app: &App, workspace: &Workspace, spec: &Spec) -> Result<()> {
    let recorded_host = workspace.recorded.as_ref().and_then(|recorded| recorded.repo_host.as_deref());
    let other_host =
        matches!((recorded_host, spec.repo_host.as_deref()), (Some(there), Some(wanted)) if there != wanted);
    if let (Some(there), Some(wanted)) = (&workspace.repo, &spec.repo)
        && (other_host || !there.eq_ignore_ascii_case(wanted))
    {
        let named =
            |host: Option<&str>, repo: &str| host.map_or_else(|| repo.to_owned(), |host| format!("{host}/{repo}"));
        let (there, wanted) = (named(recorded_host, there), named(spec.repo_host.as_deref(), wanted));
        return Err(Error::new(
            ErrorCode::SpecConflict,
            format!("workspace {} exists and is for {there}, not {wanted}", workspace.name),
        )
        .detail("workspace", workspace.name.clone())
        .detail("repo", there)
        .hint("choose another --name"));
    }
    app.progress.note(&format!("workspace {} exists; coming back to it", workspace.name));
    for difference in differences(workspace, spec) {
        app.progress.warn(warning("spec_differs", difference));
    }
    if workspace.status != WorkspaceStatus::Running {
        app.phases.run(Phase::Start, app.backend.start(workspace)).await?;
    }
    if app.needs_preparing(workspace) {
        app.phases.run(Phase::Prepare, app.prepare(workspace)).await?;
    }
    // Who comes back and leaves out the clone that was cut off is content with it as it is.
    let cut_short = !spec.clones && workspace.recorded.as_ref().is_some_and(|recorded| recorded.clones);
    if cut_short || host::now().as_second() - made_at(workspace) < WORK_IN_PROGRESS {
        let machine = app.backend.machine(workspace);
        let (backend, id, maker) = (Arc::clone(&app.backend), spec.create_id.clone(), workspace.create_id.clone());
        let left = Arc::clone(&machine);
        // Before the mark is made: it may be made and the answer lost.
        app.undo.register(format!("workspace {}, when nobody else has it", workspace.name), move || async move {
            match (joined::leave(&*left, &id).await?, maker) {
                (true, Some(maker)) => backend.discard(&maker).await,
                _ => Ok(Outcome::Nothing),
            }
        });
        if !app.phases.run(Phase::Start, joined::join(&*machine, &spec.create_id)).await? {
            // It is its maker's to take back, and nobody else's: somebody may be at work where it could not.
            app.undo.keep_everything();
            let ours = "the create that made the workspace failed and takes it back";
            return Err(Error::new(ErrorCode::ContainerVanished, ours)
                .detail("workspace", workspace.name.clone())
                .hint("try again in a moment"));
        }
        if let Some(maker) = workspace.create_id.as_deref().filter(|_| cut_short) {
            app.phases.run(Phase::Start, finished::set(&*machine, maker)).await?;
        }
    }
    Ok(())
}

/// When a workspace was made, in seconds since 1970; now, when that is not known.
fn made_at(workspace: &Workspace) -> i64 {
    let time = workspace.created_at.as_ref().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    time.unwrap_or_else(host::now).as_second()
}

/// What was asked for and is not so, as sentences. Mounts and environment of a container cannot be changed.
fn differences(workspace: &Workspace, spec: &Spec) -> Vec<String> {
    let wanted = RecordedSpec::from(spec);
    let there = workspace.recorded.clone().unwrap_or_else(|| RecordedSpec {
        image: workspace.image.clone().unwrap_or_default(),
        ..RecordedSpec::default()
    });
    let name = &workspace.name;
    let mut found = Vec::new();
    let mut compare = |what: &str, wanted: Option<String>, there: Option<String>| {
        if let Some(wanted) = wanted
            && Some(&wanted) != there.as_ref()
        {
            let made = there.map_or_else(|| "without".to_owned(), |there| format!("with {there}"));
            found.push(format!("{what} {wanted} was asked for; {name} was made {made} and keeps it so"));
        }
    };
    // As they are typed: CPUs with their fraction, memory in bytes.
    #[expect(clippy::cast_precision_loss, reason = "for people, and far from where it would show")]
    let cpus = |nano: Option<i64>| nano.map(|nano| (nano as f64 / 1e9).to_string());
    let bytes = |bytes: Option<i64>| bytes.map(|bytes| format!("{bytes} bytes"));
    // The default image is what nobody asked for.
    compare("image", Some(wanted.image).filter(|_| !spec.default_image), Some(there.image));
    compare("user", wanted.user, there.user);
    compare("--cpus", cpus(wanted.nano_cpus), cpus(there.nano_cpus));
    compare("--memory", bytes(wanted.memory), bytes(there.memory));
    compare("network", wanted.network, there.network);
    // What is really there, which an engine may have made lower than it was recorded.
    let is_met = spec.default_isolation || is_met(spec.isolation, workspace.isolation);
    let wanted_isolation = (!is_met).then(|| spec.isolation.as_str().to_owned());
    compare("isolation", wanted_isolation, Some(workspace.isolation.as_str().to_owned()));
    if let (Some(wanted), None) = (&spec.repo, &workspace.repo) {
        found.push(format!("repository {wanted} was asked for; {name} was made without one, and lists none"));
    }
    for variable in wanted.env {
        if !there.env.contains(&variable) {
            found.push(format!("variable {variable} was asked for; {name} was made without it"));
        }
    }
    for (key, value) in wanted.labels {
        if there.labels.get(&key) != Some(&value) {
            found.push(format!("label {key}={value} was asked for; {name} was made without it"));
        }
    }
    let typed = wanted.code_workspace.filter(|_| !spec.default_code_workspace);
    if let Some(folder) = typed.filter(|folder| there.code_workspace.as_ref() != Some(folder)) {
        found.push(format!("a file for VS Code in {folder} was asked for; {name} was made without it"));
    }
    found.extend(secrets::differences(workspace, spec));
    found
}

/// Whether walls are those that were asked for.
fn is_met(wanted: Isolation, there: Walls) -> bool {
    match wanted {
        // On a VM there is one way to be apart, and everything but walls is met by it.
        Isolation::Standard => matches!(there, Walls::Standard | Walls::Process | Walls::User),
        Isolation::Require => matches!(there, Walls::Standard | Walls::Process),
        Isolation::Strict => there == Walls::Strict,
        Isolation::None => matches!(there, Walls::None | Walls::User),
    }
}

async fn clone_into(app: &App, workspace: &Workspace, spec: &Spec, request: CloneRequest) -> Result<()> {
    if unsaved_work::is_elsewhere(&spec.path) {
        app.progress.warn(warning(
            "path_not_persistent",
            format!("{} is on no volume: the clone goes with the container", spec.path),
        ));
    }
    let machine = app.backend.machine(workspace);
    let CloneRequest { repo, git_ref, submodules, token, token_elsewhere } = request;
    if token_elsewhere {
        app.progress.warn(warning(
            "token_elsewhere",
            format!("the token is for {} if it asks; say --host or GITHUB_HOST if that is meant", repo.host()),
        ));
    }
    let finished = workspace.create_id.clone().filter(|_| workspace.made_by_us);
    let id = spec.create_id.clone();
    let dest = workspace.places.locate(&spec.path);
    let clone = Clone { repo, dest, git_ref, submodules, token, id, finished };
    // In a workspace or on volumes that were there, only our half clone goes.
    let (to_abort, dest, id) = (Arc::clone(&machine), clone.dest.clone(), clone.id.clone());
    app.undo.register(format!("a half clone in {}", workspace.name), move || async move {
        clone::abort(&*to_abort, &dest, &id).await
    });
    let cloned = app
        .phases
        .run(Phase::Clone, clone::run(&*machine, &clone, &app.progress))
        .await
        .map_err(|error| error.detail("workspace", workspace.name.clone()))?;
    if !cloned {
        app.progress.note(&format!("{} is there already and is kept", clone.dest));
    }
    Ok(())
}

/// Opens the tunnel that was asked for with the workspace. Its failure takes nothing back: the workspace is good.
async fn open_tunnel(app: &App, workspace: &Workspace, mode: tunnel::Mode, created: bool) -> Result<TunnelReport> {
    let name = TunnelName::for_workspace(&workspace.name, &app.prefix);
    let opening = tunnel::open(app, workspace, &name, mode);
    let opened = match mode {
        tunnel::Mode::Detached => app.phases.run(Phase::Tunnel, opening).await,
        // One in front of a person runs for as long as it is wanted.
        tunnel::Mode::Foreground { .. } => app.phases.run_unlimited(Phase::Tunnel, opening).await,
    };
    opened.map_err(|error| {
        let partial = Error::new(
            ErrorCode::Partial,
            format!("workspace {} is there, but its tunnel is not: {error}", workspace.name),
        )
        .detail("workspace", workspace.name.clone())
        .detail("created", created)
        .detail(
            "failed",
            serde_json::json!([{ "step": "tunnel", "code": error.code().as_str(), "message": error.message() }]),
        )
        .hint(format!("try again: agent-workspace tunnel {} --detach", workspace.name));
        error.causes().iter().fold(partial, |partial, cause| partial.cause(cause.clone()))
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::backend::Secrets;
    use crate::cli::{Cli, Verb};
    use crate::host::Host;

    #[test]
    fn walls_are_those_that_were_asked_for_or_a_difference() {
        use Isolation::{None, Require, Standard, Strict};
        for (wanted, met) in [
            (Standard, &[Walls::Standard, Walls::Process, Walls::User][..]),
            (Require, &[Walls::Standard, Walls::Process]),
            (Strict, &[Walls::Strict]),
            (None, &[Walls::None, Walls::User]),
        ] {
            let all = [
                Walls::Standard,
                Walls::Strict,
                Walls::EngineDefault,
                Walls::Process,
                Walls::User,
                Walls::None,
                Walls::Unknown,
            ];
            for there in all {
                assert_eq!(is_met(wanted, there), met.contains(&there), "{wanted:?} {there:?}");
            }
        }
    }

    #[test]
    fn every_difference_from_what_is_there_is_a_sentence() {
        let flags = ["--name", "x", "--image", "a:1", "--memory", "1g", "--label", "k=v"];
        let words = ["agent-workspace", "create", "o/r"].into_iter().chain(flags);
        let Some(Verb::Create(args)) = Cli::try_parse_from(words).unwrap().command else { panic!("not create") };
        let wanted = args.resolve(&Host::fixed(&[], []), false).unwrap().spec;
        let workspace = Workspace {
            id: "1".to_owned(),
            name: "agent-ws-x".to_owned(),
            status: WorkspaceStatus::Running,
            repo: None,
            path: None,
            image: Some("b:1".to_owned()),
            created_at: None,
            user: "agent".to_owned(),
            ready_made: true,
            marked: true,
            unlabelled: false,
            create_id: None,
            made_by_us: true,
            volumes: Vec::new(),
            mounts: Vec::new(),
            image_id: None,
            recorded: None,
            isolation: Walls::Unknown,
            secrets: None,
            places: crate::machine::Places::default(),
            problems: Vec::new(),
        };
        let found = differences(&workspace, &wanted);
        assert_eq!(found.len(), 4, "{found:?}");
        let recorded = Some(RecordedSpec::from(&wanted));
        let recorded = Workspace { recorded, repo: Some("o/r".to_owned()), ..workspace };
        assert!(differences(&recorded, &wanted).is_empty());

        let some = |dir: &str| Some(Secrets { dir: dir.to_owned(), mount: "/s".to_owned(), readonly: false });
        let (wanted_a, made_b) =
            (Spec { secrets: some("/a"), ..wanted.clone() }, Workspace { secrets: some("/b"), ..recorded.clone() });
        assert!(differences(&recorded, &wanted_a)[0].contains("made without"));
        assert!(differences(&made_b, &wanted_a)[0].contains("made with secrets /b on /s"));
        assert!(differences(&made_b, &Spec { secrets: some("/b"), ..wanted.clone() }).is_empty());
        assert!(differences(&made_b, &wanted).is_empty());
        assert_eq!(differences(&made_b, &Spec { no_secrets: true, ..wanted }).len(), 1);
    }
}
