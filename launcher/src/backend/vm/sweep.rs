//! Taking workspaces of VMs away: the one that is meant, and what nothing uses. And looking into them before that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use agent_workspace_contract::{ErrorCode, FailedItem, KeptItem, RemovedItem, VmPhase};
use futures_util::future::join_all;

use super::link::Link;
use super::machine::{Nowhere, VmMachine};
use super::make::vanished;
use super::scripts::{Entry, SIZE, VIEW, sizes};
use super::{Vms, WORKSPACES, inside};
use crate::backend::examination::{VmFacts, VmsFacts};
use crate::backend::survey::{Cleared, Kind, Leaving, Reason, Sizes, Survey};
use crate::backend::{Removal, View, Workspace};
use crate::error::{Error, Result};
use crate::guest::reported;
use crate::machine::{Command, Machine, Places};
use crate::store::{VmRecord, WorkspaceRecord, WorkspaceState};

/// What a removal is called in documents when the folders stay.
const WORKSPACE: &str = "workspace";
/// What a folder is called until it is whole.
const NEW: &str = ".new-";

impl Vms {
    /// Removes a workspace, and its folders unless they are to be kept.
    pub(super) async fn take_away(&self, workspace: &Workspace, keep: bool) -> Result<Removal> {
        let _claim = self.claim(&workspace.name).await?;
        let row = self.row_of(workspace)?.filter(|row| row.state != WorkspaceState::Kept);
        // Somebody has removed it, and it may be made anew by now.
        let Some(row) = row else { return Ok(Removal::default()) };
        let link = self.link(&row.vm)?;
        // A VM that does not answer keeps its workspace, as it was.
        link.connection().await?;
        if keep && row.state == WorkspaceState::Ready {
            // Nobody is let in between who is no longer remembered afterwards.
            let _claim = self.claim_vm(&row.vm).await?;
            let said = self.say_remove(&link, &row, "keep").await?;
            let mut removal = Removal::default();
            removal.removed.push(RemovedItem { kind: WORKSPACE.to_owned(), id: row.name.clone() });
            if reported(&said, "kept") == Some("yes") {
                self.store.write()?.keep_workspace(&row.name, &row.create_id)?;
                removal.kept.push(KeptItem { kind: Kind::Folder.as_str().to_owned(), id: row.name });
            } else {
                self.store.write()?.forget_workspace(&row.name, &row.create_id)?;
            }
            return Ok(removal);
        }
        self.remove_whole(&link, &row).await
    }

    /// Removes folders that were kept.
    pub(super) async fn take_kept(&self, names: &[String]) -> Result<Removal> {
        let mut removal = Removal::default();
        for name in names {
            let _claim = self.claim(name).await?;
            let Some(row) = self.row(name)?.filter(|row| row.state == WorkspaceState::Kept) else { continue };
            let link = self.link(&row.vm)?;
            link.connection().await?;
            let Removal { removed, failed, .. } = self.remove_whole(&link, &row).await?;
            removal.removed.extend(removed);
            removal.failed.extend(failed);
        }
        Ok(removal)
    }

    /// Removes everything of a workspace. Until that is done, it is remembered as one that is being removed.
    async fn remove_whole(&self, link: &Link, row: &WorkspaceRecord) -> Result<Removal> {
        let mut removal = Removal::default();
        let (kind, id) = (Kind::Folder.as_str().to_owned(), row.name.clone());
        self.store.write()?.set_workspace_state(&row.name, &row.create_id, WorkspaceState::Removing)?;
        match self.finish_removing(link, row).await {
            Ok(()) => removal.removed.push(RemovedItem { kind, id }),
            Err(error) if error.is_out_of_reach() => return Err(error),
            Err(error) => {
                let cause = error.causes().first().map(|cause| format!(": {cause}")).unwrap_or_default();
                removal.failed.push(FailedItem { kind, id, message: format!("{error}{cause}") });
            }
        }
        Ok(removal)
    }

    /// Opens a look into a workspace's folder, whatever state it is in.
    pub(super) async fn open_view(&self, vm: &str, folder: &str, user: &str, view_id: &str) -> Result<View> {
        let link = self.link(vm)?;
        let places = super::places(folder);
        let scratch = format!("{}/.view-{view_id}", places.scratch);
        let places = Places { scratch: scratch.clone(), ..places };
        let machine = || VmMachine { places: places.clone(), ..inside(&link, folder, user) };
        self.views().insert(view_id.to_owned(), machine());
        let said = link.say(VIEW, &[folder, user, &scratch], None, "look into the workspace").await?;
        if reported(&said, "there") != Some("yes") {
            self.views().remove(view_id);
            return Ok(View::new(Arc::new(Nowhere { places }), || async { Ok(()) }));
        }
        let closing = machine();
        Ok(View::new(Arc::new(machine()), || async move { end_view(&closing).await }))
    }

    /// Removes the room of a look of this command. Returns whether there was one.
    pub(super) async fn close_view(&self, view_id: &str) -> Result<bool> {
        let Some(machine) = self.views().remove(view_id) else { return Ok(false) };
        end_view(&machine).await.map(|()| true)
    }

