//! Proving to a host who we are: the agent, key files, certificates. Nobody is asked for anything.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use agent_workspace_contract::ErrorCode;
use russh::client::{AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::{AgentClient, AgentStream};
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey};
use russh::{AgentAuthError, Signer};

use super::connect::{End, Guard, lost, unreachable};
use super::settings::Settings;
use crate::error::{Error, Result};
use crate::host::is_open_to_others;
use crate::machine::Secret;

/// How long a session whose host has gone may take to notice.
const END_LIMIT: Duration = Duration::from_millis(200);
/// How long an agent may take to say what it holds; nobody has to be asked for that.
const AGENT_LIMIT: Duration = Duration::from_secs(5);

type Agent = AgentClient<Box<dyn AgentStream + Send + Unpin>>;

/// Logs in as the user that the settings name, with the first thing that the host takes.
///
/// # Errors
/// `ssh_auth_failed` with everything that was tried, `host_unreachable` when the connection was lost.
pub(super) async fn log_in(
    session: &mut Handle<Guard>,
    settings: &Settings,
    passphrase: Option<&Secret>,
    end: &mut End,
) -> Result<()> {
    let mut attempt = Attempt { session, settings, passphrase, end, tried: Vec::new(), locked: None, rsa_hash: None };
    if attempt.run().await? {
        return Ok(());
    }
    let Attempt { tried, locked, .. } = attempt;
    let hint = match locked {
        Some(Locked::NoPassphrase) => {
            "the launcher asks for no passphrase; give the key to the agent: ssh-add, or the passphrase by \
             --passphrase-fd"
                .to_owned()
        }
        Some(Locked::WrongPassphrase) => {
            "look at what --passphrase-fd gives; the first line of it is the passphrase".to_owned()
        }
        None => format!("see what ssh itself does: ssh -v {}", settings.target.pasted()),
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

/// Why a key file could not be opened.
#[derive(Clone, Copy)]
enum Locked {
    NoPassphrase,
    WrongPassphrase,
}

struct Attempt<'a> {
    session: &'a mut Handle<Guard>,
    settings: &'a Settings,
    passphrase: Option<&'a Secret>,
    end: &'a mut End,
    tried: Vec<String>,
    locked: Option<Locked>,
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
                    if self.with_agent_and_files(agent, key, hash).await? {
                        return Ok(true);
                    }
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
                Ok(result) => self.refused(what, &result).await?,
                Err(error) => {
                    self.still_there().await?;
                    self.tried.push(format!("{what}: {error}"));
                }
            }
        }
        Ok(false)
    }

    /// A key that the agent holds, with certificates of it that are in files.
    async fn with_agent_and_files(
        &mut self,
        agent: &mut Agent,
        key: &PublicKey,
        hash: Option<HashAlg>,
    ) -> Result<bool> {
        let beside =
            self.settings.identity_files.iter().filter(|file| public_key(file).is_some_and(|it| same(&it, key)));
        let beside: Vec<PathBuf> = beside.map(|file| certificate_beside(file)).collect();
        for certificate in self.certificates(beside, key.key_data()) {
            let user = self.settings.user.clone();
            let mut signer = BareKey { agent, key };
            let result = self.session.authenticate_certificate_with(user, certificate, hash, &mut signer).await;
            let what =
                format!("{} {} of the agent with its certificate", key.algorithm(), key.fingerprint(HashAlg::Sha256));
            match result {
                Ok(result) if result.success() => return Ok(true),
                Ok(result) => self.refused(what, &result).await?,
                Err(error) => {
                    self.still_there().await?;
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
                    if public_key(file).is_some_and(|key| held.iter().any(|held| same(&key, &held.public_key()))) {
                        return Ok(false);
                    }
                    match self.opened(&what, text).await {
                        Some(key) => Arc::new(key),
                        None => return Ok(false),
                    }
                }
                Err(error) => {
                    self.tried.push(format!("{what}: {error}"));
                    return Ok(false);
                }
            },
        };
        for certificate in self.certificates(vec![certificate_beside(file)], key.public_key().key_data()) {
            let user = self.settings.user.clone();
            let result = self.session.authenticate_openssh_cert(user, Arc::clone(&key), certificate).await;
            if self.outcome(&format!("{what} with its certificate"), result).await? {
                return Ok(true);
            }
        }
        let hash = self.hash(&key.algorithm()).await?;
        let with_hash = PrivateKeyWithHashAlg::new(key, hash);
        let result = self.session.authenticate_publickey(self.settings.user.clone(), with_hash).await;
        self.outcome(&what, result).await
    }

    /// An encrypted key, by the passphrase that was given. What keeps a passphrase from being guessed takes its time.
    async fn opened(&mut self, what: &str, text: String) -> Option<PrivateKey> {
        let Some(passphrase) = self.passphrase.cloned() else {
            self.locked = self.locked.or(Some(Locked::NoPassphrase));
            self.tried.push(format!("{what}: it is encrypted, and the agent does not hold it"));
            return None;
        };
        let open = move || {
            let passphrase = str::from_utf8(passphrase.expose()).ok()?;
            russh::keys::decode_secret_key(&text, Some(passphrase)).ok()
        };
        let key = tokio::task::spawn_blocking(open).await.ok().flatten();
        if key.is_none() {
            self.locked = Some(Locked::WrongPassphrase);
            self.tried.push(format!("{what}: it is encrypted, and not with the passphrase of --passphrase-fd"));
        }
        key
    }

    /// Certificates of a key: those beside it, and those that are configured.
    fn certificates(&self, beside: Vec<PathBuf>, key: &KeyData) -> Vec<Certificate> {
        let files = beside.into_iter().chain(self.settings.certificate_files.iter().cloned());
        let certificates = files.filter_map(|file| russh::keys::load_openssh_certificate(file).ok());
        certificates.filter(|certificate| certificate.public_key() == key).collect()
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

    async fn outcome(&mut self, what: &str, result: Result<AuthResult, russh::Error>) -> Result<bool> {
        match result {
            Ok(result) if result.success() => Ok(true),
            Ok(result) => {
                self.refused(what.to_owned(), &result).await?;
                Ok(false)
            }
            Err(error) => {
                self.still_there().await?;
                self.tried.push(format!("{what}: {error}"));
                Ok(false)
            }
        }
    }

    async fn refused(&mut self, what: String, result: &AuthResult) -> Result<()> {
        // The library takes the end of a session for a no.
        if self.session.is_closed() {
            self.still_there().await?;
        }
        let more = matches!(result, AuthResult::Failure { partial_success: true, .. });
        let why = if more { "taken, and the host wants more than a key" } else { "refused" };
        self.tried.push(format!("{what}: {why}"));
        Ok(())
    }

    /// A host that has hung up hears nothing more. It says so when it has heard enough; a connection that is lost does
    /// not.
    async fn still_there(&mut self) -> Result<()> {
        let Ok(said) = tokio::time::timeout(END_LIMIT, self.end.reached()).await else { return Ok(()) };
        let Some(said) = said else {
            return Err(unreachable(self.settings, "the connection was lost before it let us in"));
        };
        let error = Error::new(
            ErrorCode::SshAuthFailed,
            format!("host {} hung up before one of the keys was taken", self.settings.address()),
        )
        .cause(said)
        .detail("user", self.settings.user.clone())
        .hint("name the one key in ~/.ssh/config: IdentityFile with IdentitiesOnly yes");
        Err(self.tried.iter().cloned().fold(error, Error::cause))
    }
}

/// Signs with a key that the agent holds without its certificate.
struct BareKey<'a> {
    agent: &'a mut Agent,
    key: &'a PublicKey,
}

impl Signer for BareKey<'_> {
    type Error = AgentAuthError;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        bytes: Vec<u8>,
    ) -> Result<Vec<u8>, AgentAuthError> {
        self.agent.auth_sign(&self.key.clone().into(), hash, bytes).await
    }
}

/// Where `ssh` looks for the certificate of a key file.
fn certificate_beside(file: &Path) -> PathBuf {
    let mut beside = file.as_os_str().to_owned();
    beside.push("-cert.pub");
    PathBuf::from(beside)
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
