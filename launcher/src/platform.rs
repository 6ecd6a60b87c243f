//! Who makes VMs: `ssh` takes in a machine that is there. Others make, start, stop and delete machines of their own.

pub mod ssh;

use agent_workspace_contract::{ErrorCode, VmStatus};
use async_trait::async_trait;

use crate::error::{Error, Result, usage};
use crate::ssh::RemoteTarget;
use crate::store::VmRecord;

/// Every platform by name, the one that is used when none is asked for first.
pub const PLATFORMS: &[&str] = &["ssh"];

/// A VM that is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct NewVm {
    /// Its name.
    pub name: String,
    /// How SSH reaches the machine, or the machine that it will be on.
    pub host: RemoteTarget,
}

/// Makes machines and ends them. What is done inside a machine is no platform's business.
#[async_trait]
pub trait Platform: Send + Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// Makes the machine, and says how SSH reaches it.
    ///
    /// # Errors
    /// The platform's own.
    async fn create(&self, vm: &NewVm) -> Result<RemoteTarget>;

    /// What state a machine is in that does not answer.
    ///
    /// # Errors
    /// The platform's own.
    async fn status(&self, vm: &VmRecord) -> Result<VmStatus>;

    /// Starts a machine that does not answer. Returns whether that changed anything.
    ///
    /// # Errors
    /// `unsupported` where the platform cannot.
    async fn start(&self, vm: &VmRecord) -> Result<bool>;

    /// Stops a machine. Returns whether that changed anything.
    ///
    /// # Errors
    /// `unsupported` where the platform cannot.
    async fn stop(&self, vm: &VmRecord) -> Result<bool>;

    /// Deletes what `create` has made. Returns whether the machine is gone.
    ///
    /// # Errors
    /// The platform's own; then the VM is not to be forgotten.
    async fn delete(&self, vm: &VmRecord) -> Result<bool>;
}

/// The platform of a name.
///
/// # Errors
/// `usage` for one that there is not.
pub fn open(name: &str) -> Result<Box<dyn Platform>> {
    match name {
        "ssh" => Ok(Box::new(ssh::Ssh)),
        _ => Err(usage(format!("there is no platform {name:?}"))
            .hint(format!("one of: {}", PLATFORMS.join(", ")))
            .detail("platform", name)),
    }
}

/// The platform of a VM that is remembered.
///
/// # Errors
/// `unsupported` for one that this launcher does not know.
pub fn of(vm: &VmRecord) -> Result<Box<dyn Platform>> {
    open(&vm.platform).map_err(|_| {
        let message = format!("VM {} is of platform {:?}, which this launcher does not know", vm.name, vm.platform);
        Error::new(ErrorCode::Unsupported, message)
            .detail("vm", vm.name.clone())
            .detail("platform", vm.platform.clone())
            .hint(format!("use the launcher that has made it; this one knows: {}", PLATFORMS.join(", ")))
    })
}
