//! Where the workspace of a name is, by what this machine keeps: no engine and no VM is asked.
//!
//! Looking costs whoever has containers alone one look for a folder and one for the state file, neither of which is there.

use std::path::{Path, PathBuf};

use agent_workspace_contract::{EnvVar, ErrorCode};

use super::{BACKENDS, DOCKER, HOST, VM, asked, choose, host, in_the_words_of, with_flag};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::store::{Store, WorkspaceState};
use crate::workspace::WorkspaceName;

/// Commands that reach a workspace that its name finds only with its backend's name: they name none, or a new one.
const NOT_BY_NAME: [&str; 2] = ["create", "prune"];

/// What one backend keeps here of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing.
    No,
    /// A workspace.
    Workspace,
    /// Files of one that was removed. Those are found by the backend's name alone, as a workspace elsewhere may have
    /// theirs by now.
    Kept,
}

/// Where a workspace is to be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Located {
    /// The backend.
    pub backend: &'static str,
    /// Whether nobody has named a backend.
    by_name: bool,
    /// The backend that has kept files of a workspace of this name.
    kept: Option<&'static str>,
}

/// A backend that keeps on this machine which workspaces it has, and how it says whether a name is one of them. Each is
/// given the folder of what is kept.
type Keeper = (&'static str, fn(&Path, &WorkspaceName) -> Result<Known>);

/// Those that there are, in the order in which they are asked.
const KEEPERS: [Keeper; 2] = [(HOST, host::knows), (VM, remembered)];

/// Where a workspace is: where the flag or the environment says, else where its name is found, else in a container.
///
/// # Errors
/// `unsupported` for a backend that this launcher does not have, `state_failed` and its kin when what is kept here cannot
/// be read: a name is never taken for another workspace's then.
pub fn locate(flag: Option<&str>, host: &Host, name: &WorkspaceName) -> Result<Located> {
    if let Some(backend) = asked(flag, host)? {
        return Ok(Located { backend, by_name: false, kept: None });
    }
    let mut located = Located { backend: BACKENDS[0], by_name: true, kept: None };
    let Some(state) = state(host).map_err(or_say_where)? else { return Ok(located) };
    for (backend, knows) in KEEPERS {
        match knows(&state, name).map_err(or_say_where)? {
            // A newer launcher's may be one that this one does not have.
            Known::Workspace => return Ok(Located { backend: choose(Some(backend), host)?, ..located }),
            Known::Kept => located.kept = located.kept.or(Some(backend)),
            Known::No => {}
        }
    }
    Ok(located)
}

/// Refuses a new workspace the name of one that is in another place, as far as that is known here.
///
/// # Errors
/// `name_taken`; what `locate` says, unless somebody has said where the new one is to be.
pub fn check_free(flag: Option<&str>, host: &Host, name: &WorkspaceName) -> Result<()> {
    let asked = asked(flag, host)?;
    let unless_asked = |error| if asked.is_some() { Ok(Known::No) } else { Err(or_say_where(error)) };
    let state = match state(host) {
        Err(error) => unless_asked(error).map(|_| None)?,
        state => state?,
    };
    let Some(state) = state else { return Ok(()) };
    let chosen = choose(flag, host)?;
    for (backend, knows) in KEEPERS.into_iter().filter(|(backend, _)| *backend != chosen) {
        if knows(&state, name).or_else(unless_asked)? == Known::Workspace {
            let name = name.canonical();
            return Err(Error::new(
                ErrorCode::NameTaken,
                format!("the name {name} is that of a workspace of the backend {backend}"),
            )
            .detail("workspace", name)
            .detail("backend", backend)
            .hint(format!(
                "choose another --name, or see what it is: agent-workspace describe --backend {backend} {name}"
            )));
        }
    }
    Ok(())
}

/// The backends that may have workspaces: all of them, unless nothing says where this machine would keep any.
pub fn everywhere(host: &Host) -> Vec<&'static str> {
    match state(host) {
        Ok(None) => vec![DOCKER],
        // What is wrong with it is theirs to say.
        _ => BACKENDS.to_vec(),
    }
}

