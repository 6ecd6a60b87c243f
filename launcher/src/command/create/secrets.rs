//! Secrets of the host in a workspace: what may be mounted, what differs from what is, what is said of it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use agent_workspace_contract::{EnvVar, ErrorCode, Isolation as Walls, SecretsReport};

use crate::backend::{HOME, SECRET_DIR, Secrets, Spec, WORK, Workspace};
use crate::command::App;
use crate::error::{Error, Result, usage};
use crate::guest::secrets as guest;
use crate::host::Host;
use crate::output::warning;
use crate::phase::Phase;
use crate::workspace::secrets_mount::{self, is_in};

/// Where secrets are mounted when nothing else is said.
const DEFAULT_MOUNT: &str = "/home/agent/codex_secrets";

/// Checks a folder of secrets and the place for it, without the engine.
///
/// # Errors
/// `invalid_secrets` for what was typed, `invalid_environment` for a wrong `DEFAULT_SECRETS_MOUNT`.
pub fn resolve(dir: &OsStr, mount: Option<&str>, readonly: bool, host: &Host) -> Result<Secrets> {
    let dir = folder(dir, host)?;
    let mount = match mount {
        Some(mount) => place(mount, "--secrets-mount", ErrorCode::InvalidSecrets)?,
        None => match host.var(EnvVar::SecretsMount)? {
            Some(mount) => place(&mount, EnvVar::SecretsMount.name(), ErrorCode::InvalidEnvironment)?,
            None => DEFAULT_MOUNT.to_owned(),
        },
    };
    Ok(Secrets { dir, mount, readonly })
}

/// Checks that secrets fit with what else was asked for: a clone has a folder of its own, and the variable one value.
///
/// # Errors
/// `invalid_secrets`, `usage`.
pub fn check_beside(spec: &Spec, clones: bool) -> Result<()> {
    let Some(Secrets { mount, .. }) = &spec.secrets else { return Ok(()) };
    if clones && (is_in(mount, &spec.path) || is_in(&spec.path, mount)) {
        return Err(Error::new(
            ErrorCode::InvalidSecrets,
            format!("the secrets would be mounted on {mount}, and the repository is cloned into {}", spec.path),
        )
        .hint("choose another place: --secrets-mount /home/agent/codex_secrets"));
    }
    if spec.env.iter().any(|(name, _)| name == SECRET_DIR) {
        return Err(usage(format!("--env-file sets {SECRET_DIR}, which --secrets-dir sets to {mount}"))
            .hint("leave the variable out of the file, or choose its value with --secrets-mount"));
    }
    Ok(())
}

/// Folders of this machine's system: whoever may write there rules it.
const HOSTS_OWN: [&str; 14] = [
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/proc",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/containers",
    "/var/lib/docker",
];
/// Folders that hold much more than secrets.
const MUCH_MORE: [&str; 9] = ["/home", "/media", "/mnt", "/opt", "/root", "/run", "/srv", "/var", "/var/lib"];

/// The first socket in a folder, some folders deep, among so many entries: who can reach a daemon's socket can ask it
/// for things.
fn socket_in(folder: &Path, depth: u32, entries: &mut u32) -> Option<PathBuf> {
    use std::os::unix::fs::FileTypeExt;
    // What cannot be read here cannot be read inside either, or is found out by the look inside.
    for entry in std::fs::read_dir(folder).ok()?.flatten() {
        *entries = entries.checked_sub(1)?;
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_socket() {
            return Some(entry.path());
        }
        if kind.is_dir()
            && depth > 0
            && let Some(found) = socket_in(&entry.path(), depth - 1, entries)
        {
            return Some(found);
        }
    }
    None
}

