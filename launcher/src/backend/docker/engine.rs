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

use super::endpoint::{self, Endpoint};
use super::errors;
use super::transport::Connector;
use crate::error::{Error, Result};
use crate::host::Host;

/// The oldest API that is known to work: Engine 20.10 has 1.41, Podman's compatible socket says 1.40 or 1.41.
const OLDEST_API: (u32, u32) = (1, 40);
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
        match status {
            StatusCode::NOT_FOUND if serde_json::from_slice::<Refusal>(&body).is_ok() => Ok(None),
            status if status.is_success() => serde_json::from_slice(&body)
                .map(Some)
                .map_err(|error| errors::garbled(&self.endpoint, doing, &error.to_string())),
            status => Err(self.refused(status, &body, doing)),
        }
    }

    /// An order without a body. Returns whether it changed anything, or the engine's refusal. Engines answer orders
    /// with exactly two statuses; anything else comes from something that is no engine.
    pub(super) async fn order(&self, method: Method, path: &str, doing: &str) -> Result<Result<bool, Refused>> {
        let (status, body) = self.plain(method, path, SLOW, doing).await?;
        match status {
            StatusCode::NO_CONTENT => Ok(Ok(true)),
            StatusCode::NOT_MODIFIED => Ok(Ok(false)),
            status if status.is_success() => {
                Err(errors::garbled(&self.endpoint, doing, &format!("status {status} where an engine sends none")))
            }
            status => match serde_json::from_slice::<Refusal>(&body) {
                Ok(refusal) => Ok(Err(Refused { status: status.as_u16(), message: refusal.message })),
                Err(_) => Err(self.refused(status, &body, doing)),
            },
        }
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
            .map_err(|error| Error::new(ErrorCode::Internal, "the request is malformed").cause(error.to_string()))?;
        let response = self.send(request, SLOW, doing).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS && !response.status().is_success() {
            let status = response.status();
            let body =
                response.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            return Err(self.refused(status, &body, doing));
        }
        hyper::upgrade::on(response).await.map_err(|error| errors::lost(&self.endpoint, doing, &error))
    }

    /// The streams of an exec have ended and it has not.
    pub(super) fn lost(&self, doing: &str) -> Error {
        errors::lost(&self.endpoint, doing, &std::io::Error::other("its streams ended before it did"))
    }

    /// What a failed call of bollard's means here.
    pub(super) fn explain(&self, error: bollard::errors::Error, doing: &str) -> Error {
        errors::explain(&self.endpoint, error, doing)
    }

    async fn plain(&self, method: Method, path: &str, limit: Duration, doing: &str) -> Result<(StatusCode, Bytes)> {
        let body = Full::new(Bytes::new()).map_err(|error| match error {}).boxed_unsync();
        let request =
            Request::builder().method(method).uri(format!("http://engine{path}")).body(body).map_err(|error| {
                Error::new(ErrorCode::Internal, "the request is malformed").cause(error.to_string())
            })?;
        let response = self.send(request, limit, doing).await?;
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
        let version = said
            .and_then(|text| text.split_once('.'))
            .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
        let Some(version) = version else { return Err(Unanswered::NotAnEngine(response.status())) };
        // Another request may have said the same meanwhile.
        let _ = kind.set(Kind { podman: response.headers().contains_key("Libpod-Api-Version") });
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
