//! Capability names: one name a promise that a consumer can ask for before relying on it.

macro_rules! capabilities {
    ($($variant:ident = $name:literal, $promise:literal;)*) => {
        /// A promise of this contract. A launcher lists only those it was built with.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Capability {
            $(#[doc = $promise] $variant,)*
        }

        impl Capability {
            /// Every name of the contract, the ten of the first version in their fixed order, then the later ones.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name used on the command line and in documents.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What a consumer may rely on when the name is listed.
            #[must_use]
            pub const fn promise(self) -> &'static str {
                match self { $(Self::$variant => $promise,)* }
            }
        }
    };
}

capabilities! {
    CapabilitiesCommand = "capabilities-command", "`capabilities` prints what this launcher can do as JSON";
    SupportsFlag = "supports-flag", "`--supports NAME` answers with exit code 0 or 1";
    Version = "version", "`--version` prints the version alone";
    CreateAlias = "create-alias", "`create` and `up` are the same command; the document says which was used";
    OutputJson = "output-json", "`create --output json` prints one document on stdout";
    TunnelNameV1 = "tunnel-name-v1", "tunnel names are sanitised and at most 20 characters long";
    TunnelJson = "tunnel-json", "`tunnel --detach --output json` prints one document on stdout";
    SecretsExplicitDir = "secrets-explicit-dir", "secrets are mounted only with `--secrets-dir`";
    RmDefaultVolumes = "rm-default-volumes", "`rm` removes the volumes too";
    RmKeepVolumesFlag = "rm-keep-volumes-flag", "`rm --keep-volumes` keeps the volumes";
    ErrorJson = "error-json", "with `--output json` every failure is a document with `error.code`";
    ExitCodesV1 = "exit-codes-v1", "exit codes follow the table of the contract";
    LsJson = "ls-json", "`ls --output json` prints one document";
    StartStopJson = "start-stop-json", "`start` and `stop` print one document and never do the other's work";
    RmJson = "rm-json", "`rm --output json` lists what was removed, kept and failed";
    DescribeJson = "describe-json", "`describe` prints one workspace and how to enter it";
    DoctorJson = "doctor-json", "`doctor --output json` lists what it checked, each with how to mend it";
    PruneJson = "prune-json", "`prune --output json` lists what was removed, kept and failed, with sizes";
    TransportV1 = "transport-v1", "documents of `create` and `describe` say how to enter the workspace, as data";
    SchemaCommand = "schema-command", "`schema` prints the JSON Schema of each document";
    FieldCommand = "field-command", "`field` reads one value of a document without a JSON parser";
    RequiresFlag = "requires-flag", "`--requires REQUIREMENT` checks the version by semver";
    UnsavedWorkV1 = "unsaved-work-v1", "`rm` refuses unsaved work with exit code 5 until `--force`";
    IfExistsFlag = "if-exists-flag", "`create --if-exists fail` and `rm --if-exists`";
    TimeoutFlag = "timeout-flag", "`--timeout DURATION` ends with exit code 124 after cleaning up";
    LogFormatJson = "log-format-json", "`--log-format json` makes stderr a stream of JSON events";
    ImageBuild = "image-build", "`image build` makes the agent image from an embedded Dockerfile";
    IsolationV1 = "isolation-v1", "`create --isolation standard|strict`, and `describe` says how high the walls are";
    CreatePlan = "create-plan", "`create --plan` prints what would be made and touches nothing";
    KeepOnFailureFlag = "keep-on-failure-flag", "`create --keep-on-failure` keeps what a failed create has made";
    SecretsReadonlyFlag = "secrets-readonly-flag", "`create --secrets-readonly` mounts secrets so that the workspace cannot change them";
    CodexProfileV1 = "codex-profile-v1", "`create --codex-profile` applies a profile of the secrets, or fails";
    SetupGitV1 = "setup-git-v1", "`create --setup-git` keeps a git credential for one host in the workspace, or fails";
    TokenStdinFlag = "token-stdin-flag", "`create --token-stdin` reads the token from stdin, so that it is in no environment";
    RmRescueV1 = "rm-rescue-v1", "`rm --rescue DIR` brings unsaved work out, proves that it restores, and then removes";
    ParseRepoCommand = "parse-repo-command", "`parse-repo` reads a repository by the rules of `create`, without an engine";
    TransportOptionsV1 = "transport-options-v1", "`describe --user --workdir` gives the transport of that user and folder";
    CompletionV1 = "completion-v1", "`completion SHELL` prints what completes command lines in that shell";
    CopyV1 = "copy-v1", "`copy` makes a workspace like another one, on any backend, with all of its work, or nothing";
    VmHostV1 = "vm-host-v1", "`vm-host add|list|remove` remember the machines that VMs are on";
    VmV1 = "vm-v1", "`vm create|list|describe|start|stop|reinit|delete` and what they print";
    VmPlatformSsh = "vm-platform-ssh", "`vm create --platform ssh --host HOST` takes in a Debian machine that is there";
    SshHostKeysV1 = "ssh-host-keys-v1", "a host that is not known is refused with its fingerprint, until `--accept-new-host-key`; one that has changed always";
    LsAllBackends = "ls-all-backends", "`ls` without `--backend` lists the workspaces of every backend and says which have answered, and names find their backend";
    ConfigV1 = "config-v1", "`config init|edit|sample|check`, and the defaults and templates of `config.toml`";
    AgentsV1 = "agents-v1", "`agent create|list|describe|reinit|delete`: agents as users of a VM, each with a home of its own";
    WorkspaceGrantsV1 = "workspace-grants-v1", "`workspace-grants grant|deny|list` say which workspaces of its VM an agent may enter";
    SshHostCertificatesV1 = "ssh-host-certificates-v1", "a host that an authority of known_hosts (`@cert-authority`) vouches for is believed";
    PassphraseFdFlag = "passphrase-fd-flag", "`--passphrase-fd N` reads the passphrase of encrypted SSH keys from a descriptor";
    VmLogs = "vm-logs", "`vm logs` prints what the steps of making a VM said";
    VmPortForward = "vm-port-forward", "`vm port-forward` carries ports of this machine to ports of a VM";
    VmSshConfigV1 = "vm-ssh-config-v1", "`vm ssh-config --install|--uninstall` has the user's own `ssh` know every VM as `awvm--NAME`";
    BackendDocker = "backend-docker", "workspaces are Docker containers and volumes";
    BackendHost = "backend-host", "`--backend host`: workspaces are folders of this machine, `isolation` says how high their walls are, and `create --isolation require` fails where there are none";
    RepairV1 = "repair-v1", "`repair NAME` proves and restores what belongs to a workspace on a VM, and `rehome NAME --to PATH` moves it";
    BackendVm = "backend-vm", "`--vm NAME` and `--backend vm`: workspaces are on Debian VMs, each with a Linux user of its own";
    AgentGitCredentialsV1 = "agent-git-credentials-v1", "`agent create` and `agent reinit` give the `git_credentials` of the agent's template, with tokens from `GIT_CREDENTIALS_NAME`";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ten_names_are_fixed_for_ever() {
        let first: Vec<_> = Capability::ALL.iter().take(10).map(|capability| capability.as_str()).collect();
        assert_eq!(
            first.join(" "),
            "capabilities-command supports-flag version create-alias output-json tunnel-name-v1 tunnel-json \
             secrets-explicit-dir rm-default-volumes rm-keep-volumes-flag"
        );
    }
}