    /// Where folders are that nothing uses: of a workspace that was removed, or that no row is about.
    pub(super) async fn storage(&self, name: &str, volumes: &[String]) -> Result<(String, String, String)> {
        if let Some((vm, folder)) = volumes.iter().find_map(|volume| volume.split_once('/')) {
            let entry = self.entry(vm, folder).await?.ok_or_else(|| vanished(name))?;
            return Ok((vm.to_owned(), format!("{WORKSPACES}/{folder}"), entry.user));
        }
        let row = self.row(name)?.ok_or_else(|| vanished(name))?;
        Ok((row.vm, row.folder, row.linux_user))
    }

    /// Something of ours in a VM's folder of workspaces.
    async fn entry(&self, vm: &str, name: &str) -> Result<Option<Entry>> {
        let (link, owner) = (self.link(vm)?, self.owner()?);
        let entries = self.look(&link, &[], true).await?.entries;
        Ok(entries.into_iter().find(|entry| entry.name == name && entry.owner == owner))
    }

    /// Everything of ours that nothing uses, on the VMs that answer.
    pub(super) async fn look_around(&self) -> Result<Survey> {
        let mut survey = Survey::default();
        // Looking leaves no trace.
        let Some(records) = self.store.read()? else { return Ok(survey) };
        let (rows, owner) = (records.workspaces()?, records.owner()?);
        drop(records);
        let mut unanswered = Vec::new();
        let vms: Vec<VmRecord> = self.vms()?.into_iter().filter(|vm| vm.provisioning == VmPhase::Complete).collect();
        let asked = vms.iter().map(async |vm| {
            let link = self.link(&vm.name)?;
            self.look(&link, &[], true).await
        });
        for (vm, looked) in vms.iter().zip(join_all(asked).await) {
            let of_it = rows.iter().filter(|row| row.vm == vm.name);
            let looked = match looked {
                Ok(looked) => looked,
                Err(error) => {
                    unanswered.push(format!("{}: {error}", vm.name));
                    continue;
                }
            };
            let known: BTreeSet<&str> = of_it.clone().map(|row| row.create_id.as_str()).collect();
            for row in of_it {
                let is_free = !self.store.is_claimed_workspace(&row.name);
                match row.state {
                    WorkspaceState::Kept => survey.leavings.push(leaving_of(row, Reason::Unused)),
                    WorkspaceState::Creating if is_free => {
                        survey.leavings.push(leaving_of(row, Reason::NeverStarted));
                    }
                    WorkspaceState::Removing if is_free => survey.leavings.push(leaving_of(row, Reason::HalfRemoved)),
                    WorkspaceState::Ready if row.spec.as_ref().is_some_and(|spec| spec.clones) => {
                        survey.to_finish.push(self.made(row));
                    }
                    _ => {}
                }
            }
            let folders: BTreeSet<&str> =
                rows.iter().filter(|row| row.vm == vm.name).filter_map(|row| row.folder.rsplit('/').next()).collect();
            let strange = looked.entries.into_iter().filter(|entry| {
                let is_new = entry.name.strip_prefix(NEW).is_some_and(|id| !known.contains(id));
                let is_lost = self.prefix.covers(&entry.name) && !folders.contains(entry.name.as_str());
                (is_new && (entry.owner == owner || entry.owner.is_empty())) || (is_lost && entry.owner == owner)
            });
            survey.leavings.extend(strange.map(|entry| Leaving {
                kind: Kind::Folder,
                id: format!("{}/{}", vm.name, entry.name),
                name: entry.name.clone(),
                workspace: entry.name.clone(),
                made_at: entry.changed_at,
                create_id: Some(entry.name.strip_prefix(NEW).unwrap_or(&entry.create_id).to_owned()),
                reason: if entry.name.starts_with(NEW) { Reason::NeverStarted } else { Reason::Unused },
            }));
        }
        if !unanswered.is_empty() {
            survey.unfinished = Some(unanswered.join("; "));
        }
        Ok(survey)
    }

    /// Removes a leaving, unless it is something else by now.
    pub(super) async fn clear_away(&self, leaving: &Leaving) -> Result<Cleared> {
        let create_id = leaving.create_id.clone().unwrap_or_default();
        if let Some((vm, folder)) = leaving.id.split_once('/') {
            return self.clear_strange(vm, folder, &create_id).await;
        }
        let _claim = match self.store.claim_workspace(&leaving.name) {
            Ok(claim) => claim,
            Err(error) if error.code() == ErrorCode::WrongState => {
                return Ok(Cleared::InUse("a command is at work on it".to_owned()));
            }
            Err(error) => return Err(error),
        };
        let Some(row) = self.row(&leaving.name)? else { return Ok(Cleared::Gone) };
        let link = self.link(&row.vm)?;
        let is_same = row.create_id == create_id;
        match (leaving.reason, row.state) {
            (Reason::NeverStarted, WorkspaceState::Creating) if is_same => {
                self.take_back(&link, &row).await.map(|_| Cleared::Removed)
            }
            (Reason::Unused, WorkspaceState::Kept) | (Reason::HalfRemoved, WorkspaceState::Removing) if is_same => {
                self.cleared(&link, &row).await
            }
            // Half made: its create has come to an end, and not to a good one.
            (Reason::HalfMade, WorkspaceState::Ready) if is_same => self.cleared(&link, &row).await,
            _ => Ok(Cleared::InUse("it is something else by now".to_owned())),
        }
    }

