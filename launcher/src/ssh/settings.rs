//! What holds for one host: what the system's `ssh -G` makes of `~/.ssh/config`, or without `ssh` its defaults.
//!
//! `ssh -G` is the only reader of that file that agrees with `ssh` (Include, Match, tokens), and it connects to nothing.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use agent_workspace_contract::ErrorCode;

use super::Client;
use super::target::RemoteTarget;
use crate::error::{Error, Result};
use crate::host::tokens;

/// Longer than any configuration takes to be read; `Match exec` runs commands.
const READING_LIMIT: Duration = Duration::from_secs(10);
/// How long a connection may take where nothing else is configured.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// What is done about a host that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strictness {
    /// It is refused.
    Refuse,
    /// It is believed and remembered.
    AcceptNew,
}

/// How one host is reached and recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// The host as it was named.
    pub(super) target: RemoteTarget,
    /// Where it is.
    pub(super) hostname: String,
    pub(super) port: u16,
    /// Who logs in.
    pub(super) user: String,
    /// The name it has in known_hosts, when not its own.
    pub(super) host_key_alias: Option<String>,
    pub(super) identity_files: Vec<PathBuf>,
    pub(super) certificate_files: Vec<PathBuf>,
    /// Whether the agent may offer only what the files name.
    pub(super) identities_only: bool,
    /// The socket of the agent.
    pub(super) agent: Option<PathBuf>,
    /// Where known hosts are remembered; the first is where new ones are written.
    pub(super) user_known_hosts: Vec<PathBuf>,
    pub(super) global_known_hosts: Vec<PathBuf>,
    /// A list of keys that no host is believed with.
    pub(super) revoked_host_keys: Option<PathBuf>,
    /// Whether names are hashed in what is written there.
    pub(super) hash_known_hosts: bool,
    pub(super) strictness: Strictness,
    /// The hosts on the way, the nearest first.
    pub(super) jumps: Vec<RemoteTarget>,
    /// A command whose streams lead there.
    pub(super) proxy_command: Option<String>,
    pub(super) connect_limit: Duration,
}

impl Settings {
    /// What holds for a host.
    ///
    /// # Errors
    /// `invalid_environment` when `ssh` cannot read its configuration or we cannot, `invalid_host` for a jump host that
    /// is none.
    pub(super) async fn of(client: &Client, target: &RemoteTarget) -> Result<Self> {
        match &client.program {
            Some(program) => Ok(Self::read(client, target, &Self::ask(program, target).await?)?.with_key(client)),
            None => Ok(Self::without_ssh(client, target).with_key(client)),
        }
    }

