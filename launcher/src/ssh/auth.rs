//! Proving to a host who we are: the agent, key files, certificates. Nobody is asked for anything.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use agent_workspace_contract::ErrorCode;
use russh::client::{AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::{AgentClient, AgentStream};
use russh::keys::{Algorithm, Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey};

use super::connect::{Guard, lost};
use super::settings::Settings;
use crate::error::{Error, Result};
use crate::host::is_open_to_others;

/// How long an agent may take to say what it holds; nobody has to be asked for that.
const AGENT_LIMIT: Duration = Duration::from_secs(5);

type Agent = AgentClient<Box<dyn AgentStream + Send + Unpin>>;

/// Logs in as the user that the settings name, with the first thing that the host takes.
///
/// # Errors
/// `ssh_auth_failed` with everything that was tried, or the connection was lost.
pub(super) async fn log_in(session: &mut Handle<Guard>, settings: &Settings) -> Result<()> {
    let mut attempt = Attempt { session, settings, tried: Vec::new(), rsa_hash: None };
    if attempt.run().await? {
        return Ok(());
    }
    let Attempt { tried, .. } = attempt;
    let encrypted = tried.iter().any(|line| line.contains("encrypted"));
    let hint = if encrypted {
        "the launcher asks for no passphrase; give the key to the agent: ssh-add".to_owned()
    } else {
        format!("see what ssh itself does: ssh -v {}", settings.target.pasted())
    };
    let error = Error::new(
        ErrorCode::SshAuthFailed,
        format!("host {} lets nobody in as {} with the keys that there are", settings.address(), settings.user),
    )
    .detail("user", settings.user.clone())
    .hint(hint);
    if tried.is_empty() {
        return Err(error.cause("there is no agent and no key file"));
    }
    Err(tried.into_iter().fold(error, Error::cause))
}

struct Attempt<'a> {
    session: &'a mut Handle<Guard>,
    settings: &'a Settings,
    tried: Vec<String>,
    rsa_hash: Option<HashAlg>,
}

