//! Mending a workspace of a VM, and moving it to another folder there.

use agent_workspace_contract::{ErrorCode, VmStep};

use super::Vms;
use super::link::{Link, UNPREPARED};
use super::make::{base_environment, vanished};
use super::scripts::{AT_WORK, FOLDER_TAKEN, NO_PLACE, NOT_THERE, OCCUPIED, REHOME, REPAIR, USER_TAKEN, steps};
use crate::backend::host::exports;
use crate::backend::{Moved, RecordedSpec, Repaired, Workspace};
use crate::error::{Error, Result};
use crate::guest::failed;
use crate::guest::vm::WORKSPACES;
use crate::machine::{Output, Secret};
use crate::store::{WorkspaceRecord, WorkspaceState};
use crate::undo::Outcome;

impl Vms {
    /// Proves what belongs to a workspace and restores it. One whose create or removal was cut off is brought to the end
    /// that it was near.
    pub(super) async fn mend(&self, workspace: &Workspace) -> Result<Repaired> {
        let _claim = self.claim(&workspace.name).await?;
        let row = self.row_of(workspace)?.ok_or_else(|| vanished(&workspace.name))?;
        let link = self.link(&row.vm)?;
        let login = link.connection().await?.user().to_owned();
        let cleared = |step: &str| Repaired { steps: vec![of_row(step)], gone: true };
        match row.state {
            WorkspaceState::Removing => {
                self.finish_removing(&link, &row).await?;
                return Ok(cleared("removal"));
            }
            // What is there under its name is whole.
            WorkspaceState::Creating if !self.is_there(&link, &row).await? => {
                self.take_back(&link, &row).await?;
                return Ok(cleared("creation"));
            }
            _ => {}
        }
        let mut done = if row.state == WorkspaceState::Creating { vec![of_row("creation")] } else { Vec::new() };
        let claim = self.claim_vm(&row.vm).await?;
        let records = self.store.write()?;
        let (owner, admitted) = (records.owner()?, records.admitted(&row.name)?);
        drop(records);
        let mut words = vec![WORKSPACES, &row.name, &row.folder, &row.linux_user, &login, &row.create_id, &owner];
        words.extend(admitted.iter().map(String::as_str));
        let environment = Secret::new(exports(&base_environment(&row)));
        let output = link.ask(REPAIR, &words, Some(environment), "mend the workspace").await?;
        drop(claim);
        judge(&link, &row, &output, "mend the workspace")?;
        if row.state == WorkspaceState::Creating {
            self.store.write()?.set_workspace_state(&row.name, &row.create_id, WorkspaceState::Ready)?;
        }
        done.extend(steps(&output.stdout));
        Ok(Repaired { steps: done, gone: false })
    }

    /// Whether a workspace's folder is there and is its own.
    async fn is_there(&self, link: &Link, row: &WorkspaceRecord) -> Result<bool> {
        let found = self.look(link, std::slice::from_ref(row), false).await?;
        Ok(found.seen.iter().any(|seen| seen.name == row.name && seen.folder == super::Folder::There))
    }

    /// Moves a workspace to another folder of its VM.
    pub(super) async fn move_to(&self, workspace: &Workspace, target: &str) -> Result<Moved> {
        let _claim = self.claim(&workspace.name).await?;
        let row = self.row_of(workspace)?.ok_or_else(|| vanished(&workspace.name))?;
        let moved = Moved { from: row.folder.clone(), to: target.to_owned(), changed: row.folder != target };
        if !moved.changed {
            return Ok(moved);
        }
        if row.state != WorkspaceState::Ready {
            return Err(Error::new(ErrorCode::WrongState, format!("workspace {} is not whole", row.name))
                .detail("workspace", row.name.clone())
                .hint(format!("bring it to an end first: agent-workspace repair {}", row.name)));
        }
        self.check_apart(&row, target)?;
        let link = self.link(&row.vm)?;
        let output = self.say_move(&link, &row, &row.folder, target, "copy").await?;
        judge(&link, &row, &output, "move the workspace")?;
        let spec = row.spec.clone().map(|spec| RecordedSpec {
            path: moved_path(&spec.path, &row.folder, target),
            path_before: spec.code_workspace.is_some().then_some(spec.path),
            ..spec
        });
        if !self.store.write()?.move_workspace(&row.name, &row.create_id, target, spec.as_ref())? {
            return Err(vanished(&row.name));
        }
        let settled = self.say_move(&link, &row, &row.folder, target, "settle").await?;
        judge(&link, &row, &settled, "remove the workspace's old folder").map_err(|error| {
            error.hint(format!("it is in {target}; remove the rest: agent-workspace repair {}", row.name))
        })?;
        Ok(moved)
    }