    /// What `ssh -G` says of a host.
    ///
    /// # Errors
    /// `invalid_environment` when it cannot read its configuration.
    pub(super) async fn ask(program: &Path, target: &RemoteTarget) -> Result<String> {
        let mut command = tokio::process::Command::new(program);
        command.arg("-G").args(target.words()).stdin(Stdio::null()).kill_on_drop(true);
        // `Match exec` runs what somebody's configuration says.
        tokens::keep_from(&mut command);
        let failed = |cause: String| {
            Error::new(ErrorCode::InvalidEnvironment, format!("ssh cannot say how to reach {target}"))
                .cause(cause)
                .hint(format!("see: ssh -G {}", target.pasted()))
        };
        let output = tokio::time::timeout(READING_LIMIT, command.output())
            .await
            .map_err(|_| failed("it took more than ten seconds".to_owned()))?
            .map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The same with the key that VMs are tried with too, after those that SSH is configured with.
    fn with_key(mut self, client: &Client) -> Self {
        let more = client.key.iter().filter(|key| !self.identity_files.contains(key)).cloned().collect::<Vec<_>>();
        self.identity_files.extend(more);
        self
    }

    /// What `ssh` does where nothing is configured.
    fn without_ssh(client: &Client, target: &RemoteTarget) -> Self {
        let file = |name: &str| client.home.join(".ssh").join(name);
        Self {
            target: target.clone(),
            hostname: target.host.clone(),
            port: target.port.unwrap_or(22),
            user: target.user.clone().unwrap_or_else(|| client.user.clone()),
            host_key_alias: None,
            identity_files: ["id_rsa", "id_ecdsa", "id_ed25519"].map(file).to_vec(),
            certificate_files: Vec::new(),
            identities_only: false,
            agent: client.agent.as_ref().map(PathBuf::from),
            user_known_hosts: ["known_hosts", "known_hosts2"].map(file).to_vec(),
            global_known_hosts: vec!["/etc/ssh/ssh_known_hosts".into(), "/etc/ssh/ssh_known_hosts2".into()],
            revoked_host_keys: None,
            hash_known_hosts: false,
            strictness: Strictness::Refuse,
            jumps: Vec::new(),
            proxy_command: None,
            connect_limit: CONNECT_LIMIT,
        }
    }

    /// Reads what `ssh -G` prints: a setting a line, its name in small letters first.
    fn read(client: &Client, target: &RemoteTarget, text: &str) -> Result<Self> {
        let mut settings = Self::without_ssh(client, target);
        settings.identity_files.clear();
        // First, as the names of files may contain them.
        for (name, value) in lines(text) {
            match name {
                "hostname" => value.clone_into(&mut settings.hostname),
                "user" => value.clone_into(&mut settings.user),
                "port" => settings.port = value.parse().unwrap_or(settings.port),
                _ => {}
            }
        }
        let (hostname, user) = (settings.hostname.clone(), settings.user.clone());
        let place = Place { client, target, hostname, user, port: settings.port };
        for (name, value) in lines(text) {
            match name {
                "identityfile" => settings.identity_files.extend(place.path(value)),
                "certificatefile" => settings.certificate_files.extend(place.path(value)),
                "identitiesonly" => settings.identities_only = value == "yes",
                "identityagent" => settings.agent = place.agent(value),
                "hostkeyalias" => settings.host_key_alias = Some(value.to_owned()),
                "userknownhostsfile" => settings.user_known_hosts = place.paths(value),
                "globalknownhostsfile" => settings.global_known_hosts = place.paths(value),
                // One that we cannot name is looked for as it stands: a list that is not there is a no to every host.
                "revokedhostkeys" if value != "none" => {
                    settings.revoked_host_keys = Some(place.path(value).unwrap_or_else(|| PathBuf::from(value)));
                }
                "hashknownhosts" => settings.hash_known_hosts = value == "yes",
                // `no` would believe a key that has changed; nothing here does.
                "stricthostkeychecking" if matches!(value, "accept-new" | "no" | "off" | "false") => {
                    settings.strictness = Strictness::AcceptNew;
                }
                "connecttimeout" => {
                    let seconds = value.parse().ok().filter(|seconds| *seconds > 0);
                    settings.connect_limit = seconds.map_or(CONNECT_LIMIT, Duration::from_secs);
                }
                "proxyjump" if value != "none" => {
                    settings.jumps = value.split(',').map(RemoteTarget::parse).collect::<Result<_>>()?;
                }
                "proxycommand" if value != "none" => settings.proxy_command = Some(place.expand_command(value)?),
                _ => {}
            }
        }
        Ok(settings)
    }

    /// The name that the host has in known_hosts: with its port, unless that is the usual one.
    pub(super) fn known_as(&self) -> String {
        match (&self.host_key_alias, self.port) {
            (Some(alias), _) => alias.clone(),
            (None, 22) => self.hostname.to_ascii_lowercase(),
            (None, port) => format!("[{}]:{port}", self.hostname.to_ascii_lowercase()),
        }
    }

    /// The name that a certificate of the host is made out to: without its port.
    pub(super) fn certified_as(&self) -> String {
        self.host_key_alias.clone().unwrap_or_else(|| self.hostname.to_ascii_lowercase())
    }

    /// The host and its port, for people.
    pub(super) fn address(&self) -> String {
        if self.hostname.contains(':') {
            format!("[{}]:{}", self.hostname, self.port)
        } else {
            format!("{}:{}", self.hostname, self.port)
        }
    }
}

pub(super) fn lines(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| line.split_once(' ')).map(|(name, value)| (name, value.trim()))
}

/// What the tokens in names of files stand for.
struct Place<'a> {
    client: &'a Client,
    target: &'a RemoteTarget,
    hostname: String,
    user: String,
    port: u16,
}

