//! How a command that runs until a person has had enough of it hears of that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Between the one that hears signals and the command. Cheap to clone; all clones are of the same command.
#[derive(Clone, Debug, Default)]
pub struct Ending(Arc<Asked>);

#[derive(Debug, Default)]
struct Asked {
    awaited: AtomicBool,
    notify: Notify,
}

impl Ending {
    /// Waits until the command is asked to end. From now on that is how it ends, and no failure.
    pub async fn asked(&self) {
        self.0.awaited.store(true, Ordering::SeqCst);
        self.0.notify.notified().await;
    }

    /// Asks the command to end. Returns whether it waits for that; it does once.
    pub fn ask(&self) -> bool {
        let awaited = self.0.awaited.swap(false, Ordering::SeqCst);
        if awaited {
            self.0.notify.notify_one();
        }
        awaited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_command_that_waits_is_asked_and_only_once() {
        let ending = Ending::default();
        assert!(!ending.ask());
        let asked = ending.clone();
        let waits = tokio::spawn(async move { asked.asked().await });
        tokio::task::yield_now().await;
        assert!(ending.ask() && !ending.ask());
        waits.await.unwrap();
    }
}
