//! The flags of `create`, and the checks that need no engine.

use std::ffi::OsString;
use std::path::PathBuf;

use agent_workspace_contract::{EnvVar, ErrorCode};
use clap::{ValueEnum, ValueHint};

use super::credentials::SetupGit;
use super::secrets;
use crate::backend::{self, Spec, WORK};
use crate::command::{prefix, tunnel};
use crate::error::{Error, Result, usage};
use crate::host::{self, Host};
use crate::machine::Secret;
use crate::workspace::repo_spec::Host as GitHost;
use crate::workspace::{GitRef, ImageRef, Isolation, MachineName, Profile, RepoSpec, WorkspaceName, resources};

/// Bytes. Those of git hosts are well below a thousand.
const MAX_TOKEN: usize = 64 * 1024;

/// What to do when the workspace is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum IfExists {
    /// Come back to it
    #[default]
    Reuse,
    /// Fail with exit code 4
    Fail,
}

/// Flags of `create`.
#[derive(clap::Args, Debug, Default)]
pub struct Args {
    /// Repository: OWNER/REPO, https://HOST/OWNER/REPO or git@HOST:OWNER/REPO
    #[arg(value_name = "REPO")]
    repo: Option<String>,
    /// Name of the workspace; by default made from the repository and the time
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Do not clone; then --name is needed unless a repository gives the name
    #[arg(long)]
    no_clone: bool,
    /// What to do when the workspace exists
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    if_exists: IfExists,
    /// When it fails, keep what was made, for a look
    #[arg(long)]
    keep_on_failure: bool,
    /// Print what would be made and in which steps, and touch nothing
    #[arg(long)]
    plan: bool,
    /// Where workspaces live: docker, host or vm
    #[arg(long, value_name = "BACKEND")]
    backend: Option<String>,
    /// The VM it is to be on; says --backend vm too
    #[arg(long, value_name = "VM")]
    vm: Option<String>,
    /// Template of the configuration; by default the one named default
    #[arg(long, value_name = "TEMPLATE")]
    template: Option<String>,

    /// Branch, tag or commit to check out
    #[arg(long = "ref", value_name = "REF", allow_hyphen_values = true, help_heading = "Clone")]
    git_ref: Option<String>,
    /// Folder of the clone inside the workspace; by default /work/OWNER/REPO
    #[arg(long, value_name = "PATH", help_heading = "Clone")]
    dir: Option<String>,
    /// Git host of OWNER/REPO; by default GITHUB_HOST or github.com
    #[arg(long, value_name = "HOST", help_heading = "Clone")]
    host: Option<String>,
    /// Clone submodules too
    #[arg(long, help_heading = "Clone")]
    recurse_submodules: bool,

    /// Image of the workspace; by default the agent image
    #[arg(long, value_name = "IMAGE", help_heading = "Container")]
    image: Option<String>,
    /// Never pull or build an image
    #[arg(long, help_heading = "Container")]
    no_pull: bool,
    /// User that commands run as, a name or UID[:GID]
    #[arg(long, value_name = "USER", help_heading = "Container")]
    user: Option<String>,
    /// CPUs it may use, for example 1.5
    #[arg(long, value_name = "NUMBER", help_heading = "Container")]
    cpus: Option<String>,
    /// Memory it may use, for example 2g
    #[arg(long, value_name = "SIZE", help_heading = "Container")]
    memory: Option<String>,
    /// How high its walls are; by default standard
    #[arg(long, value_name = "HOW", value_enum, help_heading = "Container")]
    isolation: Option<Isolation>,
    /// The engine's network it is on
    #[arg(long, value_name = "NETWORK", help_heading = "Container")]
    network: Option<String>,
    /// File of NAME=VALUE lines for its environment
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Container")]
    env_file: Option<String>,
    /// Label on the container; may be given more than once
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Container")]
    label: Vec<String>,

    /// Write NAME.code-workspace into this folder here, by which VS Code opens a workspace on a VM over SSH
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    code_workspace: Option<PathBuf>,

    /// Open a VS Code tunnel in front of you afterwards
    #[arg(long, help_heading = "Tunnel")]
    tunnel: bool,
    /// Open a VS Code tunnel in the background afterwards
    #[arg(long, help_heading = "Tunnel")]
    tunnel_detach: bool,

