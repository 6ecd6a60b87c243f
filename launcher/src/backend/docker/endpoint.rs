//! Which engine to talk to, and where that was said: `DOCKER_HOST`, a docker context, or a socket at a known place.

use std::path::{Path, PathBuf};

use agent_workspace_contract::{EnvVar, ErrorCode};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::host::Host;
use crate::workspace::repo_spec::redacted;

const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// An engine's address and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) address: Address,
    /// For messages: `DOCKER_HOST`, `docker context "x"`, `default`.
    pub(super) source: String,
    /// Whether the docker client would find this engine by itself in the same environment.
    pub(super) known_to_client: bool,
}

/// How an engine is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    Unix(PathBuf),
    Tcp { host: String, port: u16, tls: Option<Tls> },
    Ssh { target: String, port: Option<u16>, socket: Option<String> },
}

/// Files for TLS; absent ones are not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tls {
    pub(super) ca: PathBuf,
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
    pub(super) verify: bool,
    /// Whether the authority's file must be there, as it must when the environment asks for verifying.
    pub(super) needs_ca: bool,
}

impl Tls {
    fn in_folder(folder: &Path, verify: bool, needs_ca: bool) -> Self {
        Self { ca: folder.join("ca.pem"), cert: folder.join("cert.pem"), key: folder.join("key.pem"), verify, needs_ca }
    }
}

impl Address {
    /// Whether the engine surely sees other files than this host's: one behind a loopback address may see the same.
    pub(super) fn is_elsewhere(&self) -> bool {
        match self {
            Self::Unix(_) => false,
            Self::Tcp { host, .. } => {
                let loopback = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
                !loopback && !host.eq_ignore_ascii_case("localhost")
            }
            Self::Ssh { .. } => true,
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(formatter, "unix://{}", path.display()),
            Self::Tcp { host, port, .. } if host.contains(':') => write!(formatter, "tcp://[{host}]:{port}"),
            Self::Tcp { host, port, .. } => write!(formatter, "tcp://{host}:{port}"),
            Self::Ssh { target, port, socket } => {
                let (user, host) = target.rsplit_once('@').map_or(("", target.as_str()), |parts| parts);
                let at = if user.is_empty() { "" } else { "@" };
                // Only in brackets can an IPv6 address be told from its port.
                let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
                write!(formatter, "ssh://{user}{at}{open}{host}{close}")?;
                if let Some(port) = port {
                    write!(formatter, ":{port}")?;
                }
                formatter.write_str(socket.as_deref().unwrap_or_default())
            }
        }
    }
}

/// Finds the engine in the docker client's own order.
///
/// # Errors
/// `invalid_environment` when what is set cannot be read.
pub(super) fn find(host: &Host) -> Result<Endpoint> {
    let config = config_folder(host)?;
    if let Some(text) = host.var(EnvVar::DockerHost)? {
        let tls = match host.var(EnvVar::DockerTlsVerify)? {
            Some(_) => {
                let folder = host.var(EnvVar::DockerCertPath)?.map_or_else(|| config.clone(), PathBuf::from);
                Some(Tls::in_folder(&folder, true, true))
            }
            None => None,
        };
        return Ok(Endpoint {
            address: parse(&text, tls, "DOCKER_HOST")?,
            source: "DOCKER_HOST".to_owned(),
            known_to_client: true,
        });
    }
    let (context, said_by) = match host.var(EnvVar::DockerContext)? {
        Some(name) => (Some(name), "DOCKER_CONTEXT"),
        None => (current_context(&config)?, "the docker client's current context"),
    };
    match context.filter(|name| name != "default") {
        Some(name) => from_context(&config, &name, said_by),
        None => Ok(default_socket(host)?),
    }
}

fn config_folder(host: &Host) -> Result<PathBuf> {
    Ok(match host.var(EnvVar::DockerConfig)? {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(&host.var(EnvVar::Home)?.unwrap_or_else(|| "/".to_owned())).join(".docker"),
    })
}

/// Where engines of this host may listen: the docker client's default, and the places of rootless ones and Podman.
///
/// # Errors
/// `invalid_environment` when what is set cannot be read.
pub(super) fn sockets(host: &Host) -> Result<Vec<PathBuf>> {
    let system = [DEFAULT_SOCKET, "/run/docker.sock", "/run/podman/podman.sock", "/run/containerd/containerd.sock"];
    Ok(system.into_iter().map(PathBuf::from).chain(sockets_of_user(host)?).collect())
}

