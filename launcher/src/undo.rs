//! What to undo when a command fails or is interrupted: last made, first undone.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use crate::error::Result;

type Action = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = Result<bool>> + Send>> + Send>;

/// Steps that have left something behind, each with the way to take it back, and what is to stay.
#[derive(Default)]
pub struct Undo {
    steps: Mutex<Vec<(String, Action)>>,
    kept: Mutex<Option<String>>,
    undelivered: Mutex<Option<Action>>,
}

/// What became of what a command had made when it did not get to its end.
#[derive(Debug, Default, PartialEq)]
pub struct Undone {
    /// What was taken back.
    pub done: Vec<String>,
    /// What could not be taken back, with the reason.
    pub left: Vec<String>,
    /// The workspace that was finished before, and stays.
    pub kept: Option<String>,
}

impl Undo {
    /// Registers how to take back a step; `what` names what it may leave behind. The action says whether there was
    /// anything to take back.
    pub fn register<F>(&self, what: impl Into<String>, action: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = Result<bool>> + Send + 'static,
    {
        self.steps().push((what.into(), Box::new(move || Box::pin(action()))));
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

    /// Remembers how to take back what a finished command has made, for the case that nobody can be told of it.
    pub fn when_undelivered<F>(&self, action: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = Result<bool>> + Send + 'static,
    {
        *self.undelivered.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(move || Box::pin(action())));
    }

    /// Takes back what nobody could be told of. Returns whether there was anything.
    ///
    /// # Errors
    /// The action's own.
    pub async fn take_back_undelivered(&self) -> Result<bool> {
        let action = self.undelivered.lock().unwrap_or_else(PoisonError::into_inner).take();
        match action {
            Some(action) => action().await,
            None => Ok(false),
        }
    }

    /// Takes every step back, the last one first. A step that is begun is counted as left until it has ended, so that
    /// a caller who loses patience can ask what is left.
    pub async fn run(&self, undone: &Mutex<Undone>) {
        let report = || undone.lock().unwrap_or_else(PoisonError::into_inner);
        report().kept.clone_from(&*self.kept.lock().unwrap_or_else(PoisonError::into_inner));
        let steps = std::mem::take(&mut *self.steps());
        report().left = steps.iter().rev().map(|(what, _)| what.clone()).collect();
        let mut failed = Vec::new();
        for (what, action) in steps.into_iter().rev() {
            let result = action().await;
            let mut report = report();
            report.left.retain(|left| *left != what);
            match result {
                Ok(true) => report.done.push(what),
                Ok(false) => {}
                Err(error) => {
                    let cause = error.causes().first().map(|cause| format!(": {cause}")).unwrap_or_default();
                    failed.push(format!("{what}: {error}{cause}"));
                }
            }
        }
        report().left.extend(failed);
    }

    fn steps(&self) -> std::sync::MutexGuard<'_, Vec<(String, Action)>> {
        // A panic while registering leaves the list whole, so a poisoned lock is as good as any.
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use agent_workspace_contract::ErrorCode;

    use super::*;
    use crate::error::Error;

    #[tokio::test]
    async fn steps_are_undone_in_reverse_and_failures_are_reported() {
        let undo = Undo::default();
        let order = Arc::new(Mutex::new(Vec::new()));
        for step in ["first", "nothing", "second"] {
            let order = Arc::clone(&order);
            undo.register(step, move || async move {
                order.lock().unwrap().push(step);
                if step == "first" { Err(Error::new(ErrorCode::Internal, "no")) } else { Ok(step == "second") }
            });
        }
        let undone = Mutex::default();
        undo.run(&undone).await;
        assert_eq!(*order.lock().unwrap(), ["second", "nothing", "first"]);
        let expected = Undone { done: vec!["second".to_owned()], left: vec!["first: no".to_owned()], kept: None };
        assert_eq!(*undone.lock().unwrap(), expected);
        let again = Mutex::default();
        undo.run(&again).await;
        assert_eq!(*again.lock().unwrap(), Undone::default(), "nothing is undone twice");
    }
}
