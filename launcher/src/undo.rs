//! What to undo when a command fails or is interrupted: last made, first undone.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use agent_workspace_contract::{ErrorCode, RescueReport};

use crate::error::{Error, Result};

/// How long one step may take: one that hangs must not keep the others from being taken back.
const STEP_LIMIT: Duration = Duration::from_secs(20);

type Action = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = Result<Outcome>> + Send>> + Send>;

/// What became of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There was nothing to take back.
    Nothing,
    /// It was taken back.
    TakenBack,
    /// It was asked to stay, and does: the workspace of this name.
    Kept(String),
    /// Nothing is there, and something may still come: why.
    Unsure(String),
}

impl From<bool> for Outcome {
    fn from(taken_back: bool) -> Self {
        if taken_back { Self::TakenBack } else { Self::Nothing }
    }
}

/// A step that has left something behind.
struct Step {
    /// What it may leave behind.
    what: String,
    /// How a person removes it when we could not.
    remedy: Option<String>,
    action: Action,
}

/// Steps that have left something behind, each with the way to take it back, and what is to stay.
#[derive(Default)]
pub struct Undo {
    steps: Mutex<Vec<Step>>,
    kept: Mutex<Option<String>>,
    rescued: Mutex<Option<RescueReport>>,
    undelivered: Mutex<Option<Action>>,
}

/// What became of what a command had made when it did not get to its end.
#[derive(Debug, Default, PartialEq)]
pub struct Undone {
    /// What was taken back.
    pub done: Vec<String>,
    /// What could not be taken back, with the reason.
    pub left: Vec<String>,
    /// How a person removes what is left.
    pub remedies: Vec<String>,
    /// The workspace that was finished before, and stays.
    pub kept: Option<String>,
    /// Where the work is that was brought out before, and stays.
    pub rescued: Option<RescueReport>,
    /// The workspace that is not finished and was asked to stay all the same.
    pub kept_for_a_look: Option<String>,
    /// What may still come, and how it is removed then.
    pub unsure: Vec<String>,
}

