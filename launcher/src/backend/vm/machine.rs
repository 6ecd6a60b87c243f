//! The inside of a workspace on a VM: commands are the workspace's user's, in the environment that it was made with.

use std::sync::Arc;

use agent_workspace_contract::{ErrorCode, Quoting, Transport};
use async_trait::async_trait;

use super::link::Link;
use crate::error::{Error, Result};
use crate::machine::{Command, Listener, Machine, Output, Places, Reader, Sink, Writer};
use crate::ssh::join;

/// Reads the environment from its file, which no argument and no other user shows, and becomes the command.
const BEGIN: &str = r#". "$0" && exec "$@""#;

/// One workspace.
pub(super) struct VmMachine {
    pub(super) link: Arc<Link>,
    /// Its user.
    pub(super) user: String,
    /// The file of its environment.
    pub(super) environment: String,
    pub(super) places: Places,
}

/// What makes a user of who logged in. Root needs no sudo for it, and may have none.
pub(super) fn become_user(login: &str, user: &str) -> Vec<String> {
    let words: Vec<String> = if login == "root" {
        let (uid, gid) = (format!("--reuid={user}"), format!("--regid={user}"));
        ["setpriv", &uid, &gid, "--init-groups", "--reset-env", "--"].map(str::to_owned).to_vec()
    } else {
        ["sudo", "-n", "-u", user, "--"].map(str::to_owned).to_vec()
    };
    words
}

impl VmMachine {
    /// What stands before a command's words.
    fn enter(&self, login: &str, user: &str, workdir: &str) -> Vec<String> {
        let mut words = become_user(login, user);
        words.extend(["env", "-C", workdir, "sh", "-c", BEGIN, &self.environment].map(str::to_owned));
        words
    }
}

#[async_trait]
impl Machine for VmMachine {
    async fn run(&self, command: Command, listener: Listener<'_>) -> Result<Output> {
        self.link.run(command, |login| self.enter(login, &self.user, &self.places.work), listener).await
    }

    async fn attach(&self, command: Command) -> Result<i64> {
        self.link.attach(command, |login| self.enter(login, &self.user, &self.places.work)).await
    }

    async fn fetch(&self, path: &str, sink: Sink<'_>) -> Result<()> {
        self.link.fetch(path, |login| self.enter(login, &self.user, &self.places.work), sink).await
    }

    async fn pipe(&self, command: Command, from: Reader<'_>, to: Writer<'_>) -> Result<Output> {
        self.link.pipe(command, |login| self.enter(login, &self.user, &self.places.work), from, to).await
    }

    fn places(&self) -> Places {
        self.places.clone()
    }

    fn own_user(&self) -> Option<&str> {
        Some(&self.user)
    }

    fn transport(&self, user: &str, workdir: &str) -> Transport {
        let login = self.link.vm.admin_user.as_deref().unwrap_or_default();
        let enter = join(&self.enter(login, user, workdir));
        let with = |flag: &str| {
            let mut words = vec!["ssh".to_owned(), flag.to_owned()];
            // A host that no longer reads as one is the business of who connects.
            words.extend(self.link.target().map_or_else(|_| vec![self.link.vm.host.clone()], |target| target.words()));
            words.push(enter.clone());
            words
        };
        Transport {
            exec: with("-T"),
            tty: with("-t"),
            user: user.to_owned(),
            workdir: workdir.to_owned(),
            quoting: Quoting::Shell,
        }
    }
}

/// Where a folder would be that is not there, as the VM has said: every look comes to its end and has found nothing.
pub(super) struct Nowhere {
    pub(super) places: Places,
}

#[async_trait]
impl Machine for Nowhere {
    async fn run(&self, _: Command, _: Listener<'_>) -> Result<Output> {
        Ok(Output { status: 0, stdout: "end\n".to_owned(), stderr: String::new() })
    }

    async fn attach(&self, _: Command) -> Result<i64> {
        Ok(0)
    }

    async fn fetch(&self, path: &str, _: Sink<'_>) -> Result<()> {
        Err(Error::new(ErrorCode::GuestFailed, format!("could not read {path}")).cause("it is not there"))
    }

    async fn pipe(&self, _: Command, _: Reader<'_>, _: Writer<'_>) -> Result<Output> {
        Err(Error::new(ErrorCode::GuestFailed, "the workspace's folder cannot be read").cause("it is not there"))
    }

    fn places(&self) -> Places {
        self.places.clone()
    }

    fn transport(&self, user: &str, workdir: &str) -> Transport {
        no_way(user, workdir)
    }
}

/// A workspace of a VM that was forgotten in the middle.
pub(super) struct Lost {
    pub(super) error: Error,
    pub(super) places: Places,
}

#[async_trait]
impl Machine for Lost {
    async fn run(&self, _: Command, _: Listener<'_>) -> Result<Output> {
        Err(self.error.clone())
    }

    async fn attach(&self, _: Command) -> Result<i64> {
        Err(self.error.clone())
    }

    async fn fetch(&self, _: &str, _: Sink<'_>) -> Result<()> {
        Err(self.error.clone())
    }

    async fn pipe(&self, _: Command, _: Reader<'_>, _: Writer<'_>) -> Result<Output> {
        Err(self.error.clone())
    }

    fn places(&self) -> Places {
        self.places.clone()
    }

    fn transport(&self, user: &str, workdir: &str) -> Transport {
        no_way(user, workdir)
    }
}

/// A transport where there is none.
fn no_way(user: &str, workdir: &str) -> Transport {
    Transport {
        exec: Vec::new(),
        tty: Vec::new(),
        user: user.to_owned(),
        workdir: workdir.to_owned(),
        quoting: Quoting::Shell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_needs_no_sudo_to_become_a_workspaces_user() {
        assert_eq!(become_user("admin", "ws--a").join(" "), "sudo -n -u ws--a --");
        let by_root = become_user("root", "ws--a").join(" ");
        assert_eq!(by_root, "setpriv --reuid=ws--a --regid=ws--a --init-groups --reset-env --");
    }
}