/// The real path of a folder that was typed.
fn folder(dir: &OsStr, host: &Host) -> Result<String> {
    let shown = Path::new(dir).display();
    let refused = |reason: &str| {
        Error::new(ErrorCode::InvalidSecrets, format!("--secrets-dir {shown}: {reason}"))
            .detail("dir", shown.to_string())
            .hint("give a folder that holds secrets alone: --secrets-dir ~/.config/codex_secrets")
    };
    if dir.is_empty() {
        return Err(refused("it is empty"));
    }
    let real = match std::fs::canonicalize(host.cwd().join(dir)) {
        Ok(real) if real.is_dir() => real,
        Ok(_) => return Err(refused("it is not a folder")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(refused("it is not there")),
        Err(error) => return Err(refused("it cannot be looked at").cause(error.to_string())),
    };
    if real == Path::new("/") {
        return Err(refused("it is the whole machine"));
    }
    if HOSTS_OWN.iter().any(|system| real.starts_with(system))
        || MUCH_MORE.iter().any(|shared| real == Path::new(shared))
    {
        return Err(refused("it belongs to this machine's system"));
    }
    if let Some(socket) = socket_in(&real, 3, &mut 2000) {
        return Err(refused(&format!(
            "it holds a socket, {}, by which what is inside could do more than read",
            socket.display()
        )));
    }
    if let Some(home) = host.var(EnvVar::Home)? {
        let home = std::fs::canonicalize(&home).unwrap_or_else(|_| home.into());
        if home.starts_with(&real) {
            return Err(refused("it is the home folder, or holds it"));
        }
    }
    real.to_str().map(str::to_owned).ok_or_else(|| refused("its path is not valid UTF-8"))
}

fn place(text: &str, said_by: &str, code: ErrorCode) -> Result<String> {
    secrets_mount::parse(text, HOME, WORK).map_err(|reason| {
        Error::new(code, format!("{said_by} {text:?}: {reason}"))
            .hint(format!("give a folder of its own, for example {DEFAULT_MOUNT}"))
    })
}

/// What is really mounted, as documents say it; with the profile that this call has applied.
pub fn report(secrets: Option<&Secrets>, codex_profile: Option<String>) -> SecretsReport {
    SecretsReport {
        enabled: secrets.is_some(),
        dir: secrets.map(|secrets| secrets.dir.clone()),
        mount: secrets.map(|secrets| secrets.mount.clone()),
        codex_profile,
        readonly: secrets.is_some_and(|secrets| secrets.readonly),
    }
}

/// How the secrets of a workspace that is there differ from those asked for, as sentences.
pub fn differences(workspace: &Workspace, spec: &Spec) -> Vec<String> {
    let name = &workspace.name;
    let said = |secrets: &Secrets| {
        let readonly = if secrets.readonly { ", read-only" } else { "" };
        format!("secrets {} on {}{readonly}", secrets.dir, secrets.mount)
    };
    match (&spec.secrets, &workspace.secrets) {
        (Some(wanted), there) if Some(wanted) != there.as_ref() => {
            let made = there.as_ref().map_or_else(|| "without".to_owned(), |there| format!("with {}", said(there)));
            vec![format!("{} were asked for; {name} was made {made} and keeps it so", said(wanted))]
        }
        (None, Some(there)) if spec.no_secrets => {
            vec![format!("no secrets were asked for; {name} was made with {} and keeps it so", said(there))]
        }
        _ => Vec::new(),
    }
}

/// Warns when the user of a new workspace cannot use its secrets. One that has none is not asked.
///
/// # Errors
/// What the guest says.
pub async fn look(app: &App, workspace: &Workspace) -> Result<()> {
    let Some(secrets) = &workspace.secrets else { return Ok(()) };
    let machine = app.backend.machine(workspace);
    // Nobody is root there but in a container whose walls allow it.
    let may_own = !matches!(workspace.isolation, Walls::Strict | Walls::Process | Walls::None);
    let looked = app.phases.run(Phase::Prepare, guest::look(&*machine, secrets, may_own)).await?;
    let Some(unusable) = looked else { return Ok(()) };
    let cannot = if unusable.only_writing { "written" } else { "read" };
    let guest::Unusable { user, owner, .. } = unusable;
    app.progress.warn(warning(
        "secrets_unreadable",
        format!(
            "the secrets in {} cannot all be {cannot} by the workspace's user: it has the number {user}, their \
             owner {owner}; make the workspace with --user {owner}, or give the folder to {user}",
            secrets.mount
        ),
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    fn resolved(dir: &OsStr, home: &str, mount: Option<&str>, default: &str) -> Result<Secrets> {
        let host = Host::fixed(&[], [("HOME", home), ("DEFAULT_SECRETS_MOUNT", default)]);
        resolve(dir, mount, false, &host)
    }

    #[test]
    fn a_folder_is_reported_by_its_real_path() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        let awkward = real.join("a b:c,d'e\"f=ö\nx");
        std::fs::create_dir(&awkward).unwrap();
        let link = real.join("link");
        std::os::unix::fs::symlink(&awkward, &link).unwrap();
        for typed in [&awkward, &link, &real.join("link/../link/.")] {
            let Ok(secrets) = resolved(typed.as_os_str(), "/nonexistent", None, "") else { continue };
            assert_eq!(secrets.dir, awkward.to_str().unwrap());
            assert_eq!((secrets.mount.as_str(), secrets.readonly), (DEFAULT_MOUNT, false));
        }
    }

    #[test]
    fn folders_that_hold_more_than_secrets_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        std::fs::create_dir(&home).unwrap();
        std::fs::write(home.join("file"), "").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&home, &link).unwrap();
        let broken = folder.path().join("broken");
        std::os::unix::fs::symlink("/nonexistent", &broken).unwrap();
        let odd = folder.path().join(OsStr::from_bytes(b"\xff"));
        std::fs::create_dir(&odd).unwrap();
        let (file, absent) = (home.join("file"), home.join("absent"));
        for typed in [Path::new(""), Path::new("/"), &home, &link, folder.path(), &file, &absent, &broken, &odd] {
            let refused = resolved(typed.as_os_str(), home.to_str().unwrap(), None, "").unwrap_err();
            assert_eq!(refused.code(), ErrorCode::InvalidSecrets, "{typed:?}");
            assert!(refused.hint_text().is_some());
        }
        // A home that is itself a link is the same folder.
        assert!(resolved(home.as_os_str(), link.to_str().unwrap(), None, "").is_err());
        let secrets = home.join("secrets");
        std::fs::create_dir(&secrets).unwrap();
        assert!(resolved(secrets.as_os_str(), home.to_str().unwrap(), None, "").is_ok());
    }

    #[test]
    fn the_place_is_the_flags_then_the_variables_then_the_built_in_one() {
        let folder = tempfile::tempdir().unwrap();
        let place = |mount, default| resolved(folder.path().as_os_str(), "/nonexistent", mount, default);
        assert_eq!(place(Some("/flag"), "/variable").unwrap().mount, "/flag");
        assert_eq!(place(None, "/variable/").unwrap().mount, "/variable");
        assert_eq!(place(None, "").unwrap().mount, DEFAULT_MOUNT);
        assert_eq!(place(None, "relative").unwrap_err().code(), ErrorCode::InvalidEnvironment);
        assert_eq!(place(Some("relative"), "/variable").unwrap_err().code(), ErrorCode::InvalidSecrets);
        // What nobody asks for is not looked at.
        assert!(place(Some("/flag"), "relative").is_ok());
    }
}