fn sockets_of_user(host: &Host) -> Result<Vec<PathBuf>> {
    let mut sockets = Vec::new();
    if let Some(runtime) = host.var(EnvVar::XdgRuntimeDir)? {
        sockets.extend(["docker.sock", "podman/podman.sock"].map(|name| Path::new(&runtime).join(name)));
    }
    if let Some(home) = host.var(EnvVar::Home)? {
        sockets.push(Path::new(&home).join(".docker/run/docker.sock"));
    }
    Ok(sockets)
}

fn default_socket(host: &Host) -> Result<Endpoint> {
    let at = |path: PathBuf, known_to_client| Endpoint {
        source: if known_to_client { "default".to_owned() } else { "the only socket found".to_owned() },
        address: Address::Unix(path),
        known_to_client,
    };
    if !Path::new(DEFAULT_SOCKET).exists()
        && let Some(path) = sockets_of_user(host)?.into_iter().find(|path| path.exists())
    {
        return Ok(at(path, false));
    }
    Ok(at(PathBuf::from(DEFAULT_SOCKET), true))
}

#[derive(Deserialize)]
struct ClientConfig {
    #[serde(rename = "currentContext", default)]
    current_context: Option<String>,
}

fn current_context(config: &Path) -> Result<Option<String>> {
    let file = config.join("config.json");
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(&file, &error.to_string())),
    };
    let config: ClientConfig = serde_json::from_str(&text).map_err(|error| unreadable(&file, &error.to_string()))?;
    Ok(config.current_context.filter(|name| !name.is_empty()))
}

fn unreadable(file: &Path, cause: &str) -> Error {
    Error::new(ErrorCode::InvalidEnvironment, format!("the docker client's file {} cannot be read", file.display()))
        .cause(cause.to_owned())
        .hint("mend it, or say the engine's address: export DOCKER_HOST=unix:///var/run/docker.sock")
}

#[derive(Deserialize)]
struct ContextMeta {
    #[serde(rename = "Endpoints")]
    endpoints: ContextEndpoints,
}

#[derive(Deserialize)]
struct ContextEndpoints {
    docker: ContextEndpoint,
}

#[derive(Deserialize)]
struct ContextEndpoint {
    #[serde(rename = "Host")]
    host: String,
    #[serde(rename = "SkipTLSVerify", default)]
    skip_tls_verify: bool,
}

