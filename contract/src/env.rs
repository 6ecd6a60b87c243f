//! Environment variables that the launcher reads, with what each means.

macro_rules! variables {
    ($($variant:ident = $name:literal, $meaning:literal;)*) => {
        /// An environment variable that the launcher reads.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum EnvVar {
            $(#[doc = $meaning] $variant,)*
        }

        impl EnvVar {
            /// Every variable, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in the environment.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it does, as one sentence for the documentation.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

variables! {
    AgentEnvImage = "AGENT_ENV_IMAGE", "image of new workspaces, after `--image` and before the configuration file";
    CodexEnvImage = "CODEX_ENV_IMAGE", "the same, older name";
    WorkspacePrefix = "AGENT_WORKSPACE_PREFIX", "prefix of container names; default `agent-ws`";
    CodexWorkspacePrefix = "CODEX_WORKSPACE_PREFIX", "the same, older name";
    Backend = "AGENT_WORKSPACE_BACKEND", "backend, after `--backend`; default is that of the configuration file, then `docker`";
    Config = "AGENT_WORKSPACE_CONFIG", "the configuration file";
    XdgConfigHome = "XDG_CONFIG_HOME", "the same with `/agent-workspace/config.toml` behind it, when that is not set; default `~/.config`";
    Visual = "VISUAL", "the editor of `config edit`, with its arguments";
    Editor = "EDITOR", "the same, used when `VISUAL` is not set";
    StateDir = "AGENT_WORKSPACE_STATE_DIR", "folder of what the launcher keeps on this machine: the workspaces of the backend `host`, and the file that remembers VMs";
    XdgStateHome = "XDG_STATE_HOME", "the same with `/agent-workspace` behind it, when that is not set; default `~/.local/state`";
    SecretsMount = "DEFAULT_SECRETS_MOUNT", "where `--secrets-dir` is mounted, after `--secrets-mount`; default `/home/agent/codex_secrets`";
    GithubHost = "GITHUB_HOST", "host of OWNER/REPO, after `--host`; default `github.com`";
    GhToken = "GH_TOKEN", "token for cloning, handed to git inside the workspace over a pipe and kept nowhere, and for `--setup-git`, which keeps it there";
    GithubToken = "GITHUB_TOKEN", "the same, used when `GH_TOKEN` is not set";
    DockerHost = "DOCKER_HOST", "address of the engine: `unix://`, `tcp://`, `ssh://`";
    DockerContext = "DOCKER_CONTEXT", "docker context to use when `DOCKER_HOST` is not set";
    DockerConfig = "DOCKER_CONFIG", "folder of the docker client's configuration; default `~/.docker`";
    DockerTlsVerify = "DOCKER_TLS_VERIFY", "when not empty, `tcp://` uses TLS and verifies the engine";
    DockerCertPath = "DOCKER_CERT_PATH", "folder of `ca.pem`, `cert.pem` and `key.pem` for TLS";
    SshAuthSock = "SSH_AUTH_SOCK", "socket of the SSH agent, unless `~/.ssh/config` names another";
    XdgRuntimeDir = "XDG_RUNTIME_DIR", "where the sockets of rootless engines are looked for";
    Home = "HOME", "home of the docker client's configuration, of `~/.ssh`, of the configuration and of the state; never mounted into a workspace";
}