impl Place<'_> {
    fn paths(&self, value: &str) -> Vec<PathBuf> {
        value.split_whitespace().filter_map(|word| self.path(word)).collect()
    }

    /// A file; none for `none`, and none for a name with a token that we do not know: nothing is at a guess.
    fn path(&self, word: &str) -> Option<PathBuf> {
        if word == "none" {
            return None;
        }
        let expanded = self.expand(word.trim_matches('"'))?;
        Some(match expanded.strip_prefix("~/") {
            Some(rest) => self.client.home.join(rest),
            None => Path::new(&expanded).to_owned(),
        })
    }

    fn agent(&self, value: &str) -> Option<PathBuf> {
        match value {
            "none" => None,
            "SSH_AUTH_SOCK" | "$SSH_AUTH_SOCK" | "${SSH_AUTH_SOCK}" => self.client.agent.as_ref().map(PathBuf::from),
            other => self.path(other),
        }
    }

    fn expand(&self, word: &str) -> Option<String> {
        let mut expanded = String::new();
        let mut rest = word.chars();
        while let Some(c) = rest.next() {
            if c != '%' {
                expanded.push(c);
                continue;
            }
            match rest.next()? {
                '%' => expanded.push('%'),
                'd' => expanded += &self.client.home.to_string_lossy(),
                'h' => expanded += &self.hostname,
                'n' => expanded += &self.target.host,
                'p' => expanded += &self.port.to_string(),
                'r' => expanded += &self.user,
                'u' => expanded += &self.client.user,
                _ => return None,
            }
        }
        Some(expanded)
    }

    fn expand_command(&self, command: &str) -> Result<String> {
        self.expand(command).ok_or_else(|| {
            Error::new(
                ErrorCode::InvalidEnvironment,
                format!("the ProxyCommand of {} has a token that is not known: {command}", self.target),
            )
            .hint("it takes %%, %h, %n, %p and %r; see: man ssh_config")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Client {
        Client {
            home: "/home/me".into(),
            user: "me".to_owned(),
            agent: Some("/run/agent".to_owned()),
            ..Client::default()
        }
    }

    fn read(text: &str) -> Settings {
        Settings::read(&client(), &RemoteTarget::parse("box").unwrap(), text).unwrap()
    }

    #[test]
    fn what_ssh_says_holds() {
        let settings = read(
            "user root\nhostname vm.example.org\nport 2222\nidentityfile ~/.ssh/%n_key\nidentityfile /keys/%z\n\
             identitiesonly yes\nuserknownhostsfile /a/one ~/two\nstricthostkeychecking accept-new\n\
             proxyjump a@one:2200,two\nproxycommand none\nconnecttimeout 3\nhashknownhosts yes\n\
             revokedhostkeys ~/revoked\n",
        );
        assert_eq!(settings.revoked_host_keys, Some(PathBuf::from("/home/me/revoked")));
        assert_eq!(read("revokedhostkeys none\n").revoked_host_keys, None);
        assert_eq!((settings.user.as_str(), settings.address().as_str()), ("root", "vm.example.org:2222"));
        assert_eq!(settings.identity_files, [PathBuf::from("/home/me/.ssh/box_key")], "unknown tokens name no file");
        assert!(settings.identities_only && settings.hash_known_hosts && settings.proxy_command.is_none());
        assert_eq!(settings.user_known_hosts, [PathBuf::from("/a/one"), PathBuf::from("/home/me/two")]);
        assert_eq!(settings.strictness, Strictness::AcceptNew);
        assert_eq!(settings.jumps.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a@one:2200", "two"]);
        assert_eq!(settings.connect_limit, Duration::from_secs(3));
        assert_eq!(settings.known_as(), "[vm.example.org]:2222");
    }

    #[test]
    fn the_key_of_the_configuration_comes_after_those_of_ssh_and_once() {
        let with = |key: &str| {
            let client = Client { key: Some(key.into()), ..client() };
            read("identityfile /keys/a\nidentityfile /keys/b\n").with_key(&client).identity_files
        };
        assert_eq!(with("/keys/c"), [PathBuf::from("/keys/a"), "/keys/b".into(), "/keys/c".into()]);
        assert_eq!(with("/keys/a"), [PathBuf::from("/keys/a"), "/keys/b".into()]);
    }

    #[test]
    fn an_agent_can_be_named_and_forbidden() {
        let agent = |value: &str| read(&format!("identityagent {value}\n")).agent;
        assert_eq!(read("").agent, Some("/run/agent".into()));
        assert_eq!(agent("SSH_AUTH_SOCK"), Some("/run/agent".into()));
        assert_eq!(agent("~/other"), Some("/home/me/other".into()));
        assert_eq!(agent("none"), None);
    }

    #[test]
    fn a_proxy_command_is_told_the_host() {
        let settings = read("hostname vm\nport 22\nproxycommand nc %h %p\n");
        assert_eq!(settings.proxy_command.as_deref(), Some("nc vm 22"));
        let refused = Settings::read(&client(), &RemoteTarget::parse("box").unwrap(), "proxycommand nc %h %z\n");
        assert_eq!(refused.unwrap_err().code(), ErrorCode::InvalidEnvironment, "nothing is run at a guess");
    }

    #[test]
    fn strictness_is_only_ever_lowered_to_new_hosts() {
        for (value, expected) in
            [("ask", Strictness::Refuse), ("true", Strictness::Refuse), ("off", Strictness::AcceptNew)]
        {
            assert_eq!(read(&format!("stricthostkeychecking {value}\n")).strictness, expected, "{value}");
        }
    }
}