impl Attempt<'_> {
    /// What is in the agent and was named by a file first, then files, then what else the agent holds: servers hang up
    /// after a few wrong ones.
    async fn run(&mut self) -> Result<bool> {
        let (mut agent, held) = tokio::time::timeout(AGENT_LIMIT, self.agent()).await.unwrap_or_else(|_| {
            self.tried.push("the agent: it does not answer".to_owned());
            (None, Vec::new())
        });
        let named: Vec<PublicKey> = self.settings.identity_files.iter().filter_map(|file| public_key(file)).collect();
        let is_named = |identity: &AgentIdentity| named.iter().any(|key| same(key, &identity.public_key()));
        let (first, rest): (Vec<_>, Vec<_>) = held.iter().cloned().partition(is_named);
        if let Some(agent) = &mut agent
            && self.with_agent(agent, &first).await?
        {
            return Ok(true);
        }
        for file in self.settings.identity_files.clone() {
            if self.with_file(&file, &held).await? {
                return Ok(true);
            }
        }
        match &mut agent {
            Some(agent) if !self.settings.identities_only => self.with_agent(agent, &rest).await,
            _ => Ok(false),
        }
    }

    /// The agent, and what it holds.
    async fn agent(&mut self) -> (Option<Agent>, Vec<AgentIdentity>) {
        let Some(path) = self.settings.agent.clone() else { return (None, Vec::new()) };
        match AgentClient::connect_uds(&path).await {
            Ok(agent) => {
                let mut agent = agent.dynamic();
                if let Some(binding) = self.session.agent_session_binding() {
                    // Before anything is listed; older agents know nothing of it.
                    let _ = agent.bind_session(binding, false).await;
                }
                let held = agent.request_identities().await.unwrap_or_default();
                (Some(agent), held)
            }
            Err(error) => {
                self.tried.push(format!("the agent at {}: {error}", path.display()));
                (None, Vec::new())
            }
        }
    }

    async fn with_agent(&mut self, agent: &mut Agent, identities: &[AgentIdentity]) -> Result<bool> {
        for identity in identities {
            let user = self.settings.user.clone();
            let hash = self.hash(&identity.public_key().algorithm()).await?;
            let result = match identity {
                AgentIdentity::PublicKey { key, .. } => {
                    self.session.authenticate_publickey_with(user, key.clone(), hash, agent).await
                }
                AgentIdentity::Certificate { certificate, .. } => {
                    self.session.authenticate_certificate_with(user, certificate.clone(), hash, agent).await
                }
            };
            let key = identity.public_key();
            let what = format!("{} {} of the agent", key.algorithm(), key.fingerprint(HashAlg::Sha256));
            match result {
                Ok(result) if result.success() => return Ok(true),
                Ok(result) => self.refused(what, &result),
                Err(error) => {
                    self.still_there()?;
                    self.tried.push(format!("{what}: {error}"));
                }
            }
        }
        Ok(false)
    }

    async fn with_file(&mut self, file: &Path, held: &[AgentIdentity]) -> Result<bool> {
        let what = file.display().to_string();
        let key = match std::fs::read_to_string(file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => {
                self.tried.push(format!("{what}: {error}"));
                return Ok(false);
            }
            Ok(text) if text.contains("PRIVATE KEY") && is_open_to_others(file) => {
                self.tried.push(format!("{what}: others can read it, and ssh does not use it either; chmod 600"));
                return Ok(false);
            }
            Ok(text) => match russh::keys::decode_secret_key(&text, None) {
                Ok(key) => Arc::new(key),
                Err(russh::keys::Error::KeyIsEncrypted) => {
                    // In the agent it was tried already.
                    if !public_key(file).is_some_and(|key| held.iter().any(|held| same(&key, &held.public_key()))) {
                        self.tried.push(format!("{what}: it is encrypted, and the agent does not hold it"));
                    }
                    return Ok(false);
                }
                Err(error) => {
                    self.tried.push(format!("{what}: {error}"));
                    return Ok(false);
                }
            },
        };
        for certificate in self.certificates(file, &key) {
            let user = self.settings.user.clone();
            let result = self.session.authenticate_openssh_cert(user, Arc::clone(&key), certificate).await;
            if self.outcome(&format!("{what} with its certificate"), result)? {
                return Ok(true);
            }
        }
        let hash = self.hash(&key.algorithm()).await?;
        let with_hash = PrivateKeyWithHashAlg::new(key, hash);
        let result = self.session.authenticate_publickey(self.settings.user.clone(), with_hash).await;
        self.outcome(&what, result)
    }

    /// Certificates of a key: the one beside it, and those that are configured.
    fn certificates(&self, file: &Path, key: &PrivateKey) -> Vec<Certificate> {
        let mut beside = file.as_os_str().to_owned();
        beside.push("-cert.pub");
        let files = std::iter::once(PathBuf::from(beside)).chain(self.settings.certificate_files.iter().cloned());
        let certificates = files.filter_map(|file| russh::keys::load_openssh_certificate(file).ok());
        certificates.filter(|certificate| certificate.public_key() == key.public_key().key_data()).collect()
    }

    /// The hash that RSA keys sign with, asked of the host once.
    async fn hash(&mut self, algorithm: &Algorithm) -> Result<Option<HashAlg>> {
        if !matches!(algorithm, Algorithm::Rsa { .. }) {
            return Ok(None);
        }
        if self.rsa_hash.is_none() {
            let best = self.session.best_supported_rsa_hash().await.map_err(|error| lost(self.settings, &error))?;
            // A host that does not say is younger than SHA-1 all the same; one that knows nothing else is not signed for.
            self.rsa_hash = Some(best.flatten().unwrap_or(HashAlg::Sha256));
        }
        Ok(self.rsa_hash)
    }

    fn outcome(&mut self, what: &str, result: Result<AuthResult, russh::Error>) -> Result<bool> {
        match result {
            Ok(result) if result.success() => Ok(true),
            Ok(result) => {
                self.refused(what.to_owned(), &result);
                Ok(false)
            }
            Err(error) => {
                self.still_there()?;
                self.tried.push(format!("{what}: {error}"));
                Ok(false)
            }
        }
    }

    fn refused(&mut self, what: String, result: &AuthResult) {
        let more = matches!(result, AuthResult::Failure { partial_success: true, .. });
        let why = if more { "taken, and the host wants more than a key" } else { "refused" };
        self.tried.push(format!("{what}: {why}"));
    }

    /// A host that has hung up hears nothing more.
    fn still_there(&self) -> Result<()> {
        if !self.session.is_closed() {
            return Ok(());
        }
        let error = Error::new(
            ErrorCode::SshAuthFailed,
            format!("host {} hung up before one of the keys was taken", self.settings.address()),
        )
        .detail("user", self.settings.user.clone())
        .hint("name the one key in ~/.ssh/config: IdentityFile with IdentitiesOnly yes");
        Err(self.tried.iter().cloned().fold(error, Error::cause))
    }
}

/// The public half of a key file, from the file beside it.
fn public_key(file: &Path) -> Option<PublicKey> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".pub");
    russh::keys::load_public_key(Path::new(&beside)).or_else(|_| russh::keys::load_public_key(file)).ok()
}

fn same(one: &PublicKey, other: &PublicKey) -> bool {
    one.key_data() == other.key_data()
}
