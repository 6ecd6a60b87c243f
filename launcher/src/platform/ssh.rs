//! Machines that are there already. Nothing is made, so nothing is deleted, and nobody but their owner starts them.

use agent_workspace_contract::{ErrorCode, VmStatus};
use async_trait::async_trait;

use super::{NewVm, Platform};
use crate::error::{Error, Result};
use crate::ssh::RemoteTarget;
use crate::store::VmRecord;

/// The platform of machines that are there.
#[derive(Clone, Copy, Debug)]
pub struct Ssh;

#[async_trait]
impl Platform for Ssh {
    fn name(&self) -> &'static str {
        "ssh"
    }

    async fn create(&self, vm: &NewVm) -> Result<RemoteTarget> {
        Ok(vm.host.clone())
    }

    async fn status(&self, _: &VmRecord) -> Result<VmStatus> {
        Ok(VmStatus::Unreachable)
    }

    async fn start(&self, vm: &VmRecord) -> Result<bool> {
        Err(not_ours(vm, "started"))
    }

    async fn stop(&self, vm: &VmRecord) -> Result<bool> {
        Err(not_ours(vm, "stopped"))
    }

    async fn delete(&self, _: &VmRecord) -> Result<bool> {
        Ok(false)
    }
}

fn not_ours(vm: &VmRecord, done: &str) -> Error {
    Error::new(ErrorCode::Unsupported, format!("VM {} is a machine of your own, and is {done} by you alone", vm.name))
        .detail("vm", vm.name.clone())
        .detail("platform", "ssh")
        .hint(format!("do it where the machine is; then: agent-workspace vm describe {}", vm.name))
}
