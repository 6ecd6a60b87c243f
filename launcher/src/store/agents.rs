//! The agents on VMs, and which workspaces each may enter. What is here is the truth: the groups on the machines follow.

use agent_workspace_contract::{ErrorCode, Grant, GrantKind};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Records, Refused, WorkspaceState, now};
use crate::error::{Error, Result};
use crate::guest::users::AgentSetup;

/// The users of the agents that may enter a workspace: those who were granted it, and those who may into every one.
const ADMITTED: &str = "SELECT linux_user FROM agents WHERE state = 'ready' \
                        AND vm = (SELECT vm FROM workspaces WHERE name = ?1) \
                        AND (grant_all = 1 OR EXISTS \
                             (SELECT 1 FROM grants WHERE agent = agents.name AND workspace = ?1)) \
                        ORDER BY linux_user";

/// The workspaces that an agent may enter, with why. Into what was kept of one that was removed nobody may.
const ADMITTED_TO: &str = "SELECT w.name, w.linux_user, w.folder, w.state, a.grant_all, \
                           EXISTS (SELECT 1 FROM grants WHERE agent = a.name AND workspace = w.name \
                                   AND kind = 'explicit'), \
                           EXISTS (SELECT 1 FROM grants WHERE agent = a.name AND workspace = w.name \
                                   AND kind = 'implicit') \
                           FROM agents a JOIN workspaces w ON w.vm = a.vm AND w.state != 'kept' WHERE a.name = ?1 \
                           AND (a.grant_all = 1 OR EXISTS \
                                (SELECT 1 FROM grants WHERE agent = a.name AND workspace = w.name)) \
                           ORDER BY w.name";

/// One agent, as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentRecord {
    /// Its name.
    pub name: String,
    /// The VM it is on.
    pub vm: String,
    /// The mark of the call that made it, which its user carries.
    pub create_id: String,
    /// Its user there.
    pub linux_user: String,
    /// The template it was made from.
    pub template: Option<String>,
    /// What was asked for.
    pub setup: AgentSetup,
    /// The shell that this came to.
    pub shell: Option<String>,
    /// Why its dotfiles are not in their places.
    pub dotfiles_problem: Option<String>,
    /// Whether it may enter every workspace of its VM, those to come included.
    pub grant_all: bool,
    /// How far it is.
    pub state: AgentState,
    /// RFC 3339.
    pub created_at: String,
}

/// How far an agent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentState {
    /// Its create has not come to its end.
    Creating,
    /// It is there.
    Ready,
    /// It is being deleted.
    Removing,
    /// A newer launcher knows what this is.
    Unknown,
}

/// A workspace that an agent may enter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmittedTo {
    /// Its full name.
    pub workspace: String,
    /// The group whose members may enter it.
    pub group: String,
    /// Where it is on its VM.
    pub folder: String,
    /// How far it is: one that is being made or removed may have no group.
    pub state: WorkspaceState,
    /// Why the agent may.
    pub kinds: Vec<GrantKind>,
}

impl From<AdmittedTo> for Grant {
    fn from(to: AdmittedTo) -> Self {
        Self { workspace: to.workspace, kinds: to.kinds }
    }
}

impl AgentState {
    /// The word that is written down.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Ready => "ready",
            Self::Removing => "removing",
            Self::Unknown => "unknown",
        }
    }

    fn read(word: &str) -> Self {
        let known = [Self::Creating, Self::Ready, Self::Removing];
        known.into_iter().find(|state| state.as_str() == word).unwrap_or(Self::Unknown)
    }
}