    /// Read the token from stdin, and not from GH_TOKEN or GITHUB_TOKEN
    #[arg(long, help_heading = "Credentials")]
    token_stdin: bool,
    /// Keep the token in the workspace, for git on the repository's host or --host
    #[arg(long, help_heading = "Credentials")]
    setup_git: bool,
    /// Folder of secrets on this machine to share with the workspace
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Credentials")]
    secrets_dir: Option<OsString>,
    /// Where it is inside; by default DEFAULT_SECRETS_MOUNT or /home/agent/codex_secrets
    #[arg(long, value_name = "PATH", help_heading = "Credentials")]
    secrets_mount: Option<String>,
    /// Let the workspace read the secrets and not change them
    #[arg(long, help_heading = "Credentials")]
    secrets_readonly: bool,
    /// Mount no secrets, whatever else is said
    #[arg(long, help_heading = "Credentials")]
    no_secrets: bool,
    /// Profile of the secrets to apply, with the workspace's codex-use
    #[arg(long, value_name = "PROFILE", help_heading = "Credentials")]
    codex_profile: Option<String>,
}

/// A create that is valid as far as it can be known without the engine.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The names the workspace may have.
    pub name: WorkspaceName,
    /// Whether the name was made from the time, so that a taken one is changed and not joined.
    pub name_is_made: bool,
    /// Whether an existing workspace is a failure.
    pub fail_if_exists: bool,
    /// Whether what was made stays when the create fails.
    pub keep_on_failure: bool,
    /// What it is to be; its name and mark are filled in when it is made.
    pub spec: Spec,
    /// What is to be cloned.
    pub clone: Option<CloneRequest>,
    /// The repository, also when it is not cloned.
    pub repo: Option<RepoSpec>,
    /// Git credentials that are kept in it.
    pub setup_git: Option<SetupGit>,
    /// Profile of the secrets that is applied in it.
    pub codex_profile: Option<Profile>,
    /// Whether a tunnel is opened afterwards, and whether in the background.
    pub tunnel: Option<tunnel::Mode>,
}

/// What is to be cloned.
#[derive(Clone, Debug, PartialEq)]
pub struct CloneRequest {
    /// The repository.
    pub repo: RepoSpec,
    /// What is checked out.
    pub git_ref: Option<GitRef>,
    /// Whether submodules are cloned.
    pub submodules: bool,
    /// For git on the repository's host.
    pub token: Option<Secret>,
    /// Whether that host is another than the token is surely for.
    pub token_elsewhere: bool,
}

impl Args {
    /// Whether only the plan is wanted.
    pub fn plan_only(&self) -> bool {
        self.plan
    }

    /// The backend that is named, if one is.
    pub fn backend(&self) -> Option<String> {
        self.backend.clone().or_else(|| self.vm.as_ref().map(|_| backend::VM.to_owned()))
    }