impl Located {
    /// An error of a command about the workspace, in words that lead back to it. `flag` is the backend that was typed.
    pub fn explain(&self, flag: Option<&str>, host: &Host, name: &WorkspaceName, error: Error) -> Error {
        if !self.by_name {
            return error.with_hint(|hint| in_the_words_of(flag, hint));
        }
        if self.backend != BACKENDS[0] {
            return error.with_hint(|hint| with_flag(&NOT_BY_NAME, self.backend, hint));
        }
        let is_down = error.code() == ErrorCode::EngineUnavailable;
        if !is_down && error.code() != ErrorCode::WorkspaceNotFound {
            return error;
        }
        let name = name.canonical();
        let error = match self.kept {
            Some(kept) => error.with_hint(|hint| {
                format!("{hint}; what was kept of it is removed by: agent-workspace rm --backend {kept} {name}")
            }),
            None => error,
        };
        // Who has containers alone knows where it was looked for.
        let keeps = is_down && state(host).is_ok_and(|state| state.is_some_and(|state| state.exists()));
        if keeps {
            return error.cause(format!("{name} is no workspace that this machine knows of, so the engine was asked"));
        }
        error
    }
}

/// The folder of what is kept here; `None` where nothing says where that would be, so that there is nothing.
fn state(host: &Host) -> Result<Option<PathBuf>> {
    match host.state_folder() {
        Err(_) if host.var(EnvVar::StateDir)?.is_none() => Ok(None),
        folder => folder.map(Some),
    }
}

/// What the state file remembers of a name.
fn remembered(state: &Path, name: &WorkspaceName) -> Result<Known> {
    let Some(records) = Store::at(state).read()? else { return Ok(Known::No) };
    Ok(match records.workspace(name.canonical())?.map(|record| record.state) {
        None => Known::No,
        Some(WorkspaceState::Kept) => Known::Kept,
        Some(_) => Known::Workspace,
    })
}

