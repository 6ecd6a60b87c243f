//! Where an engine's failures become ours: classified once, with the address tried and what to do about it.

use agent_workspace_contract::ErrorCode;
use std::io::ErrorKind;

use super::endpoint::{Address, Endpoint};
use super::engine::Unanswered;
use crate::error::{Error, disk_full, is_disk_full};

/// A failed call of bollard's. `doing` completes "could not …".
pub(super) fn explain(endpoint: &Endpoint, error: bollard::errors::Error, doing: &str) -> Error {
    use bollard::errors::Error as Bollard;
    match error {
        Bollard::DockerResponseServerError { status_code, message } => {
            // An engine always sends its message in JSON, which bollard has taken apart.
            if message.trim_start().starts_with('<') {
                garbled(endpoint, doing, &format!("status {status_code} with a page instead of a message"))
            } else {
                refused(endpoint, status_code, &message, doing)
            }
        }
        Bollard::DockerStreamError { error } => stream(&error, doing),
        Bollard::RequestTimeoutError => silent(endpoint, doing),
        Bollard::JsonDataError { message, .. } => garbled(endpoint, doing, &message),
        Bollard::JsonSerdeError { err } => garbled(endpoint, doing, &err.to_string()),
        Bollard::IOError { err } => match err.get_ref().and_then(|inner| inner.downcast_ref::<Unanswered>()) {
            Some(unanswered) => transport(endpoint, doing, unanswered),
            None => lost(endpoint, doing, &err),
        },
        other => lost(endpoint, doing, &other),
    }
}

/// Whether a call failed before anything could be sent.
pub(super) fn never_sent(error: &bollard::errors::Error) -> bool {
    let bollard::errors::Error::IOError { err } = error else { return false };
    let unanswered = err.get_ref().and_then(|inner| inner.downcast_ref::<Unanswered>());
    matches!(unanswered, Some(Unanswered::Http(http)) if http.is_connect())
}

/// A refusal by status. Only the status decides, as messages differ between engines, but for two facts that engines
/// report no other way: a full disk and a program that is not in the image.
pub(super) fn refused(endpoint: &Endpoint, status: u16, message: &str, doing: &str) -> Error {
    if is_disk_full(message) {
        return disk_full(doing, message);
    }
    let error = |code| Error::new(code, format!("could not {doing}")).cause(message.to_owned());
    match status {
        401 | 403 => error(ErrorCode::EngineUnavailable).hint(format!(
            "the engine at {} (from {}) does not allow it; check your rights there",
            endpoint.address, endpoint.source
        )),
        _ => error(ErrorCode::EngineError).hint("see the engine's log: journalctl -u docker"),
    }
    .detail("status", status)
}

/// A failure that came in the middle of a stream of progress.
fn stream(message: &str, doing: &str) -> Error {
    if is_disk_full(message) {
        return disk_full(doing, message);
    }
    Error::new(ErrorCode::EngineError, format!("could not {doing}"))
        .cause(message.to_owned())
        .hint("see the engine's log: journalctl -u docker")
}

/// Something that is not an engine answered, or an engine answered nonsense.
pub(super) fn garbled(endpoint: &Endpoint, doing: &str, cause: &str) -> Error {
    unavailable(
        endpoint,
        format!("could not {doing}: what answers at {} does not speak like an engine", endpoint.address),
    )
    .cause(cause.to_owned())
    .hint(check(endpoint))
}

/// The connection broke in the middle.
pub(super) fn lost(endpoint: &Endpoint, doing: &str, error: &dyn std::error::Error) -> Error {
    let mut ours = unavailable(
        endpoint,
        format!("could not {doing}: the connection to the engine at {} was lost", endpoint.address),
    );
    for cause in chain(error) {
        ours = ours.cause(cause);
    }
    ours.hint(check(endpoint))
}

/// The engine took the request and said nothing.
pub(super) fn silent(endpoint: &Endpoint, doing: &str) -> Error {
    unavailable(endpoint, format!("could not {doing}: the engine at {} does not answer", endpoint.address))
        .hint(check(endpoint))
}

/// The engine could not be reached, or is too old.
pub(super) fn transport(endpoint: &Endpoint, doing: &str, error: &Unanswered) -> Error {
    let http = match error {
        Unanswered::TooOld(version) => {
            return Error::new(
                ErrorCode::EngineTooOld,
                format!("the engine at {} speaks API {version}; 1.40 is the oldest supported", endpoint.address),
            )
            .detail("api_version", version.clone())
            .hint("use Docker Engine 20.10 or later");
        }
        Unanswered::Silent => return silent(endpoint, doing),
        Unanswered::NotAnEngine(_) => return garbled(endpoint, doing, &error.to_string()),
        Unanswered::Http(http) => http,
    };
    if !http.is_connect() {
        return lost(endpoint, doing, error);
    }
    let kind = io_kind(http);
    let place = format!("{} (from {})", endpoint.address, endpoint.source);
    let (message, hint) = match (kind, &endpoint.address) {
        (Some(ErrorKind::PermissionDenied), Address::Unix(_)) => (
            format!("no permission to use the engine at {place}"),
            "join the group that owns the socket: sudo usermod -aG docker \"$USER\", then log in again".to_owned(),
        ),
        (Some(ErrorKind::NotFound), Address::Ssh { .. }) => (
            "ssh is not installed, and the engine is reached over it".to_owned(),
            "sudo apt-get install openssh-client".to_owned(),
        ),
        (Some(ErrorKind::NotFound | ErrorKind::ConnectionRefused), Address::Unix(_)) => {
            let hint = match endpoint.source.as_str() {
                "default" => "start it: sudo systemctl start docker".to_owned(),
                source => format!("start it, or say another address; this one is from {source}"),
            };
            (format!("no engine runs at {place}"), hint)
        }
        _ => (format!("the engine at {place} cannot be reached"), check(endpoint)),
    };
    let mut ours = unavailable(endpoint, message).hint(hint);
    for cause in chain(http) {
        ours = ours.cause(cause);
    }
    ours
}

fn unavailable(endpoint: &Endpoint, message: String) -> Error {
    Error::new(ErrorCode::EngineUnavailable, message)
        .detail("address", endpoint.address.to_string())
        .detail("address_source", endpoint.source.clone())
}

fn check(endpoint: &Endpoint) -> String {
    match &endpoint.address {
        Address::Unix(path) => format!("check it: curl --unix-socket {} http://engine/_ping", path.display()),
        Address::Tcp { .. } => format!("check it: docker --host {} version", endpoint.address),
        Address::Ssh { target, .. } => format!("check it: ssh {target} docker version"),
    }
}

fn chain(error: &dyn std::error::Error) -> Vec<String> {
    let mut causes = vec![error.to_string()];
    let mut next = error.source();
    while let Some(error) = next {
        let text = error.to_string();
        // Many errors repeat their source in their own text.
        if causes.last() != Some(&text) {
            causes.push(text);
        }
        next = error.source();
    }
    causes
}

fn io_kind(error: &(dyn std::error::Error + 'static)) -> Option<ErrorKind> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        next = error.source();
    }
    None
}
