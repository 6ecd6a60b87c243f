//! The agents on VMs, and which workspaces each may enter.

use rusqlite::params;

use super::Records;
use crate::error::Result;

/// The users of the agents that may enter a workspace: those who were granted it, and those who may into every one.
const ADMITTED: &str = "SELECT linux_user FROM agents WHERE state = 'ready' \
                        AND vm = (SELECT vm FROM workspaces WHERE name = ?1) \
                        AND (grant_all = 1 OR EXISTS \
                             (SELECT 1 FROM grants WHERE agent = agents.name AND workspace = ?1)) \
                        ORDER BY linux_user";

impl Records {
    /// The users of the agents that may enter a workspace, who are the members of its group on its VM.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn admitted(&self, workspace: &str) -> Result<Vec<String>> {
        let all = || {
            let mut statement = self.connection.prepare(ADMITTED)?;
            statement.query_map(params![workspace], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()
        };
        all().map_err(|error| self.failed(&error))
    }
}