    /// Checks everything that needs no engine, in the order that the first launcher fixed.
    ///
    /// # Errors
    /// `usage` and its kin for what was typed, `unsupported` for a backend that is not there.
    pub fn resolve(self, host: &Host, json: bool) -> Result<Request> {
        let Self {
            repo,
            name,
            no_clone,
            if_exists,
            keep_on_failure,
            // Who dispatches has asked.
            plan: _,
            backend,
            vm,
            template,
            code_workspace,
            git_ref,
            dir,
            host: git_host,
            recurse_submodules,
            image,
            no_pull,
            user,
            cpus,
            memory,
            isolation,
            network,
            env_file,
            label,
            tunnel,
            tunnel_detach,
            token_stdin,
            setup_git,
            secrets_dir,
            secrets_mount,
            secrets_readonly,
            no_secrets,
            codex_profile,
        } = self;
        let tunnel = tunnel::Mode::resolve(tunnel, tunnel_detach, json, host)?;
        let place = (secrets_mount.is_some(), secrets_readonly);
        check_secrets(secrets_dir.is_some(), place, no_secrets, codex_profile.is_some())?;
        let codex_profile = codex_profile.map(|profile| Profile::parse(&profile)).transpose()?;
        let (repo, git_ref) = from_template(repo, git_ref, template.as_deref(), no_clone, host)?;
        if repo.is_none() && !no_clone {
            return Err(usage("create needs a repository, or --no-clone")
                .hint("agent-workspace create OWNER/REPO, or: agent-workspace create --no-clone --name NAME"));
        }
        let flag = git_host.as_deref();
        let default_host = default_host(flag, host)?;
        let repo = repo.map(|repo| read_repo(&repo, flag, &default_host)).transpose()?;
        let prefix = prefix(host)?;
        let name_is_made = name.is_none();
        let name = match (&name, &repo) {
            (Some(name), _) => WorkspaceName::parse(name, &prefix)?,
            (None, Some(repo)) => WorkspaceName::for_repo(repo.owner(), repo.repo(), host::now(), &prefix)?,
            (None, None) => {
                return Err(Error::new(ErrorCode::InputRequired, "--no-clone without a repository needs a name")
                    .hint("agent-workspace create --no-clone --name NAME")
                    .detail("flag", "--name"));
            }
        };
        let git_ref = git_ref.map(|git_ref| GitRef::parse(&git_ref)).transpose()?;
        if no_clone {
            let given =
                [(git_ref.is_some(), "--ref"), (dir.is_some(), "--dir"), (recurse_submodules, "--recurse-submodules")];
            if let Some((_, flag)) = given.into_iter().find(|(given, _)| *given) {
                return Err(usage(format!("{flag} says how to clone, and --no-clone not to"))
                    .hint(format!("leave out {flag} or --no-clone")));
            }
        }
        let vm = vm.map(|vm| MachineName::parse(&vm)).transpose()?;
        let chosen = match &vm {
            Some(_) => on_vm(backend.as_deref())?,
            None => backend::choose(backend.as_deref(), host)?,
        };
        // What is set for containers says nothing of folders.
        let (is_container, on_vm) = (chosen == backend::DOCKER, chosen == backend::VM);
        if !is_container {
            let containers = [
                (image.is_some(), "--image"),
                (no_pull, "--no-pull"),
                (user.is_some(), "--user"),
                (cpus.is_some(), "--cpus"),
                (memory.is_some(), "--memory"),
                (network.is_some(), "--network"),
                (!label.is_empty(), "--label"),
            ];
            refuse_for_containers(containers, chosen)?;
        }
        if on_vm {
            let of_this_machine = [
                (secrets_dir.is_some() && !no_secrets, "--secrets-dir"),
                (isolation == Some(Isolation::Strict), "--isolation strict"),
                (isolation == Some(Isolation::Require), "--isolation require"),
            ];
            refuse_on_vms(of_this_machine)?;
        }
        let default_code_workspace = code_workspace.is_none();
        let code_workspace = code_workspace_folder(code_workspace, chosen, host)?;
        let image = if is_container { resolve_image(image, host)? } else { None };
        let network = network.map(|network| resources::network(&network)).transpose()?;
        let default_isolation = isolation.is_none();
        let isolation = match isolation.unwrap_or_default() {
            // A container is walled off always.
            Isolation::Require if is_container => Isolation::Standard,
            Isolation::None if is_container => {
                return Err(Error::new(
                    ErrorCode::Unsupported,
                    "a container has walls always, and --isolation none no sense",
                )
                .hint("leave --isolation out, or use --backend host"));
            }
            isolation => isolation,
        };
        if isolation == Isolation::Strict {
            check_strict(network.as_deref(), !no_clone, tunnel.is_some(), !is_container)?;
        }
        let clone = repo.clone().filter(|_| !no_clone);
        let path = match (&dir, &clone) {
            (Some(dir), _) => resources::clone_dir(dir, WORK)?,
            (None, Some(repo)) => clone_path(repo),
            (None, None) => WORK.to_owned(),
        };
        if !is_container && backend::is_elsewhere(&path) {
            return Err(usage(format!("{path} is outside what a workspace of backend {chosen} can write"))
                .hint("clone below /work: --dir NAME"));
        }
        // Before --env-file, which may name the same pipe.
        let token = match (clone.is_some() || setup_git, token_stdin) {
            (true, true) => Some(piped_token(host, "create OWNER/REPO")?),
            (true, false) => token(host)?,
            (false, true) => {
                return Err(usage("--token-stdin is for a clone or --setup-git, and there is neither")
                    .hint("add --setup-git, or leave --token-stdin out"));
            }
            (false, false) => None,
        };
        let secrets = match secrets_dir.filter(|_| !no_secrets) {
            Some(dir) => Some(secrets::resolve(&dir, secrets_mount.as_deref(), secrets_readonly, host)?),
            None => None,
        };
        let spec = Spec {
            name: name.canonical().to_owned(),
            vm: vm.map(|vm| vm.as_str().to_owned()),
            default_vm: if on_vm { host.config()?.defaults().vm } else { None },
            create_id: String::new(),
            default_image: image.is_none(),
            image: image.unwrap_or_else(ImageRef::default_agent_image),
            fetch: !no_pull,
            repo: repo.as_ref().map(RepoSpec::slug),
            repo_host: repo.as_ref().map(|repo| repo.host().to_owned()),
            path,
            user: user.map(|user| resources::user(&user)).transpose()?,
            nano_cpus: cpus.map(|cpus| resources::cpus(&cpus)).transpose()?,
            memory: memory.map(|memory| resources::memory(&memory)).transpose()?,
            network,
            isolation,
            default_isolation,
            env: env_file.map(|file| read_env_file(&file, host)).transpose()?.unwrap_or_default(),
            labels: label.iter().map(|label| resources::label(label)).collect::<Result<_>>()?,
            secrets,
            no_secrets,
            clones: clone.is_some(),
            code_workspace,
            default_code_workspace,
        };
        if spec.secrets.is_some() && isolation == Isolation::None {
            return Err(
                usage("--isolation none mounts nothing, and --secrets-dir needs a mount").hint("leave one of them out")
            );
        }
        secrets::check_beside(&spec, clone.is_some())?;
        // Where the user said so, or where such tokens come from.
        let repo_host = repo.as_ref().map_or(default_host.as_str(), RepoSpec::host);
        let expected = [default_host.as_str(), "github.com"].contains(&repo_host);
        let token_elsewhere = token.is_some() && !expected;
        let setup_git = match setup_git {
            true => Some(SetupGit::new(repo_host, token.clone(), token_elsewhere && clone.is_none())?),
            false => None,
        };
        let clone =
            clone.map(|repo| CloneRequest { repo, git_ref, submodules: recurse_submodules, token, token_elsewhere });
        let fail_if_exists = if_exists == IfExists::Fail;
        Ok(Request {
            name,
            name_is_made,
            fail_if_exists,
            keep_on_failure,
            spec,
            clone,
            repo,
            setup_git,
            codex_profile,
            tunnel,
        })
    }
}

