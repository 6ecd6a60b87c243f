//! Making a workspace on a VM, and taking back what a create has made.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use agent_workspace_contract::{ErrorCode, VmPhase};

use super::Vms;
use super::link::{Link, UNPREPARED};
use super::scripts::{FOLDER_TAKEN, MAKE, REMOVE, USER_TAKEN};
use crate::backend::host::exports;
use crate::backend::{Created, RecordedSpec, Spec};
use crate::error::{Error, Result};
use crate::guest::vm::WORKSPACES;
use crate::guest::{failed, joined, reported};
use crate::machine::{Output, Secret};
use crate::output::Progress;
use crate::phase::{Phase, Phases};
use crate::store::{Claim, VmRecord, WorkspaceRecord, WorkspaceState};
use crate::undo::Outcome;
use crate::workspace::linux_name;

/// Where programs are.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How often a name that another command is at work on is tried.
const PAUSE: Duration = Duration::from_millis(50);
/// How long who is admitted to a workspace waits for others who change that on its VM.
const CLAIM_PATIENCE: Duration = Duration::from_secs(120);
/// How long taking back waits for an order that was given to be carried out.
const PATIENCE: Duration = Duration::from_secs(15);

/// A workspace that this command makes.
pub(super) struct Making {
    row: WorkspaceRecord,
    /// Whether it is made of folders that were kept.
    kept: bool,
    /// The order that was given, whoever waits for it.
    order: Option<tokio::task::JoinHandle<()>>,
}

impl Vms {
    /// Makes a workspace, or finds the one that has its name.
    pub(super) async fn make(&self, spec: &Spec, progress: &Progress, phases: &Phases) -> Result<Created> {
        phases.run(Phase::Create, self.make_claimed(spec, progress)).await
    }

    async fn make_claimed(&self, spec: &Spec, progress: &Progress) -> Result<Created> {
        // Who has this name may be another create, which is done with it soon.
        let _claim = self.claim(&spec.name).await?;
        let mut before = self.row(&spec.name)?;
        let vm = self.choose(spec, before.as_ref())?;
        if let Some(row) = before.as_ref().filter(|row| row.vm != vm.name) {
            return Err(Error::new(
                ErrorCode::SpecConflict,
                format!("workspace {} exists on VM {}, not on {}", row.name, row.vm, vm.name),
            )
            .detail("workspace", row.name.clone())
            .detail("vm", row.vm.clone())
            .hint(format!("choose another --name, or say --vm {}", row.vm)));
        }
        match before.as_ref().map(|row| (row, row.state)) {
            Some((row, WorkspaceState::Ready)) => {
                let workspace = self.look_at(row.clone()).await?;
                return Ok(Created { workspace, new: false });
            }
            Some((row, WorkspaceState::Unknown)) => return Err(unknown(row)),
            _ => {}
        }
        progress.detail("connecting", &format!("connecting to {}", vm.host));
        let link = self.link(&vm.name)?;
        // Before anything is written down: a VM that does not let us in leaves no trace.
        let login = link.connection().await?.user().to_owned();
        if let Some(row) = before.as_ref().filter(|row| row.state != WorkspaceState::Kept) {
            // Nobody is at work on it, or we had no claim.
            match row.state {
                WorkspaceState::Removing => self.finish_removing(&link, row).await?,
                _ => self.take_back(&link, row).await.map(drop)?,
            }
            before = self.row(&spec.name)?;
        }
        self.make_new(spec, &link, &login, before.as_ref()).await
    }

    /// Makes one that is not there. `kept` is what was kept of an earlier one of its name.
    async fn make_new(
        &self,
        spec: &Spec,
        link: &Arc<Link>,
        login: &str,
        kept: Option<&WorkspaceRecord>,
    ) -> Result<Created> {
        let folder = kept.map_or_else(|| format!("{WORKSPACES}/{}", spec.name), |kept| kept.folder.clone());
        let mut row = WorkspaceRecord {
            name: spec.name.clone(),
            vm: link.vm.name.clone(),
            create_id: spec.create_id.clone(),
            state: WorkspaceState::Creating,
            stopped: false,
            linux_user: kept.map_or_else(|| linux_name::of_workspace(&spec.name), |kept| kept.linux_user.clone()),
            repo: spec.repo.clone(),
            spec: None,
            created_at: String::new(),
            folder,
        };
        let places = super::places(&row.folder);
        row.spec =
            Some(RecordedSpec { image: String::new(), path: places.locate(&spec.path), ..RecordedSpec::from(spec) });
        // From here until its group has its members, nobody else changes who is admitted.
        let claim = self.claim_vm(&row.vm).await?;
        let mut records = self.store.write()?;
        let making = Making { row: row.clone(), kept: kept.is_some(), order: None };
        self.makings().insert(row.create_id.clone(), making);
        if let Some(other) = records.intend_workspace(&row)? {
            return Err(Error::new(
                ErrorCode::WrongState,
                format!("another command is at work on workspace {}", other.name),
            )
            .detail("workspace", other.name)
            .hint("try again in a moment"));
        }
        let (owner, admitted) = (records.owner()?, records.admitted(&row.name)?);
        drop(records);
        let environment = Secret::new(exports(&environment(&row, &spec.env)));
        let mut words: Vec<String> = [
            WORKSPACES,
            &row.name,
            &row.folder,
            &row.linux_user,
            login,
            &row.create_id,
            &owner,
            if kept.is_some() { "yes" } else { "no" },
        ]
        .map(str::to_owned)
        .to_vec();
        words.extend(admitted);
        let output = self.order(link, &row, words, environment, claim).await?;
        self.judge(link, &row, kept.is_some(), &output)?;
        let mut records = self.store.write()?;
        let is_ours = records.set_workspace_state(&row.name, &row.create_id, WorkspaceState::Ready)?;
        let row = records.workspace(&row.name)?.filter(|_| is_ours).ok_or_else(|| vanished(&row.name))?;
        drop(records);
        Ok(Created { workspace: self.made(&row), new: true })
    }

