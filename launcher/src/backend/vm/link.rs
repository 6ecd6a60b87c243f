//! One VM: a connection that is opened when it is first needed, and shared by all that a command does there.

use std::sync::Arc;
use std::time::Duration;

use agent_workspace_contract::{ErrorCode, VmPhase};

use crate::error::{Error, Result};
use crate::guest::{cut_off_host, failed, said_all};
use crate::machine::{Command, Listener, Machine, Output, Reader, Secret, Sink, Who, Writer};
use crate::ssh::{self, Connection, RemoteTarget, SshMachine};
use crate::store::VmRecord;

/// How long a VM that is merely looked at may take to answer.
const LOOK_LIMIT: Duration = Duration::from_secs(10);
/// What a script says with when the VM is not prepared.
pub(super) const UNPREPARED: i64 = 80;

/// One VM.
pub(super) struct Link {
    /// What is remembered of it.
    pub(super) vm: VmRecord,
    client: ssh::Client,
    way: tokio::sync::Mutex<Way>,
}

/// How far the connection is.
enum Way {
    Unopened,
    Open(Arc<Connection>),
    /// It did not let us in, and nobody waits for that twice.
    Closed(Error),
}

impl Link {
    pub(super) fn new(vm: VmRecord, client: ssh::Client) -> Self {
        Self { vm, client, way: tokio::sync::Mutex::new(Way::Unopened) }
    }

    /// The host, as SSH reaches it.
    pub(super) fn target(&self) -> Result<RemoteTarget> {
        RemoteTarget::parse(&self.vm.host)
    }

    /// The connection.
    ///
    /// # Errors
    /// `vm_not_ready`, or those of connecting.
    pub(super) async fn connection(&self) -> Result<Arc<Connection>> {
        let mut way = self.way.lock().await;
        match &*way {
            Way::Open(connection) => return Ok(Arc::clone(connection)),
            Way::Closed(error) => return Err(error.clone()),
            Way::Unopened => {}
        }
        let name = &self.vm.name;
        if self.vm.provisioning != VmPhase::Complete {
            return Err(Error::new(ErrorCode::VmNotReady, format!("making VM {name} has not come to its end"))
                .detail("vm", name.clone())
                .hint(format!("see how to go on with it: agent-workspace vm describe {name}")));
        }
        match Connection::open(&self.client, &self.target()?, false).await {
            Ok(connection) => {
                *way = Way::Open(Arc::clone(&connection));
                Ok(connection)
            }
            Err(error) => {
                let error = error.detail("vm", name.clone());
                *way = Way::Closed(error.clone());
                Err(error)
            }
        }
    }

    /// Does something over the connection. One that was lost is opened anew the next time.
    async fn over<T>(&self, act: impl AsyncFnOnce(SshMachine) -> Result<T>) -> Result<T> {
        let connection = self.connection().await?;
        let done = act(SshMachine::new(Arc::clone(&connection))).await;
        done.map_err(|error| {
            if error.code() == ErrorCode::HostUnreachable
                && let Ok(mut way) = self.way.try_lock()
                && matches!(&*way, Way::Open(open) if Arc::ptr_eq(open, &connection))
            {
                *way = Way::Unopened;
            }
            if error.is_out_of_reach() { error.detail("vm", self.vm.name.clone()) } else { error }
        })
    }

    /// Runs a command by who is made of who logged in by the words that `enter` gives.
    pub(super) async fn run(
        &self,
        command: Command,
        enter: impl FnOnce(&str) -> Vec<String>,
        listener: Listener<'_>,
    ) -> Result<Output> {
        let login = self.connection().await?.user().to_owned();
        self.over(async |machine| machine.entering(enter(&login)).run(command, listener).await).await
    }

    /// The same on the caller's terminal.
    pub(super) async fn attach(&self, command: Command, enter: impl FnOnce(&str) -> Vec<String>) -> Result<i64> {
        let login = self.connection().await?.user().to_owned();
        self.over(async |machine| machine.entering(enter(&login)).attach(command).await).await
    }

    /// Gives a file or folder as that user reads it.
    pub(super) async fn fetch(
        &self,
        path: &str,
        enter: impl FnOnce(&str) -> Vec<String>,
        sink: Sink<'_>,
    ) -> Result<()> {
        let login = self.connection().await?.user().to_owned();
        self.over(async |machine| machine.entering(enter(&login)).fetch(path, sink).await).await
    }

    /// Runs a command of that user's between two streams.
    pub(super) async fn pipe(
        &self,
        command: Command,
        enter: impl FnOnce(&str) -> Vec<String>,
        from: Reader<'_>,
        to: Writer<'_>,
    ) -> Result<Output> {
        let login = self.connection().await?.user().to_owned();
        self.over(async |machine| machine.entering(enter(&login)).pipe(command, from, to).await).await
    }

    /// Runs a script of ours as root, and returns what it said with its status.
    ///
    /// # Errors
    /// The connection's own, `host_unreachable` also when the script did not say that it came to its end.
    pub(super) async fn ask(&self, script: &str, args: &[&str], stdin: Option<Secret>, doing: &str) -> Result<Output> {
        let command = Command::script(script, args).run_by(Who::Root).reading(stdin);
        let output = self.run(command, |_| Vec::new(), &mut |_| {}).await?;
        if output.status == 0 && !said_all(&output.stdout) {
            return Err(cut_off_host(doing).detail("vm", self.vm.name.clone()));
        }
        Ok(output)
    }

    /// The same of a script that only fails in ways that nobody expects.
    ///
    /// # Errors
    /// `vm_not_ready` when the VM is not prepared, `guest_failed`, or those of [`Self::ask`].
    pub(super) async fn say(&self, script: &str, args: &[&str], stdin: Option<Secret>, doing: &str) -> Result<String> {
        let output = self.ask(script, args, stdin, doing).await?;
        match output.status {
            0 => Ok(output.stdout),
            UNPREPARED => Err(self.unprepared()),
            _ => Err(failed(doing, &output).detail("vm", self.vm.name.clone())),
        }
    }

    /// Does what only looks, for as long as a look may take.
    ///
    /// # Errors
    /// `host_unreachable` when the time has gone by, or the look's own.
    pub(super) async fn looking<T>(&self, look: impl Future<Output = Result<T>>) -> Result<T> {
        if let Ok(looked) = tokio::time::timeout(LOOK_LIMIT, look).await {
            return looked;
        }
        let name = &self.vm.name;
        let error = Error::new(ErrorCode::HostUnreachable, format!("VM {name} cannot be reached"))
            .cause(format!("it did not answer within {} seconds", LOOK_LIMIT.as_secs()))
            .detail("vm", name.clone())
            .hint(format!("look at the machine, then: agent-workspace vm describe {name}"));
        // Who does not answer a look is not waited for again by this command.
        if let Ok(mut way) = self.way.try_lock() {
            *way = Way::Closed(error.clone());
        }
        Err(error)
    }

    /// A VM without the folders and programs that workspaces need.
    pub(super) fn unprepared(&self) -> Error {
        let name = &self.vm.name;
        Error::new(ErrorCode::VmNotReady, format!("VM {name} is not prepared for workspaces"))
            .detail("vm", name.clone())
            .hint(format!("prepare it: agent-workspace vm reinit {name}"))
    }
}
