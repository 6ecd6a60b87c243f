//! Making and starting a workspace on this machine.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use agent_workspace_contract::{ErrorCode, Isolation as Said};

use super::Folders;
use super::folder::{Folder, delete, word};
use super::holder::{Holder, MEMBER, end_strays};
use super::record::{FORM, Record, State, Walls, exports};
use super::walls::{PATH, Sight, System, accounts, shell, words};
use crate::backend::{Created, HOME, RecordedSpec, SECRET_DIR, Spec, USER, WORK};
use crate::error::{Error, Result};
use crate::host;
use crate::output::{Progress, warning};
use crate::phase::{Phase, Phases};
use crate::workspace::{Isolation, name};

/// By which a workspace is entered, also without us.
const ENTER: &str = concat!(include_str!("alone.sh"), include_str!("enter.sh"));
/// Our files beside a workspace's folders that name what it is given.
const ENVIRONMENT: &str = "environment";

impl Folders {
    /// Makes a workspace and starts it, or finds the one that has its name.
    pub(super) async fn make(&self, spec: &Spec, progress: &Progress, phases: &Phases) -> Result<Created> {
        let folder = self.folder(&spec.name);
        if let Some(record) = folder.read()?.filter(|record| record.state == State::Ready) {
            return Ok(Created { workspace: self.workspace(&folder, &record), new: false });
        }
        // Before anything is touched.
        let walls = phases.run(Phase::Create, self.decide(spec)).await?;
        phases.run(Phase::Create, self.make_locked(&folder, spec, walls, progress)).await
    }

    /// What walls a new workspace has. Where nobody asked for any, one without is better than none.
    async fn decide(&self, spec: &Spec) -> Result<Walls> {
        match spec.isolation {
            Isolation::None => Ok(Walls::None),
            Isolation::Strict => self.bubblewrap().probe().await.map(|()| Walls::Strict),
            Isolation::Require => self.bubblewrap().probe().await.map(|()| Walls::Process),
            Isolation::Standard => match self.bubblewrap().probe().await {
                Ok(()) => Ok(Walls::Process),
                Err(error) if spec.secrets.is_some() || error.code() != ErrorCode::Unsupported => Err(error),
                Err(_) => Ok(Walls::None),
            },
        }
    }

    async fn make_locked(&self, folder: &Folder, spec: &Spec, walls: Walls, progress: &Progress) -> Result<Created> {
        let _lock = folder.lock_new().await?;
        let before = folder.read()?;
        if let Some(record) = before.as_ref().filter(|record| record.state == State::Ready) {
            // Another create was faster.
            return Ok(Created { workspace: self.workspace(folder, record), new: false });
        }
        if let Some(Record { create_id, state: State::Creating, .. }) = &before {
            // Its create is dead, or it would hold the lock; what it has started may live.
            end_strays(create_id).await;
        }
        let found = before.is_some_and(|record| record.state == State::Kept || record.found);
        let mut record = Record {
            form: FORM,
            create_id: spec.create_id.clone(),
            created_at: host::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            state: State::Creating,
            walls,
            repo: spec.repo.clone(),
            spec: RecordedSpec {
                image: String::new(),
                path: self.places(folder, walls).locate(&spec.path),
                ..RecordedSpec::from(spec)
            },
            found,
        };
        if let Err(error) = folder.write(&record) {
            if !folder.file("record.json").exists() {
                // Nothing says whose it is, so that nothing else would take it back.
                let _ = delete(folder.to_trash()?).await;
            }
            return Err(error);
        }
        folder.furnish()?;
        folder.put("enter", ENTER)?;
        for (file, text) in accounts(shell()) {
            folder.put(file, &text)?;
        }
        folder.put(ENVIRONMENT, &exports(&self.environment(folder, &record, &spec.env)))?;
        self.hold(folder, &record).await?;
        record.state = State::Ready;
        folder.write(&record)?;
        if walls == Walls::None && spec.isolation != Isolation::None {
            let why = self
                .bubblewrap()
                .program()
                .err()
                .map_or_else(|| "bubblewrap does not work here".to_owned(), |error| error.message().to_owned());
            progress.warn(warning(
                "no_isolation",
                format!("{why}: what runs in {} may do what you may do on this machine", spec.name),
            ));
        }
        Ok(Created { workspace: self.workspace(folder, &record), new: true })
    }