impl Undo {
    /// Registers how to take back a step; `what` names what it may leave behind. The action says whether there was
    /// anything to take back.
    pub fn register<F, O>(&self, what: impl Into<String>, action: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = Result<O>> + Send + 'static,
        O: Into<Outcome>,
    {
        self.push(what.into(), None, action);
    }

    /// The same, with the command by which a person removes what we could not.
    pub fn register_removable<F, O>(
        &self,
        what: impl Into<String>,
        remedy: impl Into<String>,
        action: impl FnOnce() -> F + Send + 'static,
    ) where
        F: Future<Output = Result<O>> + Send + 'static,
        O: Into<Outcome>,
    {
        self.push(what.into(), Some(remedy.into()), action);
    }

    fn push<F, O>(&self, what: String, remedy: Option<String>, action: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = Result<O>> + Send + 'static,
        O: Into<Outcome>,
    {
        let action: Action = Box::new(move || {
            let action = action();
            Box::pin(async move { action.await.map(Into::into) })
        });
        self.steps().push(Step { what, remedy, action });
    }

    /// Forgets every step: what was made so far stays.
    pub fn keep_everything(&self) {
        self.steps().clear();
    }

    /// Forgets every step, and remembers the workspace that is finished though the command goes on.
    pub fn keep_workspace(&self, name: &str) {
        self.keep_everything();
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(name.to_owned());
    }

    /// Forgets every step, and remembers where the work is that was brought out though the command goes on.
    pub fn keep_rescued(&self, rescued: &RescueReport) {
        self.keep_everything();
        *self.rescued.lock().unwrap_or_else(PoisonError::into_inner) = Some(rescued.clone());
    }

    /// Remembers how to take back what a finished command has made, for the case that nobody can be told of it.
    pub fn when_undelivered<F>(&self, action: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = Result<Outcome>> + Send + 'static,
    {
        let action: Action = Box::new(move || Box::pin(action()));
        *self.undelivered.lock().unwrap_or_else(PoisonError::into_inner) = Some(action);
    }

    /// Takes back what nobody could be told of. Returns whether there was anything.
    ///
    /// # Errors
    /// The action's own.
    pub async fn take_back_undelivered(&self) -> Result<bool> {
        let action = self.undelivered.lock().unwrap_or_else(PoisonError::into_inner).take();
        match action {
            Some(action) => Ok(action().await? == Outcome::TakenBack),
            None => Ok(false),
        }
    }

    /// Takes every step back, the last one first. A step that is begun is counted as left until it has ended, so that
    /// a caller who loses patience can ask what is left.
    pub async fn run(&self, undone: &Mutex<Undone>) {
        let report = || undone.lock().unwrap_or_else(PoisonError::into_inner);
        report().kept.clone_from(&*self.kept.lock().unwrap_or_else(PoisonError::into_inner));
        report().rescued.clone_from(&*self.rescued.lock().unwrap_or_else(PoisonError::into_inner));
        let steps = std::mem::take(&mut *self.steps());
        report().left = steps.iter().rev().map(|step| step.what.clone()).collect();
        report().remedies = steps.iter().rev().filter_map(|step| step.remedy.clone()).collect();
        let mut failed = Vec::new();
        for Step { what, remedy, action } in steps.into_iter().rev() {
            let result = tokio::time::timeout(STEP_LIMIT, action()).await.unwrap_or_else(|_| {
                Err(Error::new(ErrorCode::Timeout, format!("it took more than {} seconds", STEP_LIMIT.as_secs())))
            });
            let mut report = report();
            report.left.retain(|left| *left != what);
            if result.is_ok() {
                report.remedies.retain(|left| Some(left) != remedy.as_ref());
            }
            match result {
                Ok(Outcome::TakenBack) => report.done.push(what),
                Ok(Outcome::Nothing) => {}
                Ok(Outcome::Kept(name)) => report.kept_for_a_look = Some(name),
                Ok(Outcome::Unsure(why)) => report.unsure.push(why),
                Err(error) => {
                    let cause = error.causes().first().map(|cause| format!(": {cause}")).unwrap_or_default();
                    failed.push(format!("{what}: {error}{cause}"));
                }
            }
        }
        report().left.extend(failed);
    }

    fn steps(&self) -> std::sync::MutexGuard<'_, Vec<Step>> {
        // A panic while registering leaves the list whole, so a poisoned lock is as good as any.
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn steps_are_undone_in_reverse_and_failures_are_reported() {
        let undo = Undo::default();
        let order = Arc::new(Mutex::new(Vec::new()));
        for step in ["first", "nothing", "second"] {
            let order = Arc::clone(&order);
            undo.register_removable(step, format!("remove {step}"), move || async move {
                order.lock().unwrap().push(step);
                if step == "first" { Err(Error::new(ErrorCode::Internal, "no")) } else { Ok(step == "second") }
            });
        }
        let undone = Mutex::default();
        undo.run(&undone).await;
        assert_eq!(*order.lock().unwrap(), ["second", "nothing", "first"]);
        let expected = Undone {
            done: vec!["second".to_owned()],
            left: vec!["first: no".to_owned()],
            remedies: vec!["remove first".to_owned()],
            ..Undone::default()
        };
        assert_eq!(*undone.lock().unwrap(), expected);
        let again = Mutex::default();
        undo.run(&again).await;
        assert_eq!(*again.lock().unwrap(), Undone::default(), "nothing is undone twice");
    }

    #[tokio::test]
    async fn who_loses_patience_is_told_what_is_left_and_how_to_remove_it() {
        let undo = Undo::default();
        undo.register_removable("a", "rm a", std::future::pending::<Result<bool>>);
        let undone = Mutex::default();
        tokio::select! {
            biased;
            () = undo.run(&undone) => panic!("it never ends"),
            () = std::future::ready(()) => {}
        }
        let undone = undone.into_inner().unwrap();
        assert_eq!((undone.left, undone.remedies), (vec!["a".to_owned()], vec!["rm a".to_owned()]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_that_hangs_is_left_and_the_others_are_taken_back() {
        let undo = Undo::default();
        undo.register("first", || async { Ok(true) });
        undo.register("hangs", std::future::pending::<Result<bool>>);
        let undone = Mutex::default();
        undo.run(&undone).await;
        let undone = undone.into_inner().unwrap();
        assert_eq!(undone.done, ["first"]);
        assert_eq!(undone.left, ["hangs: it took more than 20 seconds"]);
    }

    #[tokio::test]
    async fn what_is_asked_to_stay_stays_and_is_named() {
        let undo = Undo::default();
        undo.register("x", || async { Ok(Outcome::Kept("agent-ws-x".to_owned())) });
        let undone = Mutex::default();
        undo.run(&undone).await;
        assert_eq!(undone.into_inner().unwrap().kept_for_a_look.as_deref(), Some("agent-ws-x"));
    }
}