/// The repository and what of it is checked out, from the template where none is named.
fn from_template(
    repo: Option<String>,
    git_ref: Option<String>,
    template: Option<&str>,
    no_clone: bool,
    host: &Host,
) -> Result<(Option<String>, Option<String>)> {
    // One that is not named has a say only where nothing else has.
    if template.is_none() && (repo.is_some() || no_clone) {
        return Ok((repo, git_ref));
    }
    let template = host.config()?.workspace_template(template)?;
    if repo.is_some() {
        return Ok((repo, git_ref));
    }
    // What is not cloned has nothing checked out.
    Ok((template.repo, git_ref.or(template.git_ref.filter(|_| !no_clone))))
}

/// The rules between the flags of credentials. `place` is whether `--secrets-mount` and `--secrets-readonly` were given.
fn check_secrets(dir: bool, place: (bool, bool), none: bool, profile: bool) -> Result<()> {
    let (mount, readonly) = place;
    if mount && !dir && !none {
        return Err(
            usage("--secrets-mount requires --secrets-dir").hint("add --secrets-dir DIR, or leave --secrets-mount out")
        );
    }
    if readonly && !dir && !none {
        return Err(usage("--secrets-readonly requires --secrets-dir")
            .hint("add --secrets-dir DIR, or leave --secrets-readonly out"));
    }
    if profile && none {
        return Err(usage("--codex-profile contradicts --no-secrets").hint("leave one of them out"));
    }
    if profile && !dir {
        return Err(
            usage("--codex-profile requires --secrets-dir").hint("add --secrets-dir DIR, or leave --codex-profile out")
        );
    }
    Ok(())
}

/// Flags that say how a container is made. A workspace that is none would not be what was asked for.
fn refuse_for_containers<const N: usize>(flags: [(bool, &str); N], chosen: &str) -> Result<()> {
    let place = if chosen == backend::VM { "on a VM" } else { "of this machine" };
    match flags.into_iter().find(|(given, _)| *given) {
        Some((_, flag)) => Err(Error::new(
            ErrorCode::Unsupported,
            format!("{flag} is for containers, and a workspace {place} is none"),
        )
        .detail("flag", flag)
        .hint(format!("leave {flag} out, or use --backend docker"))),
        None => Ok(()),
    }
}

/// The backend of a workspace that is to be on a VM.
pub(in crate::command) fn on_vm(typed: Option<&str>) -> Result<&'static str> {
    match typed {
        None | Some(backend::VM) => Ok(backend::VM),
        Some(other) => Err(usage(format!("--vm and --backend {other} contradict each other"))
            .hint("leave --backend out, or say --backend vm")),
    }
}