    /// Takes a move back that was cut off, or brings it to its end where it is written down.
    pub(super) async fn end_move(&self, workspace: &Workspace, from: &str, target: &str) -> Result<Outcome> {
        let Some(row) = self.row_of(workspace)? else { return Ok(Outcome::Nothing) };
        let link = self.link(&row.vm)?;
        if row.folder == target {
            self.say_move(&link, &row, from, target, "settle").await?;
            return Ok(Outcome::Nothing);
        }
        self.say_move(&link, &row, &row.folder, target, "abandon").await.map(|_| Outcome::TakenBack)
    }

    async fn say_move(&self, link: &Link, row: &WorkspaceRecord, from: &str, to: &str, what: &str) -> Result<Output> {
        let login = link.connection().await?.user().to_owned();
        let owner = self.owner()?;
        let words = [WORKSPACES, &row.name, from, &row.linux_user, &login, &row.create_id, &owner, to, what];
        link.ask(REHOME, &words, None, "move the workspace").await
    }

    /// Refuses a folder that is in another workspace's or around it.
    fn check_apart(&self, row: &WorkspaceRecord, target: &str) -> Result<()> {
        let rows = self.rows()?;
        let overlapping = rows.iter().filter(|other| other.vm == row.vm).find(|other| overlap(&other.folder, target));
        match overlapping {
            Some(other) => Err(Error::new(
                ErrorCode::PathOccupied,
                format!("{target} and workspace {} in {} overlap", other.name, other.folder),
            )
            .detail("workspace", other.name.clone())
            .detail("path", target)
            .hint("choose a folder beside it")),
            None => Ok(()),
        }
    }
}

/// A step that brought what is remembered in line with what there is.
fn of_row(step: &str) -> VmStep {
    VmStep { step: step.to_owned(), changed: true }
}

/// Whether one folder is the other, or in it.
fn overlap(one: &str, other: &str) -> bool {
    let is_in = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    is_in(one, other) || is_in(other, one)
}

fn moved_path(path: &str, from: &str, to: &str) -> String {
    path.strip_prefix(from).map_or_else(|| path.to_owned(), |rest| format!("{to}{rest}"))
}

/// What a script has refused.
fn judge(link: &Link, row: &WorkspaceRecord, output: &Output, doing: &str) -> Result<()> {
    let (name, vm) = (&row.name, &link.vm.name);
    let said = output.stderr.trim();
    let error = |code: ErrorCode, message: String| {
        let error = Error::new(code, message).detail("workspace", name.clone()).detail("vm", vm.clone());
        if said.is_empty() { error } else { error.cause(said) }
    };
    Err(match output.status {
        0 => return Ok(()),
        UNPREPARED => link.unprepared(),
        FOLDER_TAKEN => error(ErrorCode::NameTaken, format!("{} on VM {vm} is another workspace's", row.folder))
            .hint(format!("look at it there, or forget the workspace: agent-workspace rm --force {name}")),
        USER_TAKEN => error(ErrorCode::NameTaken, format!("the user {} on VM {vm} is somebody else's", row.linux_user))
            .hint(format!("rename it there: sudo usermod -l NEW_NAME {}", row.linux_user)),
        NOT_THERE => error(ErrorCode::WrongState, format!("workspace {name} is not in {} on VM {vm}", row.folder))
            .hint(format!("see: agent-workspace describe {name}; or forget it: agent-workspace rm {name}")),
        AT_WORK => error(ErrorCode::WrongState, format!("something runs in workspace {name}"))
            .hint(format!("end it first: agent-workspace stop {name}")),
        OCCUPIED => error(ErrorCode::PathOccupied, "something is where the workspace would be".to_owned())
            .hint("choose a folder that is not there"),
        NO_PLACE => error(ErrorCode::Unsupported, "a workspace cannot be there".to_owned()).hint(
            "choose a folder below one that is root's alone and passable for everybody: sudo mkdir -m 0711 /data",
        ),
        _ => failed(doing, output).detail("vm", vm.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_overlap_when_one_is_in_the_other_and_not_by_their_names() {
        assert!(overlap("/a/b", "/a/b") && overlap("/a", "/a/b") && overlap("/a/b/c", "/a/b"));
        assert!(!overlap("/a/b", "/a/bc") && !overlap("/a/b", "/c"));
    }

    #[test]
    fn a_path_moves_with_its_folder() {
        assert_eq!(moved_path("/s/x/work/o/r", "/s/x", "/data/x"), "/data/x/work/o/r");
        assert_eq!(moved_path("/elsewhere", "/s/x", "/data/x"), "/elsewhere");
    }
}