impl AgentRecord {
    const COLUMNS: &str = "name, vm, create_id, linux_user, template, setup, shell, dotfiles_problem, grant_all, state, \
                           created_at";

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            name: row.get(0)?,
            vm: row.get(1)?,
            create_id: row.get(2)?,
            linux_user: row.get(3)?,
            template: row.get(4)?,
            setup: serde_json::from_str(&row.get::<_, String>(5)?).unwrap_or_default(),
            shell: row.get(6)?,
            dotfiles_problem: row.get(7)?,
            grant_all: row.get(8)?,
            state: AgentState::read(&row.get::<_, String>(9)?),
            created_at: row.get(10)?,
        })
    }
}

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

    /// The workspaces that an agent may enter, by name.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn admitted_to(&self, agent: &str) -> Result<Vec<AdmittedTo>> {
        let read = |row: &Row<'_>| {
            let kinds = [(4, GrantKind::All), (5, GrantKind::Explicit), (6, GrantKind::Implicit)];
            let held = |(column, kind): (usize, GrantKind)| row.get(column).map(|is: bool| is.then_some(kind));
            Ok(AdmittedTo {
                workspace: row.get(0)?,
                group: row.get(1)?,
                folder: row.get(2)?,
                state: WorkspaceState::read(&row.get::<_, String>(3)?),
                kinds: kinds.into_iter().filter_map(|kind| held(kind).transpose()).collect::<rusqlite::Result<_>>()?,
            })
        };
        let all = || {
            let mut statement = self.connection.prepare(ADMITTED_TO)?;
            statement.query_map([agent], read)?.collect::<rusqlite::Result<Vec<_>>>()
        };
        all().map_err(|error| self.failed(&error))
    }

    /// Every agent, by name.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn agents(&self) -> Result<Vec<AgentRecord>> {
        let all = || {
            let text = format!("SELECT {} FROM agents ORDER BY name", AgentRecord::COLUMNS);
            self.connection.prepare(&text)?.query_map([], AgentRecord::read)?.collect::<rusqlite::Result<Vec<_>>>()
        };
        all().map_err(|error| self.failed(&error))
    }

    /// One agent.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn agent(&self, name: &str) -> Result<Option<AgentRecord>> {
        find(&self.connection, name).map_err(|error| self.failed(&error))
    }

    /// Writes down that an agent is about to be made, unless one of its name is there; that one is returned then.
    ///
    /// # Errors
    /// `vm_not_found`, `state_failed`.
    pub fn intend_agent(&mut self, wanted: &AgentRecord) -> Result<Option<AgentRecord>> {
        self.transaction(|transaction| {
            if let Some(there) = find(transaction, &wanted.name)? {
                return Ok(Some(there));
            }
            let vm = "SELECT 1 FROM vms WHERE name = ?1";
            if transaction.query_row(vm, [&wanted.vm], |_| Ok(())).optional()?.is_none() {
                return Err(Refused::Ours(
                    Error::new(ErrorCode::VmNotFound, format!("VM not found: {}", wanted.vm))
                        .detail("vm", wanted.vm.clone())
                        .hint("see what there is: agent-workspace vm list"),
                ));
            }
            let AgentRecord { name, vm, create_id, linux_user, template, setup, grant_all, .. } = wanted;
            let text = "INSERT INTO agents (name, vm, create_id, linux_user, template, setup, grant_all, state, \
                        created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'creating', ?8)";
            let setup = serde_json::to_string(setup).unwrap_or_default();
            let values = params![name, vm, create_id, linux_user, template, setup, grant_all, now()];
            transaction.execute(text, values)?;
            Ok(None)
        })
    }

    /// Writes down how far an agent is, if it is still the one of that call. Returns whether it is.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn set_agent_state(&mut self, name: &str, create_id: &str, to: AgentState) -> Result<bool> {
        let text = "UPDATE agents SET state = ?3 WHERE name = ?1 AND create_id = ?2";
        let done = self.connection.execute(text, params![name, create_id, to.as_str()]);
        done.map(|count| count > 0).map_err(|error| self.failed(&error))
    }

    /// Writes down what an agent was made of, and that it is there, if it is still the one of that call.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn agent_made(&mut self, made: &AgentRecord) -> Result<bool> {
        let text = "UPDATE agents SET state = 'ready', setup = ?3, shell = ?4, dotfiles_problem = ?5, template = ?6 \
                    WHERE name = ?1 AND create_id = ?2";
        let AgentRecord { name, create_id, template, setup, shell, dotfiles_problem, .. } = made;
        let setup = serde_json::to_string(setup).unwrap_or_default();
        let values = params![name, create_id, setup, shell, dotfiles_problem, template];
        let done = self.connection.execute(text, values);
        done.map(|count| count > 0).map_err(|error| self.failed(&error))
    }

    /// Forgets an agent and what it was granted, if it is still the one of that call. Returns whether it was.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn forget_agent(&mut self, name: &str, create_id: &str) -> Result<bool> {
        let done =
            self.connection.execute("DELETE FROM agents WHERE name = ?1 AND create_id = ?2", params![name, create_id]);
        done.map(|count| count > 0).map_err(|error| self.failed(&error))
    }

    /// Grants an agent workspaces, all of them or none; with `all`, every one of its VM, those to come included. What it
    /// has it keeps. Returns whether that changed anything.
    ///
    /// # Errors
    /// `state_failed`, also when one of them is not there.
    pub fn grant(&mut self, agent: &str, workspaces: &[String], all: bool) -> Result<bool> {
        self.transaction(|transaction| {
            let mut changed = 0;
            for workspace in workspaces {
                let text = "INSERT INTO grants (agent, workspace, kind, created_at) VALUES (?1, ?2, 'explicit', ?3) \
                            ON CONFLICT DO NOTHING";
                changed += transaction.execute(text, params![agent, workspace, now()])?;
            }
            if all {
                changed += transaction
                    .execute("UPDATE agents SET grant_all = 1 WHERE name = ?1 AND grant_all = 0", [agent])?;
            }
            Ok(changed > 0)
        })
    }

    /// Takes back what an agent was granted explicitly: these workspaces, or with `all` every one and the flag. What its
    /// sessions hold it keeps. Returns whether that changed anything.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn deny(&mut self, agent: &str, workspaces: &[String], all: bool) -> Result<bool> {
        self.transaction(|transaction| {
            let mut changed = 0;
            for workspace in workspaces {
                let text = "DELETE FROM grants WHERE agent = ?1 AND workspace = ?2 AND kind = 'explicit'";
                changed += transaction.execute(text, params![agent, workspace])?;
            }
            if all {
                changed += transaction.execute("DELETE FROM grants WHERE agent = ?1 AND kind = 'explicit'", [agent])?;
                changed += transaction
                    .execute("UPDATE agents SET grant_all = 0 WHERE name = ?1 AND grant_all = 1", [agent])?;
            }
            Ok(changed > 0)
        })
    }

    /// Writes down that a session of an agent is in a workspace, for as long as there is the session. Returns whether that
    /// is new.
    ///
    /// # Errors
    /// `state_failed`, also when one of them is not there.
    pub fn hold_for_session(&mut self, agent: &str, workspace: &str, session: &str) -> Result<bool> {
        let text = "INSERT INTO grants (agent, workspace, kind, session, created_at) \
                    VALUES (?1, ?2, 'implicit', ?3, ?4) ON CONFLICT DO NOTHING";
        let done = self.connection.execute(text, params![agent, workspace, session, now()]);
        done.map(|count| count > 0).map_err(|error| self.failed(&error))
    }

    /// Forgets what a session held. Returns whether there was anything.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn end_of_session(&mut self, session: &str) -> Result<bool> {
        let done = self.connection.execute("DELETE FROM grants WHERE kind = 'implicit' AND session = ?1", [session]);
        done.map(|count| count > 0).map_err(|error| self.failed(&error))
    }

    /// What is remembered on a VM: full names of workspaces, and names of agents.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn on_vm(&self, vm: &str) -> Result<(Vec<String>, Vec<String>)> {
        let names = |text: &str| {
            self.connection.prepare(text)?.query_map([vm], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()
        };
        let both = || {
            let workspaces = names("SELECT name FROM workspaces WHERE vm = ?1 ORDER BY name")?;
            Ok((workspaces, names("SELECT name FROM agents WHERE vm = ?1 ORDER BY name")?))
        };
        both().map_err(|error| self.failed(&error))
    }

    /// Forgets what is remembered on a VM, and nothing else: [`Records::forget_vm`] refuses one with anything on it.
    ///
    /// # Errors
    /// `state_failed`.
    pub fn forget_what_is_on(&mut self, vm: &str) -> Result<()> {
        self.transaction(|transaction| {
            transaction.execute("DELETE FROM agents WHERE vm = ?1", [vm])?;
            transaction.execute("DELETE FROM workspaces WHERE vm = ?1", [vm])?;
            Ok(())
        })
    }
}

