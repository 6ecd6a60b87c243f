//! What the steps of one run say while they are at work, kept until it can be written down.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agent_workspace_contract::VmLog;

use crate::error::Result;
use crate::host;
use crate::store::{Part, Records};

/// The end of what one step says; enough for the whole of a failure.
const LONGEST: usize = 16 << 10;

/// The log of one run. Cheap to clone; all clones are of the same run.
#[derive(Clone)]
pub(super) struct Log {
    run: String,
    steps: Arc<Mutex<Vec<Step>>>,
}

/// A step, and the end of what it said so far.
type Step = (VmLog, Vec<u8>);

impl Log {
    /// A log of a run that begins.
    ///
    /// # Errors
    /// `internal` when the system has no randomness.
    pub(super) fn new() -> Result<Self> {
        Ok(Self { run: host::fresh_id()?, steps: Arc::default() })
    }

    /// Says which step begins.
    pub(super) fn begin(&self, part: Part, step: &str) {
        let at = host::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let (part, step) = (part.word().to_owned(), step.to_owned());
        self.lock().push((VmLog { at, part, step, text: String::new() }, Vec::new()));
    }

    /// Keeps what the step that began last says.
    pub(super) fn hear(&self, bytes: &[u8]) {
        if let Some((_, said)) = self.lock().last_mut() {
            said.extend_from_slice(bytes);
            let excess = said.len().saturating_sub(LONGEST);
            said.drain(..excess);
        }
    }

    /// Writes down what was not written down yet.
    ///
    /// # Errors
    /// `state_failed`.
    pub(super) fn save(&self, records: &mut Records, vm: &str) -> Result<()> {
        let steps = std::mem::take(&mut *self.lock());
        let whole = |(log, said): Step| VmLog { text: String::from_utf8_lossy(&said).into_owned(), ..log };
        records.add_logs(vm, &self.run, &steps.into_iter().map(whole).collect::<Vec<_>>())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Step>> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn the_end_of_what_each_step_says_is_written_down_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut records = Store::at(folder.path()).write().unwrap();
        records.intend_vm("a", "ssh", "vm", None).unwrap();
        let log = Log::new().unwrap();
        log.hear(b"nobody is at work");
        log.begin(Part::Provisioning, "facts");
        log.begin(Part::Initialization, "packages");
        log.hear(&[b'x'; LONGEST]);
        log.hear(b"the end");
        log.save(&mut records, "a").unwrap();
        log.save(&mut records, "a").unwrap();
        let logs = records.logs("a", false).unwrap();
        let steps: Vec<_> = logs.iter().map(|log| (log.part.as_str(), log.step.as_str(), log.text.len())).collect();
        assert_eq!(steps, [("provisioning", "facts", 0), ("initialization", "packages", LONGEST)]);
        assert!(logs[1].text.ends_with("xthe end"));
    }
}
