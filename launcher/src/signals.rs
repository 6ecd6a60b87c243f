//! What asks the process to end before it is done: signals, and the time given by `--timeout`.

use std::time::Duration;

use agent_workspace_contract::ErrorCode;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::Error;
use crate::host::IgnoredSignals;

/// Signals that ask the process to end. One that comes while an earlier one is being answered is not lost.
pub(crate) struct Signals([Option<(Signal, ErrorCode, &'static str)>; 3]);

impl Signals {
    /// Listens from now on. Signals that were ignored when the process began stay so: `nohup` means it.
    pub(crate) fn listen(ignored: IgnoredSignals) -> Self {
        let asks = [
            (SignalKind::interrupt(), ErrorCode::Interrupted, "SIGINT"),
            (SignalKind::terminate(), ErrorCode::Terminated, "SIGTERM"),
            (SignalKind::hangup(), ErrorCode::Terminated, "SIGHUP"),
        ];
        Self(asks.map(|(kind, code, name)| {
            let listened = !ignored.has(kind.as_raw_value());
            listened.then(|| signal(kind).ok()).flatten().map(|signal| (signal, code, name))
        }))
    }

    /// The error of the next signal. Never, if none comes.
    pub(crate) async fn interruption(&mut self) -> Error {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            error = next(interrupt) => error,
            error = next(terminate) => error,
            error = next(hangup) => error,
        }
    }
}

async fn next(listened: &mut Option<(Signal, ErrorCode, &'static str)>) -> Error {
    let Some((signal, code, name)) = listened else { return std::future::pending().await };
    signal.recv().await;
    Error::new(*code, format!("interrupted by {name}")).hint("see what there is: agent-workspace ls")
}

/// The error of a time that has run out. Never, without a limit.
pub(crate) async fn expired(timeout: Option<Duration>) -> Error {
    let Some(timeout) = timeout else { return std::future::pending().await };
    tokio::time::sleep(timeout).await;
    Error::new(ErrorCode::Timeout, "the time given by --timeout ran out")
        .detail("timeout_ms", u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX))
        .hint("give more time: --timeout 10m")
}
