//! What to undo when a command fails or is interrupted: last made, first undone.

use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;

use crate::error::Result;

type Action = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = Result<()>> + Send>> + Send>;

/// Steps that have left something behind, each with the way to take it back.
#[derive(Default)]
pub struct Undo(Mutex<Vec<(String, Action)>>);

impl Undo {
    /// Registers how to take back a step; `what` names what it left behind.
    pub fn register<F>(&self, what: impl Into<String>, action: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        self.steps().push((what.into(), Box::new(move || Box::pin(action()))));
    }

    /// Forgets every step: the command has done what it was asked for.
    pub fn keep_everything(&self) {
        self.steps().clear();
    }

    /// Takes every step back, the last one first. Returns what could not be taken back, with the reason.
    pub async fn run(&self) -> Vec<String> {
        let steps = std::mem::take(&mut *self.steps());
        let mut left = Vec::new();
        for (what, action) in steps.into_iter().rev() {
            if let Err(error) = action().await {
                left.push(format!("{what}: {error}"));
            }
        }
        left
    }

    fn steps(&self) -> std::sync::MutexGuard<'_, Vec<(String, Action)>> {
        // A panic while registering leaves the list whole, so a poisoned lock is as good as any.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
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
        for step in ["first", "second"] {
            let order = Arc::clone(&order);
            undo.register(step, move || async move {
                order.lock().unwrap().push(step);
                if step == "first" { Err(Error::new(ErrorCode::Internal, "no")) } else { Ok(()) }
            });
        }
        assert_eq!(undo.run().await, ["first: no"]);
        assert_eq!(*order.lock().unwrap(), ["second", "first"]);
        assert!(undo.run().await.is_empty(), "nothing is undone twice");
    }
}