/// Contexts are stored under the SHA-256 of their name.
fn from_context(config: &Path, name: &str, said_by: &str) -> Result<Endpoint> {
    let hash: String = Sha256::digest(name.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let file = config.join("contexts/meta").join(&hash).join("meta.json");
    let leave =
        if said_by == EnvVar::DockerContext.name() { "unset DOCKER_CONTEXT" } else { "docker context use default" };
    let text = std::fs::read_to_string(&file).map_err(|error| {
        Error::new(ErrorCode::InvalidEnvironment, format!("there is no docker context {name:?}, named by {said_by}"))
            .cause(format!("{}: {error}", file.display()))
            .hint(format!("{leave}; or see what there is: docker context ls"))
    })?;
    let meta: ContextMeta = serde_json::from_str(&text).map_err(|error| unreadable(&file, &error.to_string()))?;
    let folder = config.join("contexts/tls").join(&hash).join("docker");
    let endpoint = meta.endpoints.docker;
    let tls = (folder.exists() || endpoint.skip_tls_verify)
        .then(|| Tls::in_folder(&folder, !endpoint.skip_tls_verify, false));
    let source = format!("docker context {name:?}");
    Ok(Endpoint { address: parse(&endpoint.host, tls, &source)?, source, known_to_client: true })
}

/// Reads an address. `https` and given TLS files make `tcp` a TLS connection.
fn parse(text: &str, tls: Option<Tls>, source: &str) -> Result<Address> {
    let wrong = |reason: &str| {
        Error::new(
            ErrorCode::InvalidEnvironment,
            format!("the engine's address {:?}, from {source}, {reason}", redacted(text)),
        )
        .hint("for example: export DOCKER_HOST=unix:///var/run/docker.sock")
    };
    let (scheme, rest) = match text.split_once("://") {
        Some(parts) => parts,
        None if text.starts_with('/') => ("unix", text),
        None => ("tcp", text),
    };
    match scheme {
        "unix" if rest.starts_with('/') => Ok(Address::Unix(PathBuf::from(rest))),
        "unix" => Err(wrong("is not an absolute path")),
        "tcp" | "http" | "https" => {
            let tls = if scheme == "https" {
                tls.or_else(|| Some(Tls::in_folder(Path::new("/nonexistent"), true, false)))
            } else {
                tls
            };
            let authority = rest.trim_end_matches('/');
            let default_port = if tls.is_some() { 2376 } else { 2375 };
            let (host, port) = host_and_port(authority).ok_or_else(|| wrong("has no valid host and port"))?;
            Ok(Address::Tcp { host: host.to_owned(), port: port.unwrap_or(default_port), tls })
        }
        "ssh" => {
            let (authority, path) =
                rest.split_once('/').map_or((rest, None), |(authority, path)| (authority, Some(path)));
            let (user, place) =
                authority.rsplit_once('@').map_or((None, authority), |(user, place)| (Some(user), place));
            let (host, port) = host_and_port(place).ok_or_else(|| wrong("has no valid host and port"))?;
            if user.is_some_and(|user| user.is_empty() || user.starts_with('-') || user.contains(':')) {
                return Err(wrong("has no valid user; a password cannot be given"));
            }
            let target = user.map_or_else(|| host.to_owned(), |user| format!("{user}@{host}"));
            Ok(Address::Ssh {
                target,
                port,
                socket: path.filter(|path| !path.is_empty()).map(|path| format!("/{path}")),
            })
        }
        _ => Err(wrong("is of a kind that this launcher does not know (unix, tcp, ssh)")),
    }
}

/// A host name or address, `[…]` for IPv6, and a port if there is one. The host never begins with a dash, as it
/// becomes an argument of `ssh`.
fn host_and_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        (host, rest.strip_prefix(':'))
    } else {
        text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)))
    };
    let valid = !host.is_empty()
        && !host.starts_with('-')
        && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%'));
    let port = match port {
        None => None,
        Some(port) => Some(port.parse::<u16>().ok().filter(|port| *port > 0)?),
    };
    valid.then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(env: &[(&str, &str)]) -> Result<Endpoint> {
        let mut all = [("", ""); 4];
        all[..env.len()].copy_from_slice(env);
        find(&Host::fixed(&[], all))
    }

    #[test]
    fn addresses_of_every_kind_are_understood() {
        for (text, shown) in [
            ("unix:///run/x.sock", "unix:///run/x.sock"),
            ("/run/x.sock", "unix:///run/x.sock"),
            ("tcp://10.0.0.1", "tcp://10.0.0.1:2375"),
            ("localhost:2375", "tcp://localhost:2375"),
            ("https://h", "tcp://h:2376"),
            ("tcp://[::1]:99", "tcp://[::1]:99"),
            ("ssh://me@h", "ssh://me@h"),
            ("ssh://h:2222/run/x.sock", "ssh://h:2222/run/x.sock"),
            ("ssh://me@[::1]:22", "ssh://me@[::1]:22"),
        ] {
            assert_eq!(found(&[("DOCKER_HOST", text)]).unwrap().address.to_string(), shown, "{text}");
        }
    }

    #[test]
    fn addresses_that_cannot_be_used_name_where_they_came_from() {
        for text in
            ["unix://x", "ftp://x", "tcp://", "tcp://h:99999", "ssh://-oProxyCommand=x", "ssh://a:b@h", "npipe:////x"]
        {
            let error = found(&[("DOCKER_HOST", text)]).unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidEnvironment, "{text}");
            assert!(error.message().contains("DOCKER_HOST"), "{text}");
        }
    }

    #[test]
    fn a_context_is_found_by_its_name() {
        let config = tempfile::tempdir().unwrap();
        // sha256 of "far", as the docker client names the folder.
        let hash: String = Sha256::digest(b"far").iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = config.path().join("contexts/meta").join(hash);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("meta.json"), r#"{"Name":"far","Endpoints":{"docker":{"Host":"ssh://me@far"}}}"#)
            .unwrap();
        std::fs::write(config.path().join("config.json"), r#"{"currentContext":"far","auths":{}}"#).unwrap();
        let config = config.path().to_str().unwrap();

        let current = found(&[("DOCKER_CONFIG", config)]).unwrap();
        assert_eq!(current.address.to_string(), "ssh://me@far");
        assert_eq!(current.source, "docker context \"far\"");
        assert_eq!(found(&[("DOCKER_CONFIG", config), ("DOCKER_CONTEXT", "default")]).unwrap().source, "default");
        let missing = found(&[("DOCKER_CONFIG", config), ("DOCKER_CONTEXT", "nosuch")]).unwrap_err();
        assert!(missing.message().contains("nosuch"), "{missing}");
        let host = found(&[("DOCKER_CONFIG", config), ("DOCKER_HOST", "unix:///x")]).unwrap();
        assert_eq!(host.source, "DOCKER_HOST");
    }

    #[test]
    fn a_broken_client_configuration_is_an_error_and_not_a_silent_default() {
        let config = tempfile::tempdir().unwrap();
        std::fs::write(config.path().join("config.json"), "{").unwrap();
        let error = found(&[("DOCKER_CONFIG", config.path().to_str().unwrap())]).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidEnvironment);
    }
}
