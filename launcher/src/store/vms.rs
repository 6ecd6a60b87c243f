//! The VMs, and how far making each one is.

use agent_workspace_contract::{ErrorCode, VmPhase};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Records, Refused, events, now};
use crate::error::{Error, Result};

/// One VM, as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmRecord {
    /// Its name.
    pub name: String,
    /// Who made it.
    pub platform: String,
    /// How SSH reaches it.
    pub host: String,
    /// The VM host it is on.
    pub vm_host: Option<String>,
    /// The template that it is prepared by; `None` for the default.
    pub template: Option<String>,
    /// The mark of the machine.
    pub machine_id: Option<String>,
    /// Whether the machine is there.
    pub provisioning: VmPhase,
    /// Whether it is prepared.
    pub initialization: VmPhase,
    /// Who logs in.
    pub admin_user: Option<String>,
    /// That user's home.
    pub admin_home: Option<String>,
    /// The system as it names itself.
    pub os: Option<String>,
    /// Its architecture, as Debian names it.
    pub architecture: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub last_seen_at: Option<String>,
}

/// What a machine said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What it carries as its own mark.
    pub machine_id: String,
    /// Who logs in.
    pub admin_user: String,
    /// That user's home.
    pub admin_home: String,
    /// The system as it names itself.
    pub os: String,
    /// Its architecture, as Debian names it.
    pub architecture: String,
}

/// One of the two parts of making a VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// That there is a machine.
    Provisioning,
    /// That it is prepared.
    Initialization,
}

impl VmRecord {
    const COLUMNS: &str = "name, platform, host, vm_host, machine_id, provisioning, initialization, admin_user, \
                           admin_home, os, architecture, created_at, last_seen_at, template";

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            name: row.get(0)?,
            platform: row.get(1)?,
            host: row.get(2)?,
            vm_host: row.get(3)?,
            machine_id: row.get(4)?,
            provisioning: phase(&row.get::<_, String>(5)?),
            initialization: phase(&row.get::<_, String>(6)?),
            admin_user: row.get(7)?,
            admin_home: row.get(8)?,
            os: row.get(9)?,
            architecture: row.get(10)?,
            created_at: row.get(11)?,
            last_seen_at: row.get(12)?,
            template: row.get(13)?,
        })
    }
}

impl Part {
    /// The word for it in the names of events and in logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Provisioning => "provisioning",
            Self::Initialization => "initialization",
        }
    }

    fn update(self) -> &'static str {
        match self {
            Self::Provisioning => "UPDATE vms SET provisioning = ?2 WHERE name = ?1",
            Self::Initialization => "UPDATE vms SET initialization = ?2 WHERE name = ?1",
        }
    }
}

impl Records {
    /// Every VM, by name.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn vms(&self) -> Result<Vec<VmRecord>> {
        let all = || {
            let text = format!("SELECT {} FROM vms ORDER BY name", VmRecord::COLUMNS);
            self.connection.prepare(&text)?.query_map([], VmRecord::read)?.collect::<rusqlite::Result<Vec<_>>>()
        };
        all().map_err(|error| self.failed(&error))
    }

    /// One VM.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn vm(&self, name: &str) -> Result<Option<VmRecord>> {
        find(&self.connection, name).map_err(|error| self.failed(&error))
    }

    /// Writes down that a VM is about to be made, unless it is there. Returns whether it is new.
    ///
    /// # Errors
    /// `vm_exists` when its name is another machine's, `state_failed`.
    pub fn intend_vm(&mut self, name: &str, platform: &str, host: &str, vm_host: Option<&str>) -> Result<bool> {
        self.transaction(|transaction| {
            if let Some(there) = find(transaction, name)? {
                if there.platform == platform && there.host == host {
                    return Ok(false);
                }
                return Err(Refused::Ours(
                    Error::new(ErrorCode::VmExists, format!("VM {name} is at {} ({})", there.host, there.platform))
                        .detail("vm", name)
                        .hint(format!("take another name, or forget that one first: agent-workspace vm delete {name}")),
                ));
            }
            let text = "INSERT INTO vms (name, platform, host, vm_host, provisioning, initialization, created_at) \
                        VALUES (?1, ?2, ?3, ?4, 'pending', 'pending', ?5)";
            transaction.execute(text, params![name, platform, host, vm_host, now()])?;
            Ok(true)
        })
    }

    /// Writes down which template a VM is prepared by from now on; the default without a name.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn set_vm_template(&mut self, vm: &str, template: Option<&str>) -> Result<()> {
        let done = self.connection.execute("UPDATE vms SET template = ?2 WHERE name = ?1", params![vm, template]);
        done.map(drop).map_err(|error| self.failed(&error))
    }

    /// Writes down how far a part of making a VM is, and that it came to that.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn set_phase(&mut self, vm: &str, part: Part, to: VmPhase, detail: Option<&str>) -> Result<()> {
        let what = match to {
            VmPhase::InProgress => "started",
            other => other.as_str(),
        };
        self.transaction(|transaction| {
            if transaction.execute(part.update(), params![vm, to.as_str()])? > 0 {
                events::add(transaction, vm, &format!("{}_{what}", part.word()), detail)?;
            }
            Ok(())
        })
    }

    /// Writes down what a machine said of itself, and that it is there.
    ///
    /// # Errors
    /// `vm_exists` when the machine is another VM already, `state_failed`.
    pub fn provisioned(&mut self, vm: &str, facts: &Facts) -> Result<()> {
        self.transaction(|transaction| {
            let text = "SELECT name FROM vms WHERE machine_id = ?1 AND name != ?2";
            let other: Option<String> =
                transaction.query_row(text, params![facts.machine_id, vm], |row| row.get(0)).optional()?;
            if let Some(other) = other {
                return Err(Refused::Ours(
                    Error::new(ErrorCode::VmExists, format!("the machine of VM {vm} is VM {other} already"))
                        .detail("vm", other.clone())
                        .hint(format!("use that one: agent-workspace vm describe {other}")),
                ));
            }
            let text = "UPDATE vms SET provisioning = 'complete', machine_id = ?2, admin_user = ?3, admin_home = ?4, \
                        os = ?5, architecture = ?6, last_seen_at = ?7 WHERE name = ?1";
            let Facts { machine_id, admin_user, admin_home, os, architecture } = facts;
            transaction.execute(text, params![vm, machine_id, admin_user, admin_home, os, architecture, now()])?;
            Ok(events::add(transaction, vm, "provisioning_complete", Some(os))?)
        })
    }

    /// Writes down that a VM answered.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn vm_seen(&mut self, vm: &str) -> Result<()> {
        let done = self.connection.execute("UPDATE vms SET last_seen_at = ?2 WHERE name = ?1", params![vm, now()]);
        done.map(drop).map_err(|error| self.failed(&error))
    }

    /// Forgets a VM and what happened to it. Returns whether there was one.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn forget_vm(&mut self, vm: &str) -> Result<bool> {
        let done = self.connection.execute("DELETE FROM vms WHERE name = ?1", [vm]);
        done.map(|count| count > 0).map_err(|error| self.failed(&error))
    }
}