/// Where the file for VS Code goes: where it was typed, or where the configuration has such files.
fn code_workspace_folder(typed: Option<PathBuf>, backend: &str, host: &Host) -> Result<Option<String>> {
    let on_vm = backend == backend::VM;
    let folder = match typed {
        Some(_) if !on_vm => {
            return Err(Error::new(
                ErrorCode::Unsupported,
                format!("--code-workspace is for workspaces on VMs, and backend {backend} has none"),
            )
            .detail("flag", "--code-workspace")
            .hint("leave --code-workspace out, or name a VM: --vm dev"));
        }
        Some(folder) if folder.as_os_str().is_empty() => {
            return Err(usage("--code-workspace needs a folder").hint("for example: --code-workspace ~/vscode"));
        }
        Some(folder) => Some(host.cwd().join(folder)),
        None if on_vm => host.config()?.vscode_workspaces(),
        None => None,
    };
    let text = |folder: PathBuf| {
        folder
            .into_os_string()
            .into_string()
            .map_err(|_| usage("the folder of --code-workspace is not written in UTF-8").hint("choose another folder"))
    };
    folder.map(text).transpose()
}

/// Flags of what a VM does not have. A workspace without it would not be what was asked for.
fn refuse_on_vms<const N: usize>(flags: [(bool, &str); N]) -> Result<()> {
    match flags.into_iter().find(|(given, _)| *given) {
        Some((_, flag)) => Err(Error::new(ErrorCode::Unsupported, format!("a workspace on a VM cannot have {flag}"))
            .detail("flag", flag)
            .hint(format!("leave {flag} out, or use --backend docker"))),
        None => Ok(()),
    }
}

/// What cannot be had behind strict walls.
fn check_strict(network: Option<&str>, clones: bool, tunnel: bool, on_host: bool) -> Result<()> {
    if network == Some("host") {
        return Err(usage("--isolation strict and --network host contradict each other")
            .hint("name a network of the engine: --network bridge"));
    }
    let needs = if clones { "a clone needs" } else { "a tunnel needs" };
    if network.is_none() && (clones || tunnel) {
        return Err(usage(format!("--isolation strict is without a network, and {needs} one")).hint(if on_host {
            "use --isolation require, or leave the clone out: --no-clone"
        } else {
            "name one: --network bridge; or leave the clone out: --no-clone"
        }));
    }
    Ok(())
}

/// The host of repositories that do not name theirs.
///
/// # Errors
/// `usage` when it is no host name, `invalid_environment`.
pub(in crate::command) fn default_host(flag: Option<&str>, host: &Host) -> Result<GitHost> {
    let named = match flag {
        Some(host) => host.to_owned(),
        None => host.var(EnvVar::GithubHost)?.unwrap_or_else(|| "github.com".to_owned()),
    };
    GitHost::parse(&named)
}

/// The repository that is asked for. `flag` is the `--host` beside it, which must not contradict it.
///
/// # Errors
/// `invalid_repo`, `usage`.
pub(in crate::command) fn read_repo(repo: &str, flag: Option<&str>, default_host: &GitHost) -> Result<RepoSpec> {
    let repo = RepoSpec::parse(repo, default_host)?;
    if flag.is_some() && repo.host() != default_host.as_str() {
        return Err(usage(format!(
            "--host {} contradicts the repository's host {}",
            default_host.as_str(),
            repo.host()
        ))
        .hint("leave --host out, or give OWNER/REPO"));
    }
    Ok(repo)
}

/// The folder inside the workspace that a repository is cloned to.
pub(in crate::command) fn clone_path(repo: &RepoSpec) -> String {
    format!("{WORK}/{}", repo.slug())
}

/// The image that is asked for, or that the environment or the configuration names.
///
/// # Errors
/// `invalid_image`, `invalid_environment`, `config_invalid`.
pub(in crate::command) fn resolve_image(flag: Option<String>, host: &Host) -> Result<Option<ImageRef>> {
    let named = match flag {
        Some(image) => Some(image),
        None => match host.var_not_empty(EnvVar::AgentEnvImage)? {
            Some(image) => Some(image),
            None => match host.var_not_empty(EnvVar::CodexEnvImage)? {
                Some(image) => Some(image),
                None => host.config()?.defaults().image,
            },
        },
    };
    named.map(|image| ImageRef::parse(&image)).transpose()
}

fn read_env_file(file: &str, host: &Host) -> Result<Vec<(String, String)>> {
    let path = host.cwd().join(file);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        usage(format!("--env-file {file}: it cannot be read"))
            .cause(error.to_string())
            .hint("give the path of a text file")
    })?;
    resources::env_file(file, &text, |name| host.named(name))
}

