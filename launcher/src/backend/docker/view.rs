//! Looking into what does not run: a short-lived container of the same image, with the same volumes read-only, that
//! can change nothing and reach nobody. What was frozen or stopped stays so.

use std::collections::HashMap;
use std::io::Read;
use std::time::Duration;

use agent_workspace_contract::ErrorCode;
use bollard::errors::Error as Bollard;
use bollard::models::{ContainerCreateBody, HealthConfig, HostConfig, Mount, MountType, MountVolumeOptions};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Method;

use super::labels::{LABEL_CREATE_ID, LABEL_VIEW, LABEL_WORKSPACE, mount_point};
use super::machine::DockerMachine;
use super::{Docker, encode};
use crate::backend::{HOME, Mounted, Purpose, USER, View, Workspace};
use crate::error::{Error, Result};
use crate::workspace::{ImageRef, WorkspaceName};

/// Who waits in a view while nobody runs anything: nobody.
const NOBODY: &str = "65534:65534";
/// The superuser, who may read everything in a view and change nothing.
const SUPERUSER: &str = "0";
/// More processes than git and find need.
const MOST_PROCESSES: i64 = 512;
/// No list of accounts is longer.
const LONGEST_PASSWD: u64 = 1 << 20;

impl Purpose {
    /// After what time a view ends by itself, so that nothing stays of a launcher that was killed.
    const fn lasts(self) -> Duration {
        match self {
            Self::Look => Duration::from_secs(300),
            // Packing and fetching may take half an hour each.
            Self::Rescue => Duration::from_secs(4500),
        }
    }
}

/// What a view is made of.
struct Plan<'a> {
    /// The workspace it looks into.
    name: &'a str,
    view_id: &'a str,
    image: &'a str,
    mounts: &'a [Mounted],
    /// Who looks, if that is known before it is made.
    user: Option<&'a str>,
    purpose: Purpose,
    /// Whether its own files can be written: something is to be brought there.
    writable: bool,
}

impl Plan<'_> {
    fn container_name(&self) -> String {
        format!("{}-view-{}", self.name, &self.view_id[..self.view_id.len().min(8)])
    }

    fn body(&self) -> ContainerCreateBody {
        let mark = (LABEL_CREATE_ID.to_owned(), self.view_id.to_owned());
        let mount = |mounted: &Mounted| Mount {
            typ: Some(MountType::VOLUME),
            source: Some(mounted.volume.clone()),
            target: Some(mounted.at.clone()),
            read_only: Some(true),
            volume_options: Some(MountVolumeOptions {
                no_copy: Some(true),
                // Only on a volume that somebody has removed meanwhile and that this would make anew.
                labels: Some(HashMap::from([mark.clone()])),
                ..MountVolumeOptions::default()
            }),
            ..Mount::default()
        };
        let keep_alive = format!("exec sleep {}", self.purpose.lasts().as_secs());
        let reads_all = self.user.is_none_or(|user| user == SUPERUSER);
        ContainerCreateBody {
            image: Some(self.image.to_owned()),
            user: Some(if self.user == Some(SUPERUSER) { SUPERUSER } else { NOBODY }.to_owned()),
            working_dir: Some("/".to_owned()),
            env: Some(vec![format!("HOME={HOME}")]),
            labels: Some(HashMap::from([
                (LABEL_VIEW.to_owned(), self.name.to_owned()),
                // An image that was made of a workspace would hand its mark on.
                (LABEL_WORKSPACE.to_owned(), String::new()),
                mark.clone(),
            ])),
            entrypoint: Some(vec![String::new()]),
            cmd: Some(["sh", "-c", &keep_alive].map(str::to_owned).to_vec()),
            healthcheck: Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..HealthConfig::default() }),
            host_config: Some(HostConfig {
                auto_remove: Some(true),
                mounts: Some(self.mounts.iter().map(mount).collect()),
                network_mode: Some("none".to_owned()),
                cap_drop: Some(vec!["ALL".to_owned()]),
                // The superuser of a view reads what belongs to others; nobody else gets anything of it.
                cap_add: reads_all.then(|| vec!["DAC_OVERRIDE".to_owned()]),
                security_opt: Some(vec!["no-new-privileges".to_owned()]),
                pids_limit: Some(MOST_PROCESSES),
                readonly_rootfs: Some(!self.writable),
                tmpfs: (!self.writable).then(|| HashMap::from([("/tmp".to_owned(), "mode=1777,size=64m".to_owned())])),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        }
    }
}