fn find(connection: &Connection, name: &str) -> rusqlite::Result<Option<AgentRecord>> {
    let text = format!("SELECT {} FROM agents WHERE name = ?1", AgentRecord::COLUMNS);
    connection.query_row(&text, [name], AgentRecord::read).optional()
}

#[cfg(test)]
mod tests {
    use super::super::{Store, WorkspaceRecord};
    use super::*;

    fn agent(name: &str, vm: &str) -> AgentRecord {
        AgentRecord {
            name: name.to_owned(),
            vm: vm.to_owned(),
            create_id: "1".to_owned(),
            linux_user: format!("agt--{name}"),
            template: None,
            setup: AgentSetup { shell: Some("zsh".to_owned()), dotfiles: None },
            shell: None,
            dotfiles_problem: None,
            grant_all: false,
            state: AgentState::Creating,
            created_at: String::new(),
        }
    }

    fn add_workspace(records: &mut Records, name: &str, vm: &str) {
        let wanted = WorkspaceRecord {
            name: name.to_owned(),
            vm: vm.to_owned(),
            create_id: format!("of-{name}"),
            state: WorkspaceState::Creating,
            stopped: false,
            folder: format!("/srv/{name}"),
            linux_user: format!("ws--{name}"),
            repo: None,
            spec: None,
            created_at: String::new(),
        };
        assert_eq!(records.intend_workspace(&wanted).unwrap(), None);
    }

