//! The machines that VMs are on.

use agent_workspace_contract::ErrorCode;
use rusqlite::{OptionalExtension, Row, params};

use super::{Records, Refused, now};
use crate::error::{Error, Result};

/// A machine that VMs are on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmHostRecord {
    /// Its name.
    pub name: String,
    /// How SSH reaches it.
    pub host: String,
    /// What kind of system it runs.
    pub os: Option<String>,
    /// Its architecture.
    pub architecture: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub last_seen_at: Option<String>,
}

impl VmHostRecord {
    const COLUMNS: &str = "name, host, os, architecture, created_at, last_seen_at";

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            name: row.get(0)?,
            host: row.get(1)?,
            os: row.get(2)?,
            architecture: row.get(3)?,
            created_at: row.get(4)?,
            last_seen_at: row.get(5)?,
        })
    }
}

impl Records {
    /// Every VM host, by name.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn vm_hosts(&self) -> Result<Vec<VmHostRecord>> {
        let all = || {
            let text = format!("SELECT {} FROM vm_hosts ORDER BY name", VmHostRecord::COLUMNS);
            self.connection.prepare(&text)?.query_map([], VmHostRecord::read)?.collect::<rusqlite::Result<Vec<_>>>()
        };
        all().map_err(|error| self.failed(&error))
    }

    /// One VM host.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn vm_host(&self, name: &str) -> Result<Option<VmHostRecord>> {
        let text = format!("SELECT {} FROM vm_hosts WHERE name = ?1", VmHostRecord::COLUMNS);
        self.connection.query_row(&text, [name], VmHostRecord::read).optional().map_err(|error| self.failed(&error))
    }

    /// Adds a VM host, or notes what it answered. One with another address is not replaced. Returns whether it is new.
    ///
    /// # Errors
    /// `vm_host_exists`, `state_failed`.
    pub fn add_vm_host(
        &mut self,
        name: &str,
        host: &str,
        os: Option<&str>,
        architecture: Option<&str>,
    ) -> Result<bool> {
        let (now, seen) = (now(), os.map(|_| now()));
        self.transaction(|transaction| {
            let text = "SELECT host FROM vm_hosts WHERE name = ?1";
            let there: Option<String> = transaction.query_row(text, [name], |row| row.get(0)).optional()?;
            match there {
                Some(there) if there != host => Err(Refused::Ours(
                    Error::new(ErrorCode::VmHostExists, format!("VM host {name} is at {there}"))
                        .detail("vm_host", name)
                        .hint(format!("take another name, or remove it first: agent-workspace vm-host remove {name}")),
                )),
                Some(_) => {
                    let text = "UPDATE vm_hosts SET os = coalesce(?2, os), architecture = coalesce(?3, architecture), \
                                last_seen_at = coalesce(?4, last_seen_at) WHERE name = ?1";
                    transaction.execute(text, params![name, os, architecture, seen])?;
                    Ok(false)
                }
                None => {
                    let text = "INSERT INTO vm_hosts (name, host, os, architecture, created_at, last_seen_at) \
                                VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
                    transaction.execute(text, params![name, host, os, architecture, now, seen])?;
                    Ok(true)
                }
            }
        })
    }

    /// Removes a VM host. VMs on it are detached when `force` says so; else they keep it. Returns their names, or `None`
    /// when there is no such VM host.
    ///
    /// # Errors
    /// `vm_host_in_use`, `state_failed`.
    pub fn remove_vm_host(&mut self, name: &str, force: bool) -> Result<Option<Vec<String>>> {
        self.transaction(|transaction| {
            let vms: Vec<String> = transaction
                .prepare("SELECT name FROM vms WHERE vm_host = ?1 ORDER BY name")?
                .query_map([name], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            if !vms.is_empty() && !force {
                return Err(Refused::Ours(
                    Error::new(ErrorCode::VmHostInUse, format!("VM host {name} has VMs: {}", vms.join(", ")))
                        .detail("vm_host", name)
                        .detail("vms", vms)
                        .hint(format!(
                            "keep the VMs and forget where they are: agent-workspace vm-host remove --force {name}"
                        )),
                ));
            }
            transaction.execute("UPDATE vms SET vm_host = NULL WHERE vm_host = ?1", [name])?;
            let removed = transaction.execute("DELETE FROM vm_hosts WHERE name = ?1", [name])?;
            Ok((removed > 0).then_some(vms))
        })
    }
}