    async fn cleared(&self, link: &Link, row: &WorkspaceRecord) -> Result<Cleared> {
        let Removal { failed, .. } = self.remove_whole(link, row).await?;
        match failed.into_iter().next() {
            None => Ok(Cleared::Removed),
            Some(failed) => Err(Error::new(ErrorCode::GuestFailed, failed.message)),
        }
    }

    /// Removes what no row is about.
    async fn clear_strange(&self, vm: &str, folder: &str, create_id: &str) -> Result<Cleared> {
        let _claim = self.claim(folder.strip_prefix(NEW).unwrap_or(folder)).await?;
        if self.rows()?.iter().any(|row| row.create_id == create_id) {
            return Ok(Cleared::InUse("it is something else by now".to_owned()));
        }
        let link = self.link(vm)?;
        let (owner, is_new) = (self.owner()?, folder.starts_with(NEW));
        let entries = self.look(&link, &[], true).await?.entries;
        let Some(entry) = entries.into_iter().find(|entry| entry.name == folder) else { return Ok(Cleared::Gone) };
        let row = WorkspaceRecord {
            name: folder.to_owned(),
            vm: vm.to_owned(),
            create_id: create_id.to_owned(),
            state: WorkspaceState::Removing,
            stopped: false,
            folder: format!("{WORKSPACES}/{}", folder.strip_prefix(NEW).unwrap_or(folder)),
            linux_user: entry.user,
            repo: None,
            spec: None,
            created_at: String::new(),
        };
        if !is_new && entry.owner != owner {
            return Ok(Cleared::InUse("it is another launcher's".to_owned()));
        }
        self.say_remove(&link, &row, if is_new { "undo" } else { "remove" }).await.map(|_| Cleared::Removed)
    }

    /// What takes how much, of what may be taken away.
    pub(super) async fn weigh(&self, of: &Survey) -> Result<Sizes> {
        let rows = self.rows()?;
        let mut by_vm: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
        let unfinished = of.to_finish.iter().map(|workspace| (workspace.name.clone(), workspace.name.clone()));
        let leavings = of.leavings.iter().map(|leaving| (leaving.id.clone(), leaving.name.clone()));
        let all = leavings.chain(unfinished);
        for (id, name) in all {
            if let Some((vm, folder)) = id.split_once('/') {
                by_vm.entry(vm.to_owned()).or_default().push((format!("{WORKSPACES}/{folder}"), name));
            } else if let Some(row) = rows.iter().find(|row| row.name == id) {
                by_vm.entry(row.vm.clone()).or_default().push((row.folder.clone(), name));
            }
        }
        let weighed = by_vm.into_iter().map(async |(vm, folders)| {
            let paths: Vec<&str> = folders.iter().map(|(folder, _)| folder.as_str()).collect();
            let said = self.link(&vm)?.say(SIZE, &paths, None, "see what the folders take").await?;
            let of_it = sizes(&said).into_iter().filter_map(|(path, bytes)| {
                let (_, name) = folders.iter().find(|(folder, _)| *folder == path)?;
                Some(((Kind::Folder, name.clone()), bytes))
            });
            Ok::<_, Error>(of_it.collect::<Vec<_>>())
        });
        let weighed = join_all(weighed).await.into_iter().collect::<Result<Vec<_>>>()?;
        Ok(weighed.into_iter().flatten().collect())
    }

    /// What there is to say of the VMs.
    pub(super) async fn examine_vms(&self) -> VmsFacts {
        let vms = match self.vms() {
            Ok(vms) => vms,
            Err(error) => return VmsFacts { vms: Err(error), survey: None },
        };
        let asked = vms.iter().map(async |vm| {
            let reached = match self.link(&vm.name) {
                Ok(link) => self.look(&link, &[], false).await.map(drop),
                Err(error) => Err(error),
            };
            VmFacts { name: vm.name.clone(), initialized: vm.initialization == VmPhase::Complete, reached }
        });
        let vms = join_all(asked).await;
        VmsFacts { vms: Ok(vms), survey: Some(self.look_around().await) }
    }
}

/// Removes the room of a look, as the user whose it is.
async fn end_view(machine: &VmMachine) -> Result<()> {
    let command = Command::script("rm -rf \"$1\"", &[&machine.places.scratch]);
    machine.run(command, &mut |_| {}).await.map(drop)
}

fn leaving_of(row: &WorkspaceRecord, reason: Reason) -> Leaving {
    Leaving {
        kind: Kind::Folder,
        id: row.name.clone(),
        name: row.name.clone(),
        workspace: row.name.clone(),
        made_at: row.created_at.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second),
        create_id: Some(row.create_id.clone()),
        reason,
    }
}