    /// What commands in a workspace find in their environment.
    fn environment(&self, folder: &Folder, record: &Record, given: &[(String, String)]) -> BTreeMap<String, String> {
        let places = self.places(folder, record.walls);
        let mut variables: BTreeMap<String, String> = [
            ("HOME", places.home.clone()),
            ("LANG", "C.UTF-8".to_owned()),
            ("PATH", format!("{}/.local/bin:{PATH}", places.home)),
            ("SHELL", shell().to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        if record.walls == Walls::None {
            variables.insert("TMPDIR".to_owned(), places.scratch);
            variables.insert(MEMBER.to_owned(), record.create_id.clone());
        } else {
            variables.extend(["USER", "LOGNAME"].map(|name| (name.to_owned(), USER.to_owned())));
        }
        if let Some(secrets) = &record.spec.secrets {
            variables.insert(SECRET_DIR.to_owned(), secrets.mount.clone());
        }
        variables.extend(given.iter().cloned());
        variables
    }

    /// Starts what holds a workspace. For who has the lock.
    async fn hold(&self, folder: &Folder, record: &Record) -> Result<Holder> {
        let mut wall: Vec<OsString> = Vec::new();
        if record.walls != Walls::None {
            let program = self.bubblewrap().program()?;
            let secrets = record.spec.secrets.as_ref();
            if let Some(secrets) = secrets.filter(|secrets| !Path::new(&secrets.dir).is_dir()) {
                return Err(Error::new(
                    ErrorCode::InvalidSecrets,
                    format!("the folder of secrets {} is gone", secrets.dir),
                )
                .detail("dir", secrets.dir.clone())
                .hint(format!("bring it back: mkdir -p {}", word(Path::new(&secrets.dir)))));
            }
            if let Some(link) = secrets.and_then(|secrets| link_to(folder, &secrets.mount)) {
                // Bubblewrap would follow it before the walls stand, and make folders wherever it leads.
                return Err(Error::new(
                    ErrorCode::InvalidSecrets,
                    format!("workspace {} has put a link where secrets are mounted", folder.name()),
                )
                .detail("link", link.display().to_string())
                .hint(format!("take it away: rm {}", word(&link))));
            }
            let (hostname, _) = name::hostname(folder.name());
            let inside = words(&System::look(), folder, record.walls, &hostname, secrets, Sight::Inside);
            wall.extend(["unshare", "--user", "--map-root-user", "--"].map(OsString::from));
            wall.push(program.into());
            wall.extend(inside.into_iter().map(OsString::from));
        }
        Holder::start(folder, record, &wall).await
    }

    /// Makes a workspace running. Returns whether that changed anything.
    pub(super) async fn make_running(&self, folder: &Folder) -> Result<bool> {
        let Some(_lock) = folder.lock().await? else { return Err(gone(folder)) };
        let Some(mut record) = folder.read()?.filter(|record| record.state != State::Kept) else {
            return Err(gone(folder));
        };
        match Holder::find(folder) {
            Some(holder) if holder.is_whole && holder.is_paused => {
                holder.resume();
                return Ok(true);
            }
            Some(holder) if holder.is_whole => return Ok(false),
            _ => end_strays(&record.create_id).await,
        }
        if record.state == State::Creating && !folder.file(ENVIRONMENT).exists() {
            // What it was to be given was not written down, and is known to nobody any more.
            return Err(Error::new(
                ErrorCode::WrongState,
                format!("workspace {} was never finished: its create was cut off", folder.name()),
            )
            .detail("workspace", folder.name())
            .hint(format!("agent-workspace create --no-clone --name {}", folder.name())));
        }
        folder.furnish()?;
        self.hold(folder, &record).await?;
        if record.state != State::Ready {
            record.state = State::Ready;
            folder.write(&record)?;
        }
        Ok(true)
    }

    /// How high the walls of a workspace of a spec would be, by what is on this machine.
    pub(super) fn expected(&self, spec: &Spec) -> Said {
        match spec.isolation {
            Isolation::None => Said::None,
            Isolation::Strict => Said::Strict,
            Isolation::Standard | Isolation::Require if self.bubblewrap().is_there() => Said::Process,
            Isolation::Standard | Isolation::Require => Said::None,
        }
    }
}

/// The first link on the way to a place inside, in what the workspace may write. For when nothing of it runs.
fn link_to(folder: &Folder, mount: &str) -> Option<PathBuf> {
    let own = [(WORK, "work"), (HOME, "home"), ("/tmp", "tmp"), ("/var/tmp", "tmp")];
    let below = |(inside, file): (&str, &str)| Some((folder.file(file), Path::new(mount).strip_prefix(inside).ok()?));
    let (mut place, rest) = own.into_iter().find_map(below)?;
    rest.components().find_map(|part| {
        place.push(part);
        place.is_symlink().then(|| place.clone())
    })
}

/// A workspace that is gone by now.
pub(super) fn gone(folder: &Folder) -> Error {
    Error::new(ErrorCode::WorkspaceNotFound, format!("workspace {} was removed in the middle", folder.name()))
        .detail("workspace", folder.name())
        .hint("see: agent-workspace ls")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_on_the_way_to_a_mount_is_found_wherever_it_leads() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::new(root.path(), "a");
        std::fs::create_dir_all(folder.file("home/real")).unwrap();
        std::os::unix::fs::symlink("/nowhere", folder.file("home/link")).unwrap();
        for (mount, found) in [
            ("/home/agent/link", true),
            ("/home/agent/link/deep/er", true),
            ("/home/agent/real/secrets", false),
            ("/home/agent/absent", false),
            ("/srv/secrets", false),
        ] {
            assert_eq!(link_to(&folder, mount), found.then(|| folder.file("home/link")), "{mount}");
        }
    }
}
