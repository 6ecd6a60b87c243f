//! What this launcher can do, from what is compiled in and registered.

use agent_workspace_contract::Capability;

use crate::backend::{BACKENDS, DOCKER, HOST, VM};
use crate::platform::PLATFORMS;

/// The launcher's version, semver.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Every capability this launcher has, in the contract's order.
pub fn list() -> Vec<Capability> {
    Capability::ALL.iter().copied().filter(|capability| present(*capability)).collect()
}

/// Their names.
pub fn names() -> Vec<String> {
    list().into_iter().map(|capability| capability.as_str().to_owned()).collect()
}

/// Whether a promise is kept by this build. Exhaustive, so that a new promise must be decided here.
fn present(capability: Capability) -> bool {
    match capability {
        Capability::BackendDocker => BACKENDS.contains(&DOCKER),
        Capability::BackendHost => BACKENDS.contains(&HOST),
        Capability::BackendVm => BACKENDS.contains(&VM),
        Capability::VmPlatformSsh => PLATFORMS.contains(&"ssh"),
        Capability::CapabilitiesCommand
        | Capability::SupportsFlag
        | Capability::RepairV1
        | Capability::Version
        | Capability::CreateAlias
        | Capability::OutputJson
        | Capability::TunnelNameV1
        | Capability::TunnelJson
        | Capability::SecretsExplicitDir
        | Capability::RmDefaultVolumes
        | Capability::RmKeepVolumesFlag
        | Capability::ErrorJson
        | Capability::ExitCodesV1
        | Capability::LsJson
        | Capability::StartStopJson
        | Capability::RmJson
        | Capability::DescribeJson
        | Capability::DoctorJson
        | Capability::PruneJson
        | Capability::TransportV1
        | Capability::SchemaCommand
        | Capability::FieldCommand
        | Capability::RequiresFlag
        | Capability::UnsavedWorkV1
        | Capability::IfExistsFlag
        | Capability::TimeoutFlag
        | Capability::LogFormatJson
        | Capability::ImageBuild
        | Capability::IsolationV1
        | Capability::CreatePlan
        | Capability::KeepOnFailureFlag
        | Capability::SecretsReadonlyFlag
        | Capability::CodexProfileV1
        | Capability::SetupGitV1
        | Capability::TokenStdinFlag
        | Capability::RmRescueV1
        | Capability::ParseRepoCommand
        | Capability::TransportOptionsV1
        | Capability::CompletionV1
        | Capability::ConfigV1
        | Capability::VmHostV1
        | Capability::VmV1
        | Capability::SshHostKeysV1
        | Capability::LsAllBackends
        | Capability::AgentsV1
        | Capability::WorkspaceGrantsV1
        | Capability::SshHostCertificatesV1
        | Capability::PassphraseFdFlag
        | Capability::VmLogs
        | Capability::VmPortForward
        | Capability::CopyV1
        | Capability::VmSshConfigV1
        | Capability::AgentGitCredentialsV1 => true,
    }
}