impl Docker {
    /// Opens a view into a workspace, whatever state it is in.
    ///
    /// Two calls in the plain case: create and start. The user that the launcher made in a plain image is only in the
    /// stopped container, and is asked for beside the create; what is on no volume is brought over.
    pub(super) async fn open_view(&self, workspace: &Workspace, purpose: Purpose, view_id: &str) -> Result<View> {
        let asked_for = workspace.recorded.as_ref().is_some_and(|recorded| recorded.user.is_some());
        let made_inside = workspace.made_by_us && !workspace.ready_made && !asked_for && workspace.user == USER;
        let user = match workspace.user.as_str() {
            "root" | "0" | "0:0" | "root:root" => SUPERUSER,
            user => user,
        };
        let outside = workspace.folders_outside();
        let plan = Plan {
            name: &workspace.name,
            view_id,
            image: workspace.image_id.as_deref().or(workspace.image.as_deref()).unwrap_or_default(),
            mounts: &workspace.mounts,
            user: (!made_inside).then_some(user),
            purpose,
            writable: purpose == Purpose::Rescue || !outside.is_empty(),
        };
        let made = async {
            let made = self.make_view(&plan).await?;
            made.ok_or_else(|| self.no_image(workspace))
        };
        let (id, user) = if made_inside {
            let (id, account) = tokio::join!(made, self.account(workspace));
            (id?, account?.unwrap_or_else(|| SUPERUSER.to_owned()))
        } else {
            (made.await?, user.to_owned())
        };
        for folder in outside {
            self.bring(workspace, folder, &id).await?;
        }
        self.start_view(id, plan.name, user).await
    }

    /// Opens a view onto volumes without a container, through the agent image; `None` where that is not local.
    /// Nobody knows who owned them, so the superuser looks.
    pub(super) async fn open_view_of_volumes(
        &self,
        name: &WorkspaceName,
        volumes: &[String],
        purpose: Purpose,
        view_id: &str,
    ) -> Result<Option<View>> {
        let mounts: Vec<Mounted> = volumes
            .iter()
            .filter_map(|volume| Some(Mounted { volume: volume.clone(), at: mount_point(volume)?.to_owned() }))
            .collect();
        let image = ImageRef::default_agent_image();
        let plan = Plan {
            name: name.canonical(),
            view_id,
            image: image.as_str(),
            mounts: &mounts,
            user: Some(SUPERUSER),
            purpose,
            writable: purpose == Purpose::Rescue,
        };
        match self.make_view(&plan).await? {
            Some(id) => self.start_view(id, plan.name, SUPERUSER.to_owned()).await.map(Some),
            None => Ok(None),
        }
    }

    /// Makes the container of a view; `None` when its image is not there.
    async fn make_view(&self, plan: &Plan<'_>) -> Result<Option<String>> {
        match self.send_counted(&plan.container_name(), plan.body(), plan.view_id).await {
            Ok(made) => Ok(Some(made.id)),
            Err(Bollard::DockerResponseServerError { status_code: 404, message })
                if message.to_ascii_lowercase().contains("image") =>
            {
                Ok(None)
            }
            Err(error) => Err(self.engine.explain(error, &doing(plan.name))),
        }
    }

    async fn start_view(&self, id: String, name: &str, user: String) -> Result<View> {
        let doing = doing(name);
        if let Err(refused) = self.engine.order(Method::POST, &format!("/containers/{id}/start"), &doing).await? {
            return Err(self.engine.explain_refusal(&refused, &doing));
        }
        let machine = DockerMachine { engine: self.engine.clone(), id: id.clone(), name: name.to_owned(), user };
        let (docker, name) = (self.clone(), name.to_owned());
        Ok(View::new(std::sync::Arc::new(machine), move || async move {
            docker.remove_container(&id, &format!("that looked into {name}")).await?;
            docker.own().made = false;
            Ok(())
        }))
    }

    /// The number of the user that was made in a stopped container, `uid:gid`; `None` when there is none.
    async fn account(&self, workspace: &Workspace) -> Result<Option<String>> {
        let Some(archive) = self.engine.archive(&workspace.id, "/etc/passwd", &doing(&workspace.name)).await? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let mut archive = archive;
        while let Some(frame) = archive.frame().await {
            let frame = frame.map_err(|error| self.engine.cut(&doing(&workspace.name), &error))?;
            if let Ok(data) = frame.into_data() {
                bytes.extend_from_slice(&data);
            }
            if bytes.len() as u64 > LONGEST_PASSWD {
                break;
            }
        }
        Ok(first_file(&bytes).and_then(|passwd| number_of(&passwd, &workspace.user)))
    }

    /// Brings a folder that is on no volume from a workspace into a view that has not been started.
    async fn bring(&self, workspace: &Workspace, folder: &str, view: &str) -> Result<()> {
        let doing = doing(&workspace.name);
        // With the dot, a link stands for what it leads to.
        let Some(archive) = self.engine.archive(&workspace.id, &format!("{folder}/."), &doing).await? else {
            return Ok(());
        };
        let target = |path: &str| format!("/containers/{view}/archive?path={}", encode(path));
        self.engine.put(&target("/"), http_body_util::Full::new(parents(folder)?), &doing).await?;
        self.engine.put(&target(folder), archive, &doing).await
    }