/// The token that the environment names.
///
/// # Errors
/// `invalid_environment`.
pub(in crate::command) fn token(host: &Host) -> Result<Option<Secret>> {
    let token = match host.var(EnvVar::GhToken)? {
        Some(token) => Some(token),
        None => host.var(EnvVar::GithubToken)?,
    };
    match token {
        Some(token) if token.contains(char::is_control) => Err(Error::new(
            ErrorCode::InvalidEnvironment,
            "the token in GH_TOKEN or GITHUB_TOKEN holds a line end or control character",
        )
        .hint("export GH_TOKEN=\"$(printf %s \"$GH_TOKEN\")\"")),
        token => Ok(token.map(|token| Secret::new(format!("{token}\n")))),
    }
}

/// The token that is all there is on stdin, for a command in these words. The line end that programs put after it is none
/// of it.
///
/// # Errors
/// `usage`, `git_auth_missing`.
pub(in crate::command) fn piped_token(host: &Host, command: &str) -> Result<Secret> {
    let example = &format!("gh auth token | agent-workspace {command} --token-stdin");
    if host.stdin_terminal() {
        return Err(usage("--token-stdin reads a pipe, and stdin is a terminal").hint(example.clone()));
    }
    let typed = host
        .stdin(MAX_TOKEN + 1)
        .map_err(|error| usage("--token-stdin: stdin cannot be read").cause(error.to_string()).hint(example.clone()))?;
    let token = typed.strip_suffix(b"\n").unwrap_or(&typed);
    let token = token.strip_suffix(b"\r").unwrap_or(token);
    if token.is_empty() {
        return Err(
            Error::new(ErrorCode::GitAuthMissing, "--token-stdin found no token on stdin").hint(example.clone())
        );
    }
    let is_token = std::str::from_utf8(token).is_ok_and(|token| !token.contains(char::is_control));
    if !is_token || typed.len() > MAX_TOKEN {
        return Err(
            usage("--token-stdin: what is on stdin is no token, which is one line of text").hint(example.clone())
        );
    }
    Ok(Secret::new([token, b"\n"].concat()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Verb};

    fn resolve_in<const N: usize>(args: &[&str], env: [(&str, &str); N], json: bool) -> Result<Request> {
        let words = ["agent-workspace", "create"].into_iter().chain(args.iter().copied());
        let Some(Verb::Create(args)) = Cli::try_parse_from(words).unwrap().command else { panic!("not create") };
        args.resolve(&Host::fixed(&[], env), json)
    }

    fn resolve(args: &[&str]) -> Result<Request> {
        resolve_in(args, [], false)
    }

    #[test]
    fn a_repository_gives_name_path_and_image() {
        let request = resolve(&["octocat/Hello-World"]).unwrap();
        assert!(request.spec.name.starts_with("agent-ws-octocat-hello-world-20"), "{}", request.spec.name);
        assert_eq!(request.spec.path, "/work/octocat/Hello-World");
        assert!(request.spec.default_image && request.name_is_made);
        assert_eq!(request.spec.image.as_str(), concat!("agent-workspace:", env!("CARGO_PKG_VERSION")));
    }

    #[test]
    fn both_spellings_of_flags_are_one() {
        let apart = resolve(&["o/r", "--name", "x", "--image", "a:1", "--ref", "main"]).unwrap();
        let joined = resolve(&["o/r", "--name=x", "--image=a:1", "--ref=main"]).unwrap();
        assert_eq!(apart, joined);
    }

    #[test]
    fn fixed_phrases_stay_as_consumers_look_for_them() {
        let message = |args: &[&str]| resolve(args).unwrap_err().message().to_owned();
        assert!(message(&["o/r", "--secrets-mount", "/x"]).contains("--secrets-mount requires --secrets-dir"));
        assert!(message(&["o/r", "--secrets-readonly"]).contains("--secrets-readonly requires --secrets-dir"));
        assert!(message(&["o/r", "--codex-profile", "p"]).contains("--codex-profile requires --secrets-dir"));
        let error = resolve_in(&["o/r", "--tunnel"], [], true).unwrap_err();
        assert!(error.message().contains("--output json requires --detach"), "{error}");
    }

    #[test]
    fn secrets_are_mounted_only_when_a_folder_is_named_and_nobody_says_none() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().to_str().unwrap();
        let secrets = |args: &[&str]| resolve(&[&["o/r"], args].concat()).unwrap().spec.secrets;
        assert!(secrets(&["--secrets-dir", dir, "--secrets-readonly"]).is_some_and(|secrets| secrets.readonly));
        assert!(secrets(&["--secrets-dir", dir]).is_some_and(|secrets| !secrets.readonly));
        assert_eq!(secrets(&["--secrets-dir", "/nonexistent", "--no-secrets"]), None);
        assert_eq!(secrets(&["--no-secrets", "--secrets-mount", "/x", "--secrets-readonly"]), None);
        // The variable alone never makes a create fail, whatever it says.
        for value in ["/other", "relative"] {
            assert!(resolve_in(&["o/r"], [("DEFAULT_SECRETS_MOUNT", value)], false).is_ok());
        }
    }

    #[test]
    fn secrets_and_a_clone_have_folders_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().to_str().unwrap();
        for mount in ["/work/o", "/work/o/r", "/work/o/r/s"] {
            let error = resolve(&["o/r", "--secrets-dir", dir, "--secrets-mount", mount]).unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidSecrets, "{mount}");
            assert!(resolve(&["--no-clone", "--name", "x", "--secrets-dir", dir, "--secrets-mount", mount]).is_ok());
        }
        let file = folder.path().join("env");
        std::fs::write(&file, "CODEX_SECRET_DIR=/x").unwrap();
        let with_file = ["o/r", "--env-file", file.to_str().unwrap()];
        assert!(resolve(&with_file).is_ok());
        let error = resolve(&[&with_file[..], &["--secrets-dir", dir]].concat()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Usage);
    }

    #[test]
    fn bad_input_is_named_before_anything_is_touched() {
        for (args, code) in [
            (&[][..], ErrorCode::Usage),
            (&["--no-clone"], ErrorCode::InputRequired),
            (&["owner"], ErrorCode::InvalidRepo),
            (&["o/r", "--name", "!!!"], ErrorCode::InvalidName),
            (&["o/r", "--image", ""], ErrorCode::InvalidImage),
            (&["o/r", "--ref", "-b"], ErrorCode::InvalidRef),
            (&["o/r", "--ref=--x"], ErrorCode::InvalidRef),
            (&["o/r", "--dir", ".."], ErrorCode::Usage),
            (&["o/r", "--cpus", "x"], ErrorCode::Usage),
            (&["o/r", "--backend", "nosuch"], ErrorCode::Unsupported),
            (&["o/r", "--no-clone", "--ref", "x"], ErrorCode::Usage),
            (&["https://a/o/r", "--host", "b"], ErrorCode::Usage),
            (&["o/r", "--env-file", "/nonexistent"], ErrorCode::Usage),
            (&["o/r", "--secrets-dir", "/nonexistent"], ErrorCode::InvalidSecrets),
        ] {
            let error = resolve(args).unwrap_err();
            assert_eq!(error.code(), code, "{args:?}: {error}");
            assert!(error.hint_text().is_some(), "{args:?} has no hint");
        }
    }

    #[test]
    fn strict_walls_have_no_network_unless_one_is_named() {
        let strict = |rest: &[&str]| resolve(&[&["o/r", "--isolation", "strict"][..], rest].concat());
        for rest in [&[][..], &["--no-clone", "--tunnel-detach"], &["--network", "host"]] {
            let error = strict(rest).unwrap_err();
            assert_eq!(error.code(), ErrorCode::Usage, "{rest:?}: {error}");
            assert!(error.hint_text().is_some_and(|hint| hint.contains("--network bridge")), "{rest:?}");
        }
        assert_eq!(strict(&["--network", "bridge"]).unwrap().spec.isolation, Isolation::Strict);
        assert!(strict(&["--no-clone", "--name", "x"]).is_ok());
        assert_eq!(resolve(&["o/r"]).unwrap().spec.isolation, Isolation::Standard);
    }

    #[test]
    fn flags_win_over_the_environment_and_new_names_over_old() {
        let image = |args: &[&str], env| resolve_in::<2>(args, env, false).unwrap().spec.image.as_str().to_owned();
        let env = [("AGENT_ENV_IMAGE", "new:1"), ("CODEX_ENV_IMAGE", "old:1")];
        assert_eq!(image(&["o/r", "--image", "flag:1"], env), "flag:1");
        assert_eq!(image(&["o/r"], env), "new:1");
        assert_eq!(
            resolve_in(&["o/r"], [("AGENT_ENV_IMAGE", "")], false).unwrap_err().code(),
            ErrorCode::InvalidEnvironment
        );
        let request = resolve_in(&["o/r", "--name", "x"], [("CODEX_WORKSPACE_PREFIX", "team")], false).unwrap();
        assert_eq!(request.spec.name, "team-x");
        let url = |args: &[&str]| resolve_in(args, [("GITHUB_HOST", "ghe.test")], false).unwrap().repo.unwrap().url();
        assert_eq!(url(&["o/r"]), "https://ghe.test/o/r.git");
        assert_eq!(url(&["o/r", "--host", "other.test"]), "https://other.test/o/r.git");
    }

    #[test]
    fn a_token_on_stdin_is_taken_before_that_of_the_environment() {
        let token = |piped: &[u8], args: &[&str]| {
            let Some(Verb::Create(args)) =
                Cli::try_parse_from([&["agent-workspace", "create", "--token-stdin"], args].concat()).unwrap().command
            else {
                panic!("not create")
            };
            args.resolve(&Host::fixed(&[], [("GH_TOKEN", "of-the-environment")]).piped(piped), false)
        };
        for piped in [&b"canary"[..], b"canary\n", b"canary\r\n"] {
            let request = token(piped, &["o/r", "--setup-git"]).unwrap();
            let expected = Some(Secret::new("canary\n"));
            assert_eq!(
                (request.clone.unwrap().token, request.setup_git.map(|git| git.token)),
                (expected.clone(), expected)
            );
        }
        for (piped, args, code) in [
            (&b""[..], &["o/r"][..], ErrorCode::GitAuthMissing),
            (b"\r\n", &["o/r"], ErrorCode::GitAuthMissing),
            (b"canary\n\n", &["o/r"], ErrorCode::Usage),
            (b"canary\xff", &["o/r"], ErrorCode::Usage),
            (&[b'c'; MAX_TOKEN + 1], &["o/r"], ErrorCode::Usage),
            (b"canary", &["--no-clone", "--name", "x"], ErrorCode::Usage),
        ] {
            let error = token(piped, args).unwrap_err();
            assert_eq!(error.code(), code, "{piped:?}: {error}");
            assert!(error.hint_text().is_some() && !error.to_string().contains("canary"), "{error}");
        }
    }

    #[test]
    fn a_profile_is_a_name_of_the_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let with = ["o/r", "--secrets-dir", folder.path().to_str().unwrap(), "--codex-profile"];
        let profile = |name: &str| resolve(&[&with[..], &[name]].concat());
        assert_eq!(profile("work").unwrap().codex_profile, Some(Profile::parse("work").unwrap()));
        for hostile in ["a b; id", "../x", ""] {
            assert_eq!(profile(hostile).unwrap_err().code(), ErrorCode::Usage, "{hostile}");
        }
    }

    #[test]
    fn credentials_are_kept_for_the_host_that_is_meant() {
        let host = |args: &[&str], env: [(&str, &str); 2]| {
            let request = resolve_in(&[args, &["--setup-git"]].concat(), env, false).unwrap();
            let setup = request.setup_git.unwrap();
            (setup.host, setup.token_elsewhere || request.clone.is_some_and(|clone| clone.token_elsewhere))
        };
        let token = ("GH_TOKEN", "x");
        let plain = |args: &[&str]| host(args, [token, ("GITHUB_HOST", "")]);
        assert_eq!(plain(&["o/r"]), ("github.com".to_owned(), false));
        assert_eq!(plain(&["https://a.test/o/r"]), ("a.test".to_owned(), true));
        assert_eq!(plain(&["https://a.test/o/r", "--no-clone"]), ("a.test".to_owned(), true));
        assert_eq!(plain(&["--no-clone", "--name", "x", "--host", "b.test:8443"]), ("b.test:8443".to_owned(), false));
        let set = [token, ("GITHUB_HOST", "c.test")];
        assert_eq!(host(&["--no-clone", "--name", "x"], set), ("c.test".to_owned(), false));
        assert_eq!(host(&["https://github.com/o/r"], set), ("github.com".to_owned(), false));
        let missing = resolve(&["o/r", "--setup-git"]).unwrap_err();
        assert_eq!(missing.code(), ErrorCode::GitAuthMissing);
        assert!(missing.hint_text().is_some_and(|hint| hint.contains("GH_TOKEN")));
        // Without anything to use it for, not even a broken token matters.
        assert!(resolve_in(&["--no-clone", "--name", "x"], [("GH_TOKEN", "a\nb")], false).is_ok());
    }

    #[test]
    fn the_token_is_not_shown_by_what_shows_everything_else() {
        let request = resolve_in(&["o/r"], [("GH_TOKEN", "canary"), ("GITHUB_TOKEN", "other")], false).unwrap();
        assert_eq!(request.clone.as_ref().unwrap().token.as_ref().unwrap().expose(), b"canary\n");
        assert!(!format!("{request:?}").contains("canary"));
    }
}
