//! The closed list of error codes. Exit code, retryable flag, summary, docs table and schema come from here.

use serde::{Serialize, Serializer};

use crate::Exit;

macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $exit:ident, $summary:literal;)*) => {
        /// Why a command failed, for programs. Finer than the exit code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum ErrorCode {
            $(#[doc = $summary] $variant,)*
        }

        impl ErrorCode {
            /// Every code, in alphabetical order of its name.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name printed in documents, snake case.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The exit code this error ends the process with.
            #[must_use]
            pub const fn exit(self) -> Exit {
                match self { $(Self::$variant => Exit::$exit,)* }
            }

            /// What the code means, as one phrase.
            #[must_use]
            pub const fn summary(self) -> &'static str {
                match self { $(Self::$variant => $summary,)* }
            }
        }
    };
}

error_codes! {
    AgentBusy = "agent_busy", Conflict, "processes of the agent are running, and --force was not given";
    AgentExists = "agent_exists", Conflict, "an agent of this name is on another VM, or is being deleted";
    AgentNotFound = "agent_not_found", NotFound, "there is no agent of this name";
    CapabilityAbsent = "capability_absent", Failed, "this launcher does not have the capability or version asked for";
    CloneFailed = "clone_failed", Failed, "git could not clone the repository or check out the ref";
    ConfigExists = "config_exists", Conflict, "there is a configuration already, and --force was not given";
    ConfigInvalid = "config_invalid", Usage, "the configuration file cannot be read, or something in it is wrong";
    ContainerVanished = "container_vanished", Conflict, "the container was removed or stopped by something else in the middle";
    CredentialsFailed = "credentials_failed", Failed, "git credentials could not be kept in the workspace";
    DiskFull = "disk_full", Failed, "no space is left where the engine keeps its data";
    EngineError = "engine_error", Failed, "the engine refused or failed a request";
    EngineTooOld = "engine_too_old", Unsupported, "the engine's API is older than the oldest supported one";
    EngineUnavailable = "engine_unavailable", Unavailable, "the engine does not run, refuses connections, answers something else, or the connection was lost";
    FieldAbsent = "field_absent", Failed, "the document has no value there, or null";
    GitAuthFailed = "git_auth_failed", Auth, "the git host refused the credentials given";
    GitAuthMissing = "git_auth_missing", Auth, "the git host wants credentials and none were given; there may be no such repository either";
    GitUnreachable = "git_unreachable", Unavailable, "the git host cannot be reached from the workspace";
    GitUntrusted = "git_untrusted", Auth, "the git host's certificate or host key is not trusted inside the workspace";
    GrantElsewhere = "grant_elsewhere", Conflict, "the workspace is on another VM than the agent";
    GuestFailed = "guest_failed", Failed, "a step inside the workspace or on the machine failed";
    HostKeyChanged = "host_key_changed", Auth, "the SSH host shows another key than the one it is known by, or a revoked one";
    HostKeyUnknown = "host_key_unknown", Auth, "the SSH host is not known, and --accept-new-host-key was not given";
    HostUnreachable = "host_unreachable", Unavailable, "the SSH host cannot be reached, or the connection was lost";
    ImageBuildFailed = "image_build_failed", Failed, "the engine could not build the image";
    ImageNotFound = "image_not_found", NotFound, "the image is not local and cannot be pulled";
    ImageUnusable = "image_unusable", Unsupported, "the image lacks what is needed (a shell, git)";
    InputRequired = "input_required", Usage, "something must be said by a flag, as the launcher never asks";
    Internal = "internal", Failed, "a defect of the launcher";
    Interrupted = "interrupted", Interrupted, "SIGINT arrived; what had been made was taken back";
    InvalidDocument = "invalid_document", Usage, "what was read is not one JSON document";
    InvalidEnvironment = "invalid_environment", Usage, "an environment variable or the engine's configuration has an invalid value";
    InvalidHost = "invalid_host", Usage, "not an SSH host";
    InvalidImage = "invalid_image", Usage, "not an image reference";
    InvalidName = "invalid_name", Usage, "not a name of a workspace, VM or VM host";
    InvalidRef = "invalid_ref", Usage, "not a git ref";
    InvalidRepo = "invalid_repo", Usage, "not a repository";
    InvalidSecrets = "invalid_secrets", Usage, "not a folder of secrets that may be mounted, or not a place to mount it";
    InvalidTunnelName = "invalid_tunnel_name", Usage, "not a tunnel name, or longer than 20 characters";
    NameTaken = "name_taken", Conflict, "a container that is not a workspace, a workspace of another backend or a user of the machine has this name";
    NetworkNotFound = "network_not_found", NotFound, "the engine has no network of this name";
    OutputFailed = "output_failed", Failed, "the answer could not be written to stdout";
    Partial = "partial", Partial, "some of several things failed";
    PathOccupied = "path_occupied", Conflict, "something else is where the repository would be cloned or the workspace moved";
    PortTaken = "port_taken", Conflict, "a port of this machine that was to be listened on is in use";
    ProfileFailed = "profile_failed", Failed, "the profile could not be applied in the workspace";
    RefConflict = "ref_conflict", Conflict, "the clone has changes that checking out the ref would lose or mix";
    RefNotFound = "ref_not_found", NotFound, "the repository has no such ref";
    RegistryAuthFailed = "registry_auth_failed", Auth, "the registry wants credentials or refused those given";
    RepoNotFound = "repo_not_found", NotFound, "the git host has no such repository, or hides it from this token";
    RescueFailed = "rescue_failed", Failed, "unsaved work could not be brought out whole, so that nothing was removed";
    ShellNotFound = "shell_not_found", NotFound, "the machine has no such login shell";
    SpecConflict = "spec_conflict", Conflict, "the workspace exists and holds another repository";
    SshAuthFailed = "ssh_auth_failed", Auth, "the SSH host refused every key that there is";
    SshConfigFailed = "ssh_config_failed", Failed, "the SSH configuration cannot be read or changed, or holds what is not of this launcher";
    StateFailed = "state_failed", Failed, "the state file cannot be read or written";
    StateTooNew = "state_too_new", Unsupported, "the state file was written by a newer launcher";
    TemplateNotFound = "template_not_found", NotFound, "the configuration has no template of this name";
    Terminated = "terminated", Terminated, "SIGTERM or SIGHUP arrived; what had been made was taken back";
    Timeout = "timeout", Timeout, "the time given by --timeout ran out; what had been made was taken back";
    TunnelCliMissing = "tunnel_cli_missing", Unsupported, "the image has no VS Code CLI";
    TunnelFailed = "tunnel_failed", Failed, "the tunnel process ended";
    Unhealthy = "unhealthy", Failed, "`doctor` found something that does not work";
    UnsavedWork = "unsaved_work", UnsavedWork, "removing it would destroy work that exists nowhere else";
    Unsupported = "unsupported", Unsupported, "this launcher or backend cannot do that";
    Usage = "usage", Usage, "the command line is wrong";
    VmBusy = "vm_busy", Conflict, "another command is at work on the VM";
    VmExists = "vm_exists", Conflict, "a VM of this name is on another host or has another template, or this host is another VM";
    VmHostExists = "vm_host_exists", Conflict, "a VM host of this name is at another address";
    VmHostInUse = "vm_host_in_use", Conflict, "VMs are on the VM host, and --force was not given";
    VmHostNotFound = "vm_host_not_found", NotFound, "there is no VM host of this name";
    VmInUse = "vm_in_use", Conflict, "workspaces or agents are remembered on the VM, and --force was not given";
    VmNotFound = "vm_not_found", NotFound, "there is no VM of this name";
    VmNotReady = "vm_not_ready", Conflict, "the VM's create has not come to its end";
    VmUnsuitable = "vm_unsuitable", Unsupported, "the machine is no Debian that can be prepared, or the user is not root there";
    WorkspaceExists = "workspace_exists", Conflict, "the workspace exists, and was to be new: --if-exists fail was given, or it was to be a copy";
    WorkspaceNotFound = "workspace_not_found", NotFound, "there is no such workspace";
    WrongState = "wrong_state", Conflict, "the workspace's container is in a state that does not allow it";
}

impl ErrorCode {
    /// Whether the same call may succeed later; follows from the exit code.
    #[must_use]
    pub const fn retryable(self) -> bool {
        self.exit().retryable()
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_listed_in_order_and_once() {
        let names: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(names, sorted);
    }

    #[test]
    fn no_error_ends_with_success() {
        assert!(ErrorCode::ALL.iter().all(|code| code.exit() != Exit::Ok));
    }

    #[test]
    fn only_unavailable_and_timeout_are_worth_a_retry() {
        for code in ErrorCode::ALL {
            assert_eq!(code.retryable(), matches!(code.exit().code(), 7 | 124), "{}", code.as_str());
        }
    }
}