fn find(connection: &Connection, name: &str) -> rusqlite::Result<Option<VmRecord>> {
    let text = format!("SELECT {} FROM vms WHERE name = ?1", VmRecord::COLUMNS);
    connection.query_row(&text, [name], VmRecord::read).optional()
}

fn phase(word: &str) -> VmPhase {
    match word {
        "pending" => VmPhase::Pending,
        "in_progress" => VmPhase::InProgress,
        "complete" => VmPhase::Complete,
        "failed" => VmPhase::Failed,
        _ => VmPhase::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::*;

    fn facts(machine: &str) -> Facts {
        Facts {
            machine_id: machine.to_owned(),
            admin_user: "admin".to_owned(),
            admin_home: "/home/admin".to_owned(),
            os: "Debian GNU/Linux 12 (bookworm)".to_owned(),
            architecture: "amd64".to_owned(),
        }
    }

    #[test]
    fn an_intent_is_there_before_the_act_and_says_how_far_it_came() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let mut records = store.write().unwrap();
        assert!(records.intend_vm("a", "ssh", "vm", None).unwrap());
        assert!(!records.intend_vm("a", "ssh", "vm", None).unwrap(), "the same again is no new one");
        assert_eq!(records.intend_vm("a", "ssh", "other", None).unwrap_err().code(), ErrorCode::VmExists);
        records.set_phase("a", Part::Provisioning, VmPhase::InProgress, None).unwrap();
        drop(records);
        let mut records = store.write().unwrap();
        assert_eq!(records.vm("a").unwrap().unwrap().provisioning, VmPhase::InProgress);
        records.provisioned("a", &facts("m")).unwrap();
        assert_eq!(records.vm("a").unwrap().unwrap().template, None);
        for template in [Some("big"), None] {
            records.set_vm_template("a", template).unwrap();
            assert_eq!(records.vm("a").unwrap().unwrap().template.as_deref(), template);
        }
        records.set_phase("a", Part::Initialization, VmPhase::Failed, Some("no space")).unwrap();
        let events: Vec<_> = records.events("a").unwrap().into_iter().map(|event| event.event).collect();
        assert_eq!(events, ["initialization_failed", "provisioning_complete", "provisioning_started"]);
        assert!(records.forget_vm("a").unwrap() && !records.forget_vm("a").unwrap());
        assert_eq!(records.events("a").unwrap(), []);
    }

    #[test]
    fn one_machine_is_one_vm() {
        let folder = tempfile::tempdir().unwrap();
        let mut records = Store::at(folder.path()).write().unwrap();
        for name in ["a", "b"] {
            records.intend_vm(name, "ssh", name, None).unwrap();
        }
        records.provisioned("a", &facts("m")).unwrap();
        assert_eq!(records.provisioned("b", &facts("m")).unwrap_err().code(), ErrorCode::VmExists);
        records.provisioned("a", &facts("m")).unwrap();
    }

    #[test]
    fn a_vm_host_with_vms_stays_until_they_are_detached() {
        let folder = tempfile::tempdir().unwrap();
        let mut records = Store::at(folder.path()).write().unwrap();
        records.add_vm_host("h", "box", None, None).unwrap();
        records.intend_vm("a", "ssh", "box", Some("h")).unwrap();
        assert_eq!(records.remove_vm_host("h", false).unwrap_err().code(), ErrorCode::VmHostInUse);
        assert_eq!(records.remove_vm_host("h", true).unwrap(), Some(vec!["a".to_owned()]));
        assert_eq!(records.vm("a").unwrap().unwrap().vm_host, None);
        assert_eq!(records.remove_vm_host("h", true).unwrap(), None);
    }
}
