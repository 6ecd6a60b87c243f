//! `create --plan`: what a create would make and do, without asking or touching anything.

use agent_workspace_contract::{PlanReport, PlannedStep};

use super::check_secrets;
use super::credentials::SetupGit;
use super::{CloneRequest, Request};
use crate::backend::survey::Kind;
use crate::command::{App, tunnel};
use crate::error::Result;
use crate::phase::{Phase, Phases};
use crate::workspace::{GitRef, RepoSpec};

/// Makes the plan of a request, with every check that `create` makes before its first call.
///
/// # Errors
/// Those of the request, and `unsupported` or `invalid_secrets` for what must not be mounted.
pub async fn run(app: &App, request: Request) -> Result<PlanReport> {
    check_secrets(app, &request.spec)?;
    let mut plan = app.backend.plan(&request.spec);
    plan.steps = steps(&request, &app.phases, app.backend.unit());
    plan.timeout_ms = app.phases.timeout().and_then(|timeout| u64::try_from(timeout.as_millis()).ok());
    Ok(PlanReport {
        workspace: request.spec.name.clone(),
        repo: request.repo.as_ref().map(RepoSpec::slug),
        path: request.spec.path.clone(),
        image: app.backend.image(&request.spec),
        isolation: app.backend.walls(&request.spec),
        backend: app.backend.name().to_owned(),
        plan,
    })
}

/// Every step in its order, also those that happen only when something is missing.
fn steps(request: &Request, phases: &Phases, unit: Kind) -> Vec<PlannedStep> {
    let Request {
        name: _,
        name_is_made: _,
        fail_if_exists,
        keep_on_failure: _,
        spec,
        clone,
        repo: _,
        setup_git,
        codex_profile,
        tunnel,
    } = request;
    let limited = |phase: Phase, does: String| {
        let limit_ms = u64::try_from(phases.limit(phase).as_millis()).ok();
        PlannedStep { phase: phase.name().to_owned(), does, limit_ms }
    };
    let image = spec.image.as_str();
    let mut steps = Vec::new();
    let is_container = unit == Kind::Container;
    if spec.fetch && is_container {
        let build = if spec.default_image { ", or build it" } else { "" };
        steps.push(limited(Phase::Image, format!("if the engine does not have {image}: pull it{build}")));
    }
    let exists = if *fail_if_exists { "fail if it exists" } else { "come back to it if it exists" };
    let made = if is_container { "the container" } else { "the folder" };
    let with = if is_container { " and its volumes" } else { "" };
    steps.push(limited(Phase::Create, format!("make {made} {}{with}; {exists}", spec.name)));
    steps.push(limited(Phase::Start, "start it".to_owned()));
    if is_container {
        steps.push(limited(
            Phase::Prepare,
            "if the image is not made for workspaces, or a user was asked for: give its user the folders".to_owned(),
        ));
    }
    steps.extend(clone.as_ref().map(|clone| limited(Phase::Clone, clone_sentence(clone, &spec.path))));
    steps.extend(setup_git.as_ref().map(|SetupGit { host, .. }| {
        limited(Phase::Credentials, format!("keep the token for {host} inside, for its user alone"))
    }));
    steps.extend(
        codex_profile
            .as_ref()
            .map(|profile| limited(Phase::Profile, format!("apply the profile {} of the secrets", profile.as_str()))),
    );
    steps.extend(tunnel.map(|mode| match mode {
        tunnel::Mode::Detached => limited(Phase::Tunnel, "open a VS Code tunnel in the background".to_owned()),
        tunnel::Mode::Foreground { .. } => PlannedStep {
            phase: Phase::Tunnel.name().to_owned(),
            does: "open a VS Code tunnel in front of you".to_owned(),
            limit_ms: None,
        },
    }));
    steps
}

fn clone_sentence(clone: &CloneRequest, path: &str) -> String {
    let CloneRequest { repo, git_ref, submodules, token, token_elsewhere: _ } = clone;
    let at = git_ref.as_ref().map(GitRef::as_str).map(|git_ref| format!(" at {git_ref}")).unwrap_or_default();
    let submodules = if *submodules { " with its submodules" } else { "" };
    let token = if token.is_some() { "with the token" } else { "without a token" };
    format!("clone {}{at}{submodules} into {path}, {token}", repo.url())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Verb};
    use crate::host::Host;

    fn planned(args: &[&str]) -> Vec<PlannedStep> {
        let words = ["agent-workspace", "create", "--plan"].into_iter().chain(args.iter().copied());
        let Some(Verb::Create(args)) = Cli::try_parse_from(words).unwrap().command else { panic!("not create") };
        assert!(args.plan_only());
        let host = Host::fixed(&[], [("GH_TOKEN", "canary")]);
        steps(&args.resolve(&host, true).unwrap(), &Phases::default(), Kind::Container)
    }

    fn phases(steps: &[PlannedStep]) -> Vec<&str> {
        steps.iter().map(|step| step.phase.as_str()).collect()
    }

    #[test]
    fn steps_stand_in_the_order_they_are_done() {
        let steps = planned(&["o/r", "--name", "x", "--ref", "v1", "--setup-git", "--tunnel-detach"]);
        assert_eq!(phases(&steps), ["image", "create", "start", "prepare", "clone", "credentials", "tunnel"]);
        assert_eq!(steps[4].does, "clone https://github.com/o/r.git at v1 into /work/o/r, with the token");
        assert!(!format!("{steps:?}").contains("canary"));
    }

    #[test]
    fn what_is_left_out_is_not_planned() {
        let steps = planned(&["--no-clone", "--name", "x", "--no-pull", "--isolation", "strict"]);
        assert_eq!(phases(&steps), ["create", "start", "prepare"]);
    }
}
