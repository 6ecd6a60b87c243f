//! The phases of a command that makes something: how long each took, how long it may take, and which one is at work
//! when the command is cut off.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use agent_workspace_contract::ErrorCode;

use crate::error::{Error, Result};

/// A part of `create` that may take its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Bringing the image to the engine.
    Image,
    /// Making the container and its volumes.
    Create,
    /// Starting it.
    Start,
    /// Making the user and the folders of a plain image.
    Prepare,
    /// Cloning the repository.
    Clone,
    /// Bringing the work of another workspace over.
    Copy,
    /// Keeping git credentials inside.
    Credentials,
    /// Applying a profile of the secrets.
    Profile,
    /// Opening a tunnel in the background.
    Tunnel,
    /// Making a machine, or finding that it will do.
    Provision,
    /// Preparing a machine.
    Initialize,
}

impl Phase {
    /// The name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Create => "create",
            Self::Start => "start",
            Self::Prepare => "prepare",
            Self::Clone => "clone",
            Self::Copy => "copy",
            Self::Credentials => "credentials",
            Self::Profile => "profile",
            Self::Tunnel => "tunnel",
            Self::Provision => "provision",
            Self::Initialize => "initialize",
        }
    }

    /// How long it may take when nobody says otherwise: long enough for slow lines and disks, short enough that a
    /// program which waits for it gets an answer on the same day.
    pub const fn limit(self) -> Duration {
        let minutes = match self {
            Self::Image | Self::Clone | Self::Copy => 60,
            Self::Create | Self::Start | Self::Provision => 10,
            Self::Initialize => 30,
            Self::Prepare | Self::Credentials | Self::Profile | Self::Tunnel => 2,
        };
        Duration::from_secs(minutes * 60)
    }
}

/// How far a command is. Cheap to clone; all clones tell of the same command.
#[derive(Clone, Debug, Default)]
pub struct Phases {
    told: Arc<Mutex<Told>>,
    timeout: Option<Duration>,
}

#[derive(Debug, Default)]
struct Told {
    current: Option<Phase>,
    spent: BTreeMap<&'static str, Duration>,
}

impl Phases {
    /// The phases of a command that may take `timeout` altogether. A phase may take as long as the whole command when
    /// that is longer than its own limit: who gives an hour more means it.
    pub fn new(timeout: Option<Duration>) -> Self {
        Self { told: Arc::default(), timeout }
    }

    /// Does a phase's work, within its limit, and counts the time. What was done before the limit struck is for the
    /// caller's undo.
    ///
    /// # Errors
    /// `timeout` when the limit strikes, or the work's own.
    pub async fn run<T>(&self, phase: Phase, work: impl Future<Output = Result<T>>) -> Result<T> {
        let limit = self.limit(phase);
        let work = async { tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(overrun(phase, limit))) };
        self.run_unlimited(phase, work).await
    }

    /// Does a phase's work for as long as it takes, because a person ends it, and counts the time.
    ///
    /// # Errors
    /// The work's own.
    pub async fn run_unlimited<T>(&self, phase: Phase, work: impl Future<Output = Result<T>>) -> Result<T> {
        let since = Instant::now();
        self.lock().current = Some(phase);
        let result = work.await;
        let mut told = self.lock();
        *told.spent.entry(phase.name()).or_default() += since.elapsed();
        // A failure is explained by the phase it happened in, so that it stays the current one then.
        if result.is_ok() {
            told.current = None;
        }
        drop(told);
        result
    }

    /// How long the command may take altogether, if that was said.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// How long a phase may take.
    pub fn limit(&self, phase: Phase) -> Duration {
        self.timeout.map_or(phase.limit(), |timeout| timeout.max(phase.limit()))
    }

    /// The name of the phase that is at work or has failed.
    pub fn current(&self) -> Option<&'static str> {
        self.lock().current.map(Phase::name)
    }

    /// Milliseconds spent, by phase; those that did not happen are absent.
    pub fn timings_ms(&self) -> BTreeMap<String, u64> {
        let told = self.lock();
        let milliseconds = |spent: &Duration| u64::try_from(spent.as_millis()).unwrap_or(u64::MAX);
        told.spent.iter().map(|(phase, spent)| ((*phase).to_owned(), milliseconds(spent))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn overrun(phase: Phase, limit: Duration) -> Error {
    let (name, seconds) = (phase.name(), limit.as_secs());
    Error::new(ErrorCode::Timeout, format!("the phase {name} took longer than the {seconds} seconds it may take"))
        .detail("timeout_ms", u64::try_from(limit.as_millis()).unwrap_or(u64::MAX))
        .hint(format!("give it more time: --timeout {}s", seconds * 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_phase_ends_at_its_limit_and_is_named() {
        use Phase::{Clone, Create, Credentials, Image, Initialize, Prepare, Profile, Provision, Start, Tunnel};
        for phase in [Image, Create, Start, Prepare, Clone, Credentials, Profile, Tunnel, Provision, Initialize] {
            let phases = Phases::new(None);
            let error = phases.run(phase, std::future::pending::<Result<()>>()).await.unwrap_err();
            assert_eq!(error.code(), ErrorCode::Timeout);
            assert!(error.message().contains(phase.name()), "{error}");
            assert_eq!(phases.current(), Some(phase.name()), "the failure is explained by its phase");
        }
    }

    #[test]
    fn a_longer_timeout_is_meant_and_a_shorter_one_cuts_the_command_and_not_the_phase() {
        let hour = Duration::from_secs(3600);
        assert_eq!(Phases::new(Some(5 * hour)).limit(Phase::Prepare), 5 * hour);
        assert_eq!(Phases::new(Some(Duration::from_secs(1))).limit(Phase::Clone), hour);
    }

    #[tokio::test(start_paused = true)]
    async fn time_is_added_up_by_phase_and_absent_where_nothing_happened() {
        let phases = Phases::new(None);
        for _ in 0..2 {
            phases.run(Phase::Create, async { Ok(()) }).await.unwrap();
        }
        assert_eq!(phases.timings_ms().into_keys().collect::<Vec<_>>(), ["create"]);
        assert_eq!(phases.current(), None);
    }
}
