//! What the steps of making each VM said. It goes with its VM.

use agent_workspace_contract::VmLog;
use rusqlite::params;

use super::Records;
use crate::error::Result;

/// How many runs of commands are kept of each VM.
const RUNS: u32 = 10;

impl Records {
    /// Writes down what steps said in the run of this mark, and forgets the oldest runs. Of a VM that is not there nothing
    /// is written.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn add_logs(&mut self, vm: &str, run: &str, logs: &[VmLog]) -> Result<()> {
        self.transaction(|transaction| {
            let text = "INSERT INTO vm_logs (vm, run, at, part, step, text) \
                        SELECT name, ?2, ?3, ?4, ?5, ?6 FROM vms WHERE name = ?1";
            for VmLog { at, part, step, text: said } in logs {
                transaction.execute(text, params![vm, run, at, part, step, said])?;
            }
            let text = "DELETE FROM vm_logs WHERE vm = ?1 AND run NOT IN \
                        (SELECT run FROM vm_logs WHERE vm = ?1 GROUP BY run ORDER BY max(id) DESC LIMIT ?2)";
            Ok(transaction.execute(text, params![vm, RUNS]).map(drop)?)
        })
    }

    /// What the steps of a VM said, the oldest first: those of the newest run, or of every one that is kept.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn logs(&self, vm: &str, every_run: bool) -> Result<Vec<VmLog>> {
        let all = || {
            let text = "SELECT at, part, step, text FROM vm_logs WHERE vm = ?1 AND (?2 OR run = \
                        (SELECT run FROM vm_logs WHERE vm = ?1 ORDER BY id DESC LIMIT 1)) ORDER BY id";
            let mut statement = self.connection.prepare(text)?;
            let read = |row: &rusqlite::Row<'_>| {
                Ok(VmLog { at: row.get(0)?, part: row.get(1)?, step: row.get(2)?, text: row.get(3)? })
            };
            statement.query_map(params![vm, every_run], read)?.collect::<rusqlite::Result<Vec<_>>>()
        };
        all().map_err(|error| self.failed(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::*;

    fn log(step: &str) -> VmLog {
        VmLog {
            at: "2026-01-22T08:46:52Z".to_owned(),
            part: "x".to_owned(),
            step: step.to_owned(),
            text: String::new(),
        }
    }

    fn steps(logs: Vec<VmLog>) -> Vec<String> {
        logs.into_iter().map(|log| log.step).collect()
    }

    #[test]
    fn the_newest_ten_runs_of_each_vm_are_kept_and_go_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut records = Store::at(folder.path()).write().unwrap();
        for vm in ["a", "a-b"] {
            records.intend_vm(vm, "ssh", vm, None).unwrap();
        }
        for run in 0..12 {
            let run = run.to_string();
            records.add_logs("a", &run, &[log("one")]).unwrap();
            records.add_logs("a-b", "only", &[log("other")]).unwrap();
            // Of one run what comes later belongs to it too.
            records.add_logs("a", &run, &[log(&run)]).unwrap();
        }
        assert_eq!(steps(records.logs("a", false).unwrap()), ["one", "11"]);
        let every = steps(records.logs("a", true).unwrap());
        assert_eq!((every.len(), every[1].as_str()), (20, "2"), "in the order of time");
        assert_eq!(records.logs("a-b", false).unwrap().len(), 12);
        assert!(records.forget_vm("a").unwrap());
        assert_eq!((records.logs("a", true).unwrap().len(), records.logs("a-b", true).unwrap().len()), (0, 12));
        records.add_logs("a", "late", &[log("one")]).unwrap();
        assert_eq!(records.logs("a", true).unwrap(), [], "nothing is kept of a VM that is not there");
    }
}