    /// Two VMs with two workspaces each, and an agent on the first.
    fn world(folder: &std::path::Path) -> Records {
        let mut records = Store::at(folder).write().unwrap();
        for vm in ["dev", "far"] {
            records.intend_vm(vm, "ssh", vm, None).unwrap();
            for name in ["a", "b"] {
                add_workspace(&mut records, &format!("{vm}-{name}"), vm);
            }
        }
        assert_eq!(records.intend_agent(&agent("x", "dev")).unwrap(), None);
        records
    }

    fn held(records: &Records) -> Vec<(String, Vec<GrantKind>)> {
        records.admitted_to("x").unwrap().into_iter().map(|to| (to.workspace, to.kinds)).collect()
    }

    #[test]
    fn an_agent_is_remembered_from_its_intent_until_its_own_call_forgets_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut records = world(folder.path());
        let there = records.intend_agent(&agent("x", "far")).unwrap().unwrap();
        assert_eq!((&*there.vm, there.state, there.setup.shell.as_deref()), ("dev", AgentState::Creating, Some("zsh")));
        assert_eq!(records.intend_agent(&agent("y", "nosuch")).unwrap_err().code(), ErrorCode::VmNotFound);
        let made = AgentRecord {
            template: Some("mine".to_owned()),
            shell: Some("/bin/zsh".to_owned()),
            dotfiles_problem: Some("no".to_owned()),
            ..there
        };
        assert!(records.agent_made(&made).unwrap());
        let ready = records.agent("x").unwrap().unwrap();
        assert_eq!(ready, AgentRecord { state: AgentState::Ready, ..made });
        assert!(!records.set_agent_state("x", "2", AgentState::Removing).unwrap());
        assert!(!records.forget_agent("x", "2").unwrap() && records.forget_agent("x", "1").unwrap());
        assert_eq!(records.agents().unwrap(), []);
    }

    #[test]
    fn what_is_granted_twice_is_one_grant_and_what_is_denied_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let mut records = world(folder.path());
        let one = ["dev-a".to_owned()];
        assert!(records.grant("x", &one, false).unwrap());
        assert!(!records.grant("x", &one, false).unwrap());
        assert_eq!(held(&records), [("dev-a".to_owned(), vec![GrantKind::Explicit])]);
        assert!(records.deny("x", &one, false).unwrap() && !records.deny("x", &one, false).unwrap());
        assert_eq!(held(&records), []);
        let with_unknown = ["dev-a".to_owned(), "nosuch".to_owned()];
        assert_eq!(records.grant("x", &with_unknown, false).unwrap_err().code(), ErrorCode::StateFailed);
        assert_eq!(held(&records), [], "all of them or none");
    }

    #[test]
    fn who_may_into_every_one_may_into_those_to_come_of_its_own_vm() {
        let folder = tempfile::tempdir().unwrap();
        let mut records = world(folder.path());
        assert!(records.grant("x", &[], true).unwrap() && !records.grant("x", &[], true).unwrap());
        add_workspace(&mut records, "dev-c", "dev");
        let names: Vec<_> = held(&records).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["dev-a", "dev-b", "dev-c"]);
        assert_eq!(records.admitted("dev-c").unwrap(), [""; 0], "not before it is there itself");
        records.set_agent_state("x", "1", AgentState::Ready).unwrap();
        assert_eq!(records.admitted("dev-c").unwrap(), ["agt--x"]);
        assert_eq!(records.admitted("far-a").unwrap(), [""; 0]);
    }

    #[test]
    fn denying_everything_leaves_what_sessions_hold() {
        let folder = tempfile::tempdir().unwrap();
        let mut records = world(folder.path());
        records.grant("x", &["dev-a".to_owned(), "dev-b".to_owned()], true).unwrap();
        for session in ["s1", "s2"] {
            assert!(records.hold_for_session("x", "dev-b", session).unwrap());
            assert!(!records.hold_for_session("x", "dev-b", session).unwrap());
        }
        let all = vec![GrantKind::All, GrantKind::Explicit, GrantKind::Implicit];
        assert_eq!(held(&records)[1], ("dev-b".to_owned(), all));
        assert!(records.deny("x", &[], true).unwrap());
        assert_eq!(held(&records), [("dev-b".to_owned(), vec![GrantKind::Implicit])]);
        assert!(records.end_of_session("s1").unwrap());
        assert_eq!(held(&records).len(), 1, "another session is still there");
        assert!(records.end_of_session("s2").unwrap() && !records.end_of_session("s2").unwrap());
        assert_eq!(held(&records), []);
        assert!(records.hold_for_session("x", "dev-b", "").is_err(), "an implicit one names its session");
    }

    #[test]
    fn a_vm_with_something_on_it_is_not_forgotten_by_accident() {
        let folder = tempfile::tempdir().unwrap();
        let mut records = world(folder.path());
        assert_eq!(records.on_vm("dev").unwrap(), (vec!["dev-a".to_owned(), "dev-b".to_owned()], vec!["x".to_owned()]));
        assert_eq!(records.forget_vm("dev").unwrap_err().code(), ErrorCode::StateFailed);
        records.grant("x", &["dev-a".to_owned()], false).unwrap();
        records.forget_what_is_on("dev").unwrap();
        assert!(records.forget_vm("dev").unwrap());
        assert_eq!(records.on_vm("far").unwrap().0.len(), 2, "and nothing of another one");
    }
}