    fn no_image(&self, workspace: &Workspace) -> Error {
        let image = workspace.image.as_deref().unwrap_or("without a name");
        Error::new(ErrorCode::ImageNotFound, format!("the image {image} of workspace {} is gone", workspace.name))
            .detail("workspace", workspace.name.clone())
            .hint(format!("bring it back: docker pull {image}"))
    }
}

fn doing(name: &str) -> String {
    format!("look into workspace {name}")
}

/// The content of the first file of a tar that may be cut off after it.
fn first_file(tar: &[u8]) -> Option<String> {
    let mut archive = tar::Archive::new(tar);
    let entry = archive.entries().ok()?.next()?.ok()?;
    if !entry.header().entry_type().is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    entry.take(LONGEST_PASSWD).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// A user's numbers, from the text of `/etc/passwd`.
fn number_of(passwd: &str, user: &str) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let is_theirs = fields.next() == Some(user);
        let (uid, gid) = (fields.nth(1)?, fields.next()?);
        let (uid, gid): (u32, u32) = (uid.parse().ok()?, gid.parse().ok()?);
        is_theirs.then(|| format!("{uid}:{gid}"))
    })
}

/// A tar with a folder and those it is in.
fn parents(folder: &str) -> Result<Bytes> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut path = String::new();
    let mut add = || -> std::io::Result<Vec<u8>> {
        for part in folder.split('/').filter(|part| !part.is_empty()) {
            path = format!("{path}{part}/");
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Directory);
            header.set_size(0);
            header.set_mode(0o755);
            header.set_cksum();
            archive.append_data(&mut header, &path, std::io::empty())?;
        }
        std::mem::replace(&mut archive, tar::Builder::new(Vec::new())).into_inner()
    };
    add().map(Bytes::from).map_err(|error| {
        Error::new(ErrorCode::Internal, "an archive of folders could not be made").cause(error.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(user: Option<&str>, writable: bool) -> ContainerCreateBody {
        let mounts = [Mounted { volume: "agent-ws-a-work".to_owned(), at: "/work".to_owned() }];
        let plan = Plan {
            name: "agent-ws-a",
            view_id: "0123456789abcdef",
            image: "sha256:0",
            mounts: &mounts,
            user,
            purpose: Purpose::Look,
            writable,
        };
        assert_eq!(plan.container_name(), "agent-ws-a-view-01234567");
        plan.body()
    }

    #[test]
    fn a_view_can_change_nothing_and_reach_nobody() {
        for user in [None, Some("agent"), Some("0")] {
            for writable in [false, true] {
                let host = body(user, writable).host_config.unwrap();
                let mounts = host.mounts.unwrap();
                assert!(mounts.iter().all(|mount| mount.read_only == Some(true)));
                assert_eq!(host.network_mode.as_deref(), Some("none"));
                assert_eq!(host.cap_drop.unwrap(), ["ALL"]);
                assert_eq!(host.security_opt.unwrap(), ["no-new-privileges"]);
                assert_eq!((host.auto_remove, host.readonly_rootfs), (Some(true), Some(!writable)));
                assert!(host.pids_limit.is_some() && host.privileged.is_none());
            }
        }
        assert_eq!(body(Some("agent"), false).host_config.unwrap().cap_add, None);
    }

    #[test]
    fn a_view_is_no_workspace_and_carries_the_mark_of_its_call() {
        let labels = body(None, false).labels.unwrap();
        assert_eq!(labels[LABEL_VIEW], "agent-ws-a");
        assert_eq!(labels[LABEL_CREATE_ID], "0123456789abcdef");
        assert_eq!(labels[LABEL_WORKSPACE], "");
    }

    #[test]
    fn accounts_are_read_from_the_list_and_nonsense_is_none() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nagent:x:1001:1002::/home/agent:/bin/sh";
        assert_eq!(number_of(passwd, "agent").as_deref(), Some("1001:1002"));
        assert_eq!(number_of(passwd, "nobody"), None);
        assert_eq!(number_of("agent:x:-1:0\nagent\nagent:x:1", "agent"), None);
    }

    #[test]
    fn folders_above_a_folder_come_first() {
        let bytes = parents("/srv/a b/x").unwrap();
        let mut archive = tar::Archive::new(&bytes[..]);
        let paths: Vec<_> =
            archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().into_owned()).collect();
        assert_eq!(paths, ["srv/", "srv/a b/", "srv/a b/x/"].map(std::path::PathBuf::from));
    }
}
