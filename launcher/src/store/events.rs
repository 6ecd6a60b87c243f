//! What happened to each VM.

use agent_workspace_contract::VmEvent;
use rusqlite::{Connection, params};

use super::{Records, now};
use crate::error::Result;

/// As many as anybody reads at once.
const SHOWN: u32 = 100;
/// As many as are kept of one VM.
const KEPT: u32 = 1000;

impl Records {
    /// What happened to a VM, the newest first.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn events(&self, vm: &str) -> Result<Vec<VmEvent>> {
        let all = || {
            let text = "SELECT at, event, detail FROM vm_events WHERE vm = ?1 ORDER BY id DESC LIMIT ?2";
            let mut statement = self.connection.prepare(text)?;
            let read =
                |row: &rusqlite::Row<'_>| Ok(VmEvent { at: row.get(0)?, event: row.get(1)?, detail: row.get(2)? });
            statement.query_map(params![vm, SHOWN], read)?.collect::<rusqlite::Result<Vec<_>>>()
        };
        all().map_err(|error| self.failed(&error))
    }
}

/// Writes down what happened, in the transaction that it is part of, and forgets what is long ago.
pub(super) fn add(connection: &Connection, vm: &str, event: &str, detail: Option<&str>) -> rusqlite::Result<()> {
    let text = "INSERT INTO vm_events (vm, at, event, detail) VALUES (?1, ?2, ?3, ?4)";
    connection.execute(text, params![vm, now(), event, detail])?;
    let text = "DELETE FROM vm_events WHERE vm = ?1 AND id <= \
                (SELECT id FROM vm_events WHERE vm = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
    connection.execute(text, params![vm, KEPT]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::*;

    #[test]
    fn the_newest_thousand_of_each_vm_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut records = Store::at(folder.path()).write().unwrap();
        for vm in ["a", "a-b"] {
            records.intend_vm(vm, "ssh", vm, None).unwrap();
        }
        records
            .transaction(|transaction| {
                add(transaction, "a-b", "first", None)?;
                for number in 0..=KEPT {
                    add(transaction, "a", &number.to_string(), None)?;
                }
                Ok(())
            })
            .unwrap();
        let count = |vm: &str| {
            let text = "SELECT count(*), min(CAST(event AS INTEGER)) FROM vm_events WHERE vm = ?1";
            let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, u32>(0)?, row.get::<_, u32>(1)?));
            records.connection.query_row(text, [vm], read).unwrap()
        };
        assert_eq!((count("a"), count("a-b").0), ((KEPT, 1), 1), "the oldest is gone, and nothing of another VM");
        assert_eq!(records.events("a").unwrap()[0].event, KEPT.to_string());
    }
}
