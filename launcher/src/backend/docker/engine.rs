//! The connection to one engine: bollard for the typed calls, plain requests where bollard's types are too closed
//! (an unknown container state would lose a whole list) or hide the answer (a start that changed nothing).
//!
//! Requests carry no API version: every engine answers them at its own, so that old and new ones both work. The
//! version it answers with is read off the first response, so that knowing it costs no call.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use agent_workspace_contract::ErrorCode;
use bollard::{BollardRequest, ClientVersion, Docker};
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::encode;
use super::endpoint::{self, Endpoint};
use super::errors;
use super::transport::Connector;
use crate::error::{Error, Result};
use crate::host::Host;

/// The oldest API that is known to work: Engine 20.10 has 1.41, Podman's compatible socket says 1.40 or 1.41.
const OLDEST_API: (u32, u32) = (1, 40);
/// Since when an engine can be asked for one kind of thing that takes space. Before, it counts everything there is.
const COUNTS_BY_KIND: (u32, u32) = (1, 42);
/// For questions that an engine answers from memory.
const QUICK: Duration = Duration::from_secs(30);
/// How long the first answer may take before the engine is asked whether it is there, and how long that may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// For work that an engine does before it answers: on slow storage, creating a container copies its image.
const SLOW: Duration = Duration::from_secs(300);

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// A client of one engine. Connects at the first request.
#[derive(Clone)]
pub(super) struct Engine {
    /// Typed calls.
    pub(super) docker: Docker,
    http: Client<Connector, Body>,
    endpoint: Arc<Endpoint>,
    kind: Arc<OnceLock<Kind>>,
}

/// What the first answer says of an engine.
#[derive(Clone, Copy, Debug)]
struct Kind {
    podman: bool,
    api: (u32, u32),
}

/// An order that an engine refused, with its reason.
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) message: String,
}

/// The body of an engine's refusal.
#[derive(Deserialize)]
struct Refusal {
    message: String,
}

impl Engine {
    /// A client of the engine that the environment names.
    ///
    /// # Errors
    /// `invalid_environment` when the address cannot be read.
    pub(super) fn open(host: &Host) -> Result<Self> {
        let endpoint = Arc::new(endpoint::find(host)?);
        let connector = Connector(Arc::new(endpoint.address.clone()));
        let http: Client<_, Body> = Client::builder(TokioExecutor::new()).build(connector);
        let kind = Arc::new(OnceLock::new());
        let docker = {
            let http = http.clone();
            let kind = Arc::clone(&kind);
            let transport = move |request: BollardRequest| {
                let http = http.clone();
                let kind = Arc::clone(&kind);
                async move {
                    let request = request.map(|body| body.map_err(std::io::Error::other).boxed_unsync());
                    send(&http, &kind, request)
                        .await
                        .map_err(|error| bollard::errors::Error::from(std::io::Error::other(error)))
                }
            };
            let version = ClientVersion { major_version: 1, minor_version: 41 };
            Docker::connect_with_custom_transport(transport, Some("http://engine"), SLOW.as_secs(), &version)
        }
        .map_err(|error| Error::new(ErrorCode::Internal, "no client for the engine").cause(error.to_string()))?;
        Ok(Self { docker, http, endpoint, kind })
    }