    /// Gives the order to make it. Whoever stops waiting for it does not stop it: what takes back waits for its end,
    /// or it might be carried out afterwards. The claim is held as long.
    async fn order(
        &self,
        link: &Arc<Link>,
        row: &WorkspaceRecord,
        words: Vec<String>,
        environment: Secret,
        claim: Claim,
    ) -> Result<Output> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let link = Arc::clone(link);
        let order = tokio::spawn(async move {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let made = link.ask(MAKE, &words, Some(environment), "make the workspace").await;
            drop(claim);
            let _ = sender.send(made);
        });
        if let Some(making) = self.makings().get_mut(&row.create_id) {
            making.order = Some(order);
        }
        receiver.await.unwrap_or_else(|_| Err(vanished(&row.name)))
    }

    /// What making it came to. Where nothing was touched, nothing is remembered.
    fn judge(&self, link: &Link, row: &WorkspaceRecord, kept: bool, output: &Output) -> Result<()> {
        let said = output.stderr.trim().to_owned();
        let taken = |what: &str| {
            Error::new(
                ErrorCode::NameTaken,
                format!("VM {} has {what} that is not workspace {}'s", link.vm.name, row.name),
            )
            .cause(said.clone())
            .detail("workspace", row.name.clone())
            .detail("vm", link.vm.name.clone())
            .hint("choose another name: --name NAME")
        };
        let error = match output.status {
            0 => return Ok(()),
            UNPREPARED => link.unprepared(),
            FOLDER_TAKEN => taken("a folder"),
            USER_TAKEN => taken("a user"),
            _ => return Err(failed("make the workspace", output).detail("vm", link.vm.name.clone())),
        };
        self.makings().remove(&row.create_id);
        self.forget(row, kept)?;
        Err(error)
    }

    /// Forgets a workspace, or remembers that its folders are kept. Returns whether it was known.
    fn forget(&self, row: &WorkspaceRecord, kept: bool) -> Result<bool> {
        let mut records = self.store.write()?;
        if kept {
            records.keep_workspace(&row.name, &row.create_id)
        } else {
            records.forget_workspace(&row.name, &row.create_id)
        }
    }

    /// The VM that a new workspace is to be on: the one that was said, where the one of its name is, or the only one.
    fn choose(&self, spec: &Spec, there: Option<&WorkspaceRecord>) -> Result<VmRecord> {
        let vms = self.vms()?;
        let named = spec.vm.as_ref().or(there.map(|row| &row.vm)).or(spec.default_vm.as_ref());
        if let Some(name) = named {
            let vm = vms.into_iter().find(|vm| vm.name == *name).ok_or_else(|| super::no_vm(name))?;
            return if is_usable(&vm) { Ok(vm) } else { Err(not_usable(&vm)) };
        }
        let usable: Vec<VmRecord> = vms.into_iter().filter(is_usable).collect();
        match <[VmRecord; 1]>::try_from(usable) {
            Ok([vm]) => Ok(vm),
            Err(usable) if usable.is_empty() => Err(Error::new(
                ErrorCode::VmNotFound,
                "there is no VM that workspaces could be on",
            )
            .hint("take a machine in: agent-workspace vm create NAME --host admin@vm.example.org; or see: agent-workspace vm list")),
            Err(usable) => {
                let names: Vec<String> = usable.into_iter().map(|vm| vm.name).collect();
                Err(Error::new(ErrorCode::InputRequired, format!("there are several VMs: {}", names.join(", ")))
                    .hint(format!("say which: --vm {}", names[0]))
                    .detail("flag", "--vm")
                    .detail("vms", names))
            }
        }
    }

    /// A claim to a workspace, once nobody else has it.
    pub(super) async fn claim(&self, name: &str) -> Result<Claim> {
        loop {
            match self.store.claim_workspace(name) {
                Err(error) if error.code() == ErrorCode::WrongState => tokio::time::sleep(PAUSE).await,
                laid => return laid,
            }
        }
    }

    /// A claim to a VM, by who reads who is admitted to a workspace and changes its group.
    pub(super) async fn claim_vm(&self, vm: &str) -> Result<Claim> {
        self.store.claim_within(vm, CLAIM_PATIENCE).await
    }

    /// Takes back what the call of this mark has made, unless somebody else has come to count on it.
    pub(super) async fn undo(&self, create_id: &str) -> Result<Outcome> {
        if self.close_view(create_id).await? {
            return Ok(Outcome::TakenBack);
        }
        let making = self.makings().remove(create_id);
        let mut row = self.rows()?.into_iter().find(|row| row.create_id == create_id);
        match making {
            Some(Making { row: ordered, order: Some(order), .. }) => {
                let _ = tokio::time::timeout(PATIENCE, order).await;
                row = row.or(Some(ordered));
            }
            // It did not come to the order, and nothing was touched.
            Some(Making { kept, order: None, .. }) => {
                let Some(row) = row else { return Ok(Outcome::Nothing) };
                return self.forget(&row, kept).map(Outcome::from);
            }
            None => {}
        }
        let Some(row) = row.filter(|row| row.state != WorkspaceState::Kept) else { return Ok(Outcome::Nothing) };
        let link = self.link(&row.vm)?;
        if row.state == WorkspaceState::Ready && joined::abandon(&*self.inside(&link, &row)).await {
            return Err(Error::new(
                ErrorCode::WrongState,
                format!("another create has come back to {}, and takes it back if it fails too", row.name),
            ));
        }
        self.take_back(&link, &row).await.map(Outcome::from)
    }

    /// Removes what one create has made, on the VM and then here, and leaves folders that were there before it. Returns
    /// whether there was anything.
    pub(super) async fn take_back(&self, link: &Link, row: &WorkspaceRecord) -> Result<bool> {
        let said = self.say_remove(link, row, "undo").await?;
        let stays = reported(&said, "left") == Some("ours") || reported(&said, "kept") == Some("yes");
        let known = self.forget(row, stays)?;
        Ok(known || reported(&said, "removed") == Some("yes"))
    }

    /// Goes on with a removal that was cut off.
    pub(super) async fn finish_removing(&self, link: &Link, row: &WorkspaceRecord) -> Result<()> {
        self.say_remove(link, row, "remove").await?;
        self.store.write()?.forget_workspace(&row.name, &row.create_id).map(drop)
    }

    /// Has a workspace removed on its VM, and returns what was said of it.
    pub(super) async fn say_remove(&self, link: &Link, row: &WorkspaceRecord, mode: &str) -> Result<String> {
        let owner = self.owner()?;
        let args = [WORKSPACES, &row.name, &row.folder, &row.linux_user, &row.create_id, &owner, mode];
        link.say(REMOVE, &args, None, "remove the workspace").await
    }
}