/// The way to a container past what cannot be read.
fn or_say_where(error: Error) -> Error {
    error.with_hint(|hint| format!("{hint}; or, for a workspace in a container, say so: --backend {DOCKER}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::WorkspaceRecord;
    use crate::workspace::Prefix;

    fn name(text: &str) -> WorkspaceName {
        WorkspaceName::parse(text, &Prefix::parse(Prefix::DEFAULT).unwrap()).unwrap()
    }

    /// A machine that keeps everything in a folder, with a backend in its environment or none.
    fn machine(folder: &Path, backend: &str) -> Host {
        let state = folder.to_str().unwrap();
        Host::fixed(&[], [("AGENT_WORKSPACE_STATE_DIR", state), ("AGENT_WORKSPACE_BACKEND", backend)])
    }

    fn with_a_folder(state: &Path, name: &str, record: &str) {
        let folder = state.join("workspaces").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("record.json"), record).unwrap();
    }

    fn with_one_on_a_vm(state: &Path, name: &str, is: WorkspaceState) {
        let mut records = Store::at(state).write().unwrap();
        records.intend_vm("dev", "ssh", "vm", None).unwrap();
        let record = WorkspaceRecord {
            name: name.to_owned(),
            vm: "dev".to_owned(),
            create_id: name.to_owned(),
            state: WorkspaceState::Creating,
            stopped: false,
            folder: format!("/srv/{name}"),
            linux_user: name.to_owned(),
            repo: None,
            spec: None,
            created_at: String::new(),
        };
        records.intend_workspace(&record).unwrap();
        assert!(records.set_workspace_state(name, name, is).unwrap());
    }

    fn kept(state: &str) -> String {
        format!(
            r#"{{"form":1,"create_id":"1","created_at":"2026-01-02T03:04:05Z","state":"{state}","walls":"none","spec":{{"image":"","path":"/work"}}}}"#
        )
    }

    #[test]
    fn a_name_is_looked_for_here_before_an_engine_is_asked_and_only_when_nobody_has_said_where() {
        let folder = tempfile::tempdir().unwrap();
        with_a_folder(folder.path(), "agent-ws-a", &kept("ready"));
        let backend = |flag: Option<&str>, set: &str, text: &str| {
            locate(flag, &machine(folder.path(), set), &name(text)).unwrap().backend
        };
        assert_eq!(backend(None, "", "a"), HOST);
        assert_eq!(backend(None, "", "b"), DOCKER);
        assert_eq!(backend(None, "docker", "a"), DOCKER);
        assert_eq!(backend(Some("docker"), "host", "a"), DOCKER);
        assert_eq!(backend(Some("host"), "", "b"), HOST);
        assert!(!folder.path().join("state.db").exists(), "looking leaves no trace");
    }

    #[test]
    fn what_nobody_can_read_any_more_still_has_its_name_and_what_was_removed_has_it_no_more() {
        let folder = tempfile::tempdir().unwrap();
        with_a_folder(folder.path(), "agent-ws-broken", "{");
        with_a_folder(folder.path(), "agent-ws-kept", &kept("kept"));
        std::fs::create_dir_all(folder.path().join("workspaces/agent-ws-begun")).unwrap();
        let located = |text| locate(None, &machine(folder.path(), ""), &name(text)).unwrap();
        assert_eq!(located("broken").backend, HOST);
        assert_eq!((located("kept").backend, located("kept").kept), (DOCKER, Some(HOST)));
        assert_eq!((located("begun").backend, located("begun").kept), (DOCKER, None));
        let not_found = Error::new(ErrorCode::WorkspaceNotFound, "").hint("see: agent-workspace ls");
        let explained = located("kept").explain(None, &machine(folder.path(), ""), &name("kept"), not_found);
        assert_eq!(
            explained.hint_text(),
            Some(
                "see: agent-workspace ls; what was kept of it is removed by: agent-workspace rm --backend host agent-ws-kept"
            )
        );
    }

    #[test]
    fn a_workspace_on_a_vm_is_never_taken_for_a_container() {
        let folder = tempfile::tempdir().unwrap();
        with_one_on_a_vm(folder.path(), "agent-ws-far", WorkspaceState::Ready);
        let located = locate(None, &machine(folder.path(), ""), &name("far"));
        assert!(match located {
            Ok(located) => located.backend == VM,
            // A launcher without that backend says so.
            Err(error) => error.code() == ErrorCode::Unsupported && !BACKENDS.contains(&VM),
        });
        let refused = check_free(Some("host"), &machine(folder.path(), ""), &name("far")).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::NameTaken);
        assert!(refused.hint_text().unwrap().ends_with("agent-workspace describe --backend vm agent-ws-far"));
        with_one_on_a_vm(folder.path(), "agent-ws-gone", WorkspaceState::Kept);
        assert_eq!(locate(None, &machine(folder.path(), ""), &name("gone")).unwrap().kept, Some(VM));
    }

    #[test]
    fn a_new_workspace_gets_no_name_of_another_place_and_may_come_back_to_its_own() {
        let folder = tempfile::tempdir().unwrap();
        with_a_folder(folder.path(), "agent-ws-a", &kept("ready"));
        with_a_folder(folder.path(), "agent-ws-kept", &kept("kept"));
        let check =
            |flag, text| check_free(flag, &machine(folder.path(), ""), &name(text)).map_err(|error| error.code());
        for flag in [None, Some("docker")] {
            assert_eq!(check(flag, "a"), Err(ErrorCode::NameTaken));
            assert_eq!(check(flag, "b"), Ok(()));
            assert_eq!(check(flag, "kept"), Ok(()));
        }
        assert_eq!(check(Some("host"), "a"), Ok(()));
    }

    #[test]
    fn where_what_is_kept_cannot_be_read_a_name_means_nothing_until_somebody_says_where() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("state.db"), "x".repeat(4096)).unwrap();
        let broken = machine(folder.path(), "");
        let relative = Host::fixed(&[], [("AGENT_WORKSPACE_STATE_DIR", "relative")]);
        for (host, code) in [(broken, ErrorCode::StateFailed), (relative, ErrorCode::InvalidEnvironment)] {
            for refused in [locate(None, &host, &name("a")).map(drop), check_free(None, &host, &name("a"))] {
                let refused = refused.unwrap_err();
                assert_eq!(refused.code(), code);
                assert!(refused.hint_text().unwrap().ends_with("--backend docker"), "{refused:?}");
            }
            assert_eq!(locate(Some("docker"), &host, &name("a")).unwrap().backend, DOCKER);
            assert_eq!(check_free(Some("docker"), &host, &name("a")), Ok(()));
            assert_eq!(everywhere(&host), BACKENDS, "they are asked, and say what is wrong");
        }
    }

    #[test]
    fn hints_of_what_a_name_has_found_name_the_backend_only_where_no_name_finds_it() {
        let folder = tempfile::tempdir().unwrap();
        with_a_folder(folder.path(), "agent-ws-a", &kept("ready"));
        let hint = "agent-workspace create --name a; agent-workspace rm a; agent-workspace ls";
        let explained = |flag: Option<&str>, text: &str| {
            let host = machine(folder.path(), "");
            let located = locate(flag, &host, &name(text)).unwrap();
            let error = located.explain(flag, &host, &name(text), Error::new(ErrorCode::WrongState, "").hint(hint));
            error.hint_text().unwrap().to_owned()
        };
        assert_eq!(explained(None, "b"), hint);
        assert_eq!(
            explained(None, "a"),
            "agent-workspace create --backend host --name a; agent-workspace rm a; agent-workspace ls"
        );
        assert!(explained(Some("host"), "a").ends_with("rm --backend host a; agent-workspace ls --backend host"));
    }
}