    /// Where the engine is.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// A question with a JSON answer; `None` when the engine knows no such thing (404).
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str, doing: &str) -> Result<Option<T>> {
        let (status, body) = self.plain(Method::GET, path, QUICK, doing).await?;
        self.answered(status, &body, doing)
    }

    /// What the answer to a question says.
    pub(super) fn answered<T: DeserializeOwned>(
        &self,
        status: StatusCode,
        body: &[u8],
        doing: &str,
    ) -> Result<Option<T>> {
        match status {
            StatusCode::NOT_FOUND if serde_json::from_slice::<Refusal>(body).is_ok() => Ok(None),
            status if status.is_success() => serde_json::from_slice(body)
                .map(Some)
                .map_err(|error| errors::garbled(&self.endpoint, doing, &error.to_string())),
            status => Err(self.refused(status, body, doing)),
        }
    }

    /// Whether the engine knows such a thing; `false` for a refusal with 404. Nothing but the status comes back.
    pub(super) async fn has(&self, path: &str, doing: &str) -> Result<bool> {
        let (status, _) = self.plain(Method::HEAD, path, QUICK, doing).await?;
        match status {
            StatusCode::NOT_FOUND => Ok(false),
            status if status.is_success() => Ok(true),
            status => Err(errors::refused(&self.endpoint, status.as_u16(), &format!("status {status}"), doing)),
        }
    }

    /// An order without a body. Returns whether it changed anything, or the engine's refusal. Engines answer orders
    /// with exactly two statuses; anything else comes from something that is no engine.
    pub(super) async fn order(&self, method: Method, path: &str, doing: &str) -> Result<Result<bool, Refused>> {
        let (status, body) = self.plain(method, path, SLOW, doing).await?;
        self.obeyed(status, &body, doing)
    }

    /// What the answer to an order says.
    pub(super) fn obeyed(&self, status: StatusCode, body: &[u8], doing: &str) -> Result<Result<bool, Refused>> {
        match status {
            StatusCode::NO_CONTENT => Ok(Ok(true)),
            StatusCode::NOT_MODIFIED => Ok(Ok(false)),
            status if status.is_success() => {
                Err(errors::garbled(&self.endpoint, doing, &format!("status {status} where an engine sends none")))
            }
            status => match serde_json::from_slice::<Refusal>(body) {
                Ok(refusal) => Ok(Err(Refused { status: status.as_u16(), message: refusal.message })),
                Err(_) => Err(self.refused(status, body, doing)),
            },
        }
    }

    /// A question whose answer is too long to be held, as it comes; `None` when the engine knows no such thing (404).
    pub(super) async fn stream(&self, path: &str, doing: &str) -> Result<Option<Incoming>> {
        let response = self.send(bare(Method::GET, path)?, SLOW, doing).await?;
        match response.status() {
            status if status.is_success() => Ok(Some(response.into_body())),
            status => {
                let body =
                    response.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
                match status {
                    StatusCode::NOT_FOUND if serde_json::from_slice::<Refusal>(&body).is_ok() => Ok(None),
                    status => Err(self.refused(status, &body, doing)),
                }
            }
        }
    }

    /// A file or folder of a container as a tar, as it comes; `None` when it is not there.
    pub(super) async fn archive(&self, id: &str, path: &str, doing: &str) -> Result<Option<Incoming>> {
        self.stream(&format!("/containers/{id}/archive?path={}", encode(path)), doing).await
    }

    /// Sends a tar, as it comes.
    pub(super) async fn put<B>(&self, path: &str, body: B, doing: &str) -> Result<()>
    where
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let request = Request::builder()
            .method(Method::PUT)
            .uri(format!("http://engine{path}"))
            .header("Content-Type", "application/x-tar")
            .body(body.map_err(std::io::Error::other).boxed_unsync())
            .map_err(malformed)?;
        let response = self.send(request, SLOW, doing).await?;
        let status = response.status();
        let body = response.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        if status == StatusCode::OK { Ok(()) } else { Err(self.refused(status, &body, doing)) }
    }

    /// The connection broke in the middle of what is read as it comes.
    pub(super) fn cut(&self, doing: &str, error: &hyper::Error) -> Error {
        errors::lost(&self.endpoint, doing, error)
    }

    /// Tells an exec the size of its terminal. A terminal of the wrong size is better than none.
    pub(super) async fn resize(&self, exec: &str, rows: u16, columns: u16) {
        let path = format!("/exec/{exec}/resize?h={rows}&w={columns}");
        drop(self.plain(Method::POST, &path, QUICK, "resize the terminal").await);
    }

    /// What a refusal means where no case of its own was expected.
    pub(super) fn explain_refusal(&self, refused: &Refused, doing: &str) -> Error {
        errors::refused(&self.endpoint, refused.status, &refused.message, doing)
    }

    /// Whether the engine is Podman's; known once it has answered.
    pub(super) fn is_podman(&self) -> bool {
        self.kind.get().is_some_and(|kind| kind.podman)
    }

    /// Whether what volumes take costs no more than looking at the volumes; known once the engine has answered. Podman
    /// has always counted the quick way.
    pub(super) fn counts_volumes_alone(&self) -> bool {
        self.kind.get().is_some_and(|kind| kind.podman || kind.api >= COUNTS_BY_KIND)
    }

    /// The oldest API that is known to work, as engines write versions.
    pub(super) fn oldest_api() -> String {
        format!("{}.{}", OLDEST_API.0, OLDEST_API.1)
    }

    /// Whether a version of the API, as engines write it, is older than that.
    pub(super) fn is_too_old(api: &str) -> bool {
        parse_api(api).is_some_and(|version| version < OLDEST_API)
    }

    /// The engine took the request and said nothing in the time it was given.
    pub(super) fn silent(&self, doing: &str) -> Error {
        errors::silent(&self.endpoint, doing)
    }

    /// Starts an exec on a raw stream: what is written goes to its terminal, what is read comes from it.
    pub(super) async fn hijack(&self, exec: &str, doing: &str) -> Result<hyper::upgrade::Upgraded> {
        let body = Full::new(Bytes::from_static(br#"{"Detach":false,"Tty":true}"#))
            .map_err(|error| match error {})
            .boxed_unsync();
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("http://engine/exec/{exec}/start"))
            .header("Content-Type", "application/json")
            .header("Connection", "Upgrade")
            .header("Upgrade", "tcp")
            .body(body)
            .map_err(malformed)?;
        let response = self.send(request, SLOW, doing).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS && !response.status().is_success() {
            let status = response.status();
            let body =
                response.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            return Err(self.refused(status, &body, doing));
        }
        hyper::upgrade::on(response).await.map_err(|error| errors::lost(&self.endpoint, doing, &error))
    }

    /// The streams of an exec have ended, and in this way they end only when the connection is lost.
    pub(super) fn lost(&self, doing: &str, how: &str) -> Error {
        errors::lost(&self.endpoint, doing, &std::io::Error::other(how.to_owned()))
    }

    /// What a failed call of bollard's means here.
    pub(super) fn explain(&self, error: bollard::errors::Error, doing: &str) -> Error {
        errors::explain(&self.endpoint, error, doing)
    }

    async fn plain(&self, method: Method, path: &str, limit: Duration, doing: &str) -> Result<(StatusCode, Bytes)> {
        let response = self.send(bare(method, path)?, limit, doing).await?;
        let status = response.status();
        let body = tokio::time::timeout(limit, response.into_body().collect())
            .await
            .map_err(|_| errors::silent(&self.endpoint, doing))?
            .map_err(|error| errors::lost(&self.endpoint, doing, &error))?;
        Ok((status, body.to_bytes()))
    }

    async fn send(&self, request: Request<Body>, limit: Duration, doing: &str) -> Result<Response<Incoming>> {
        tokio::time::timeout(limit, send(&self.http, &self.kind, request))
            .await
            .map_err(|_| errors::silent(&self.endpoint, doing))?
            .map_err(|error| errors::transport(&self.endpoint, doing, &error))
    }

    fn refused(&self, status: StatusCode, body: &[u8], doing: &str) -> Error {
        let message = serde_json::from_slice::<Refusal>(body).map(|refusal| refusal.message);
        match message {
            Ok(message) => errors::refused(&self.endpoint, status.as_u16(), &message, doing),
            Err(_) => errors::garbled(&self.endpoint, doing, &format!("status {status} without the engine's message")),
        }
    }
}