/// What commands in a workspace find in their environment.
fn environment(row: &WorkspaceRecord, given: &[(String, String)]) -> BTreeMap<String, String> {
    let mut variables = base_environment(row);
    variables.extend(given.iter().cloned());
    variables
}

/// What every workspace's commands find there.
pub(super) fn base_environment(row: &WorkspaceRecord) -> BTreeMap<String, String> {
    let places = super::places(&row.folder);
    [
        // By which its processes are told from those of other workspaces.
        ("AGENT_WORKSPACE_ID", row.create_id.clone()),
        ("HOME", places.home.clone()),
        ("LANG", "C.UTF-8".to_owned()),
        ("LOGNAME", row.linux_user.clone()),
        ("PATH", format!("{}/.local/bin:{PATH}", places.home)),
        ("TMPDIR", places.scratch),
        ("USER", row.linux_user.clone()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn is_usable(vm: &VmRecord) -> bool {
    (vm.provisioning, vm.initialization) == (VmPhase::Complete, VmPhase::Complete)
}

fn not_usable(vm: &VmRecord) -> Error {
    let name = &vm.name;
    let error =
        Error::new(ErrorCode::VmNotReady, format!("VM {name} is not ready for workspaces")).detail("vm", name.clone());
    if vm.provisioning == VmPhase::Complete {
        return error.hint(format!("prepare it: agent-workspace vm reinit {name}"));
    }
    error.hint(format!("see how to go on with it: agent-workspace vm describe {name}"))
}

fn unknown(row: &WorkspaceRecord) -> Error {
    Error::new(ErrorCode::Unsupported, format!("workspace {} is in a state that this launcher does not know", row.name))
        .detail("workspace", row.name.clone())
        .hint("use the launcher that wrote it, or a newer one")
}

/// A workspace that was removed in the middle.
pub(super) fn vanished(name: &str) -> Error {
    Error::new(ErrorCode::ContainerVanished, format!("workspace {name} was removed in the middle"))
        .detail("workspace", name)
        .hint("see: agent-workspace ls")
}
