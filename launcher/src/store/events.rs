//! What happened to each VM.

use agent_workspace_contract::VmEvent;
use rusqlite::{Connection, params};

use super::{Records, now};
use crate::error::Result;

/// As many as anybody reads at once.
const SHOWN: u32 = 100;

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

/// Writes down what happened, in the transaction that it is part of.
pub(super) fn add(connection: &Connection, vm: &str, event: &str, detail: Option<&str>) -> rusqlite::Result<()> {
    let text = "INSERT INTO vm_events (vm, at, event, detail) VALUES (?1, ?2, ?3, ?4)";
    connection.execute(text, params![vm, now(), event, detail]).map(drop)
}