/// A request without a body.
fn bare(method: Method, path: &str) -> Result<Request<Body>> {
    let body = Full::new(Bytes::new()).map_err(|error| match error {}).boxed_unsync();
    Request::builder().method(method).uri(format!("http://engine{path}")).body(body).map_err(malformed)
}

fn malformed(error: hyper::http::Error) -> Error {
    Error::new(ErrorCode::Internal, "the request is malformed").cause(error.to_string())
}

fn parse_api(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Why a request got no answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// The HTTP client's own error.
    Http(hyper_util::client::legacy::Error),
    /// What answered is no engine: engines say their API version with every answer.
    NotAnEngine(StatusCode),
    /// It takes connections and does not even say that it is there.
    Silent,
    /// The engine answers at an API older than the oldest supported.
    TooOld(String),
}

impl std::fmt::Display for Unanswered {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Http(error) => error.fmt(formatter),
            Self::NotAnEngine(status) => write!(formatter, "it answered with status {status} and no API version"),
            Self::Silent => formatter.write_str("no answer"),
            Self::TooOld(version) => write!(formatter, "API version {version}"),
        }
    }
}

impl std::error::Error for Unanswered {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Http(error) => error.source(),
            Self::NotAnEngine(_) | Self::Silent | Self::TooOld(_) => None,
        }
    }
}

async fn send(
    http: &Client<Connector, Body>,
    kind: &OnceLock<Kind>,
    request: Request<Body>,
) -> Result<Response<Incoming>, Unanswered> {
    let response = match kind.get() {
        Some(_) => http.request(request).await.map_err(Unanswered::Http)?,
        None => first_answer(http, request).await?,
    };
    if kind.get().is_none() {
        let said = response.headers().get("Api-Version").and_then(|value| value.to_str().ok());
        let Some(version) = said.and_then(parse_api) else { return Err(Unanswered::NotAnEngine(response.status())) };
        // Another request may have said the same meanwhile.
        let _ = kind.set(Kind { podman: response.headers().contains_key("Libpod-Api-Version"), api: version });
        // Said once: what this very request may have made can still be removed.
        if version < OLDEST_API {
            return Err(Unanswered::TooOld(said.unwrap_or_default().to_owned()));
        }
    }
    Ok(response)
}

/// The answer to the first request, which may take long for good reasons. After a while the engine is asked, on
/// another connection, whether it is there at all.
async fn first_answer(
    http: &Client<Connector, Body>,
    request: Request<Body>,
) -> Result<Response<Incoming>, Unanswered> {
    let answer = http.request(request);
    tokio::pin!(answer);
    if let Ok(answer) = tokio::time::timeout(PATIENCE, &mut answer).await {
        return answer.map_err(Unanswered::Http);
    }
    let ping = http.get(hyper::Uri::from_static("http://engine/_ping"));
    tokio::select! {
        answer = &mut answer => answer.map_err(Unanswered::Http),
        ping = tokio::time::timeout(PATIENCE, ping) => match ping {
            Ok(Ok(_)) => answer.await.map_err(Unanswered::Http),
            Ok(Err(error)) => Err(Unanswered::Http(error)),
            Err(_) => Err(Unanswered::Silent),
        },
    }
}
