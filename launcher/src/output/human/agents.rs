//! Reports about agents and what they may enter, as text for people.

use agent_workspace_contract::{
    AgentCreateReport, AgentDeleteReport, AgentDescribeReport, AgentListReport, AgentReinitReport, AgentRow, Grant,
    GrantKind, GrantsDenyReport, GrantsReport,
};

use super::machines::steps;
use super::{Human, Terminal, plain, table};

impl Human for AgentCreateReport {
    fn human(&self, _: Terminal) -> String {
        let word = if self.created { "created" } else { "ready" };
        let AgentRow { agent, vm, user, .. } = &self.agent;
        format!("{word}: {agent}\nvm: {vm}\nuser: {user}\n{}{}", steps(&self.steps), problems(&self.agent))
    }
}

impl Human for AgentReinitReport {
    fn human(&self, _: Terminal) -> String {
        format!("ready: {}\n{}{}", self.agent.agent, steps(&self.steps), problems(&self.agent))
    }
}

impl Human for AgentListReport {
    fn human(&self, terminal: Terminal) -> String {
        let columns = |row: &AgentRow| {
            let grants = if row.grant_all { "all" } else { "" };
            let status = row.status.as_str().to_owned();
            [row.agent.clone(), row.vm.clone(), status, row.user.clone(), grants.to_owned(), row.created_at.clone()]
                .to_vec()
        };
        let rows = self.agents.iter().map(columns).collect();
        let header = ["NAME", "VM", "STATUS", "USER", "GRANTS", "CREATED"];
        let mut text = table(terminal, &header, rows, "no agents");
        if terminal.is {
            for row in &self.agents {
                for problem in &row.problems {
                    text += &format!("{}: {}\n", row.agent, plain(&problem.message));
                }
            }
        }
        text
    }
}

impl Human for AgentDescribeReport {
    fn human(&self, _: Terminal) -> String {
        let row = &self.agent;
        let known = |value: &Option<String>| value.as_deref().map_or_else(|| "-".to_owned(), plain);
        format!(
            "agent: {}\nvm: {}\nuser: {}\nstatus: {}\ntemplate: {}\nshell: {}\nevery workspace: {}\ncreated: {}\n{}{}",
            row.agent,
            row.vm,
            row.user,
            row.status.as_str(),
            known(&row.template),
            known(&row.shell),
            if row.grant_all { "yes" } else { "no" },
            row.created_at,
            grants(&self.grants),
            problems(row),
        )
    }
}

impl Human for AgentDeleteReport {
    fn human(&self, _: Terminal) -> String {
        match (self.changed, self.user_deleted) {
            (false, _) => format!("nothing to delete: {}\n", self.agent),
            (true, true) => format!("deleted: {}\n", self.agent),
            (true, false) => format!("forgotten: {}; its user on the machine stays as it is\n", self.agent),
        }
    }
}

impl Human for GrantsReport {
    fn human(&self, terminal: Terminal) -> String {
        listed(terminal, self.grant_all, &self.agent, &self.grants)
    }
}

impl Human for GrantsDenyReport {
    fn human(&self, terminal: Terminal) -> String {
        listed(terminal, self.grant_all, &self.agent, &self.grants)
    }
}

/// A line each, for programs a name and the kinds; people are told of the right to those to come as well.
fn listed(terminal: Terminal, all: bool, agent: &str, grants: &[Grant]) -> String {
    let rows = grants.iter().map(|grant| vec![plain(&grant.workspace), kinds(grant)]).collect();
    let text = table(terminal, &["WORKSPACE", "WHY"], rows, "no workspaces");
    let to_come = if terminal.is && all { format!("{agent} may enter those to come too\n") } else { String::new() };
    text + &to_come
}

fn kinds(grant: &Grant) -> String {
    grant.kinds.iter().copied().map(GrantKind::as_str).collect::<Vec<_>>().join("+")
}

fn grants(grants: &[Grant]) -> String {
    grants.iter().map(|grant| format!("workspace: {} ({})\n", plain(&grant.workspace), kinds(grant))).collect()
}

fn problems(row: &AgentRow) -> String {
    row.problems.iter().map(|problem| format!("problem: {}\n", plain(&problem.message))).collect()
}

#[cfg(test)]
mod tests {
    use agent_workspace_contract::{AgentStatus, Problem};

    use super::*;

    fn row() -> AgentRow {
        AgentRow {
            agent: "claude".to_owned(),
            vm: "dev".to_owned(),
            user: "agt--claude".to_owned(),
            template: None,
            shell: Some("/bin/bash".to_owned()),
            grant_all: false,
            status: AgentStatus::Ready,
            created_at: "2026-01-22T08:46:52Z".to_owned(),
            problems: vec![Problem { code: "x".to_owned(), message: "no\u{1b}[2J".to_owned(), hint: None }],
        }
    }

    #[test]
    fn lists_for_programs_keep_empty_columns_and_people_are_told_what_is_wrong() {
        let report = AgentListReport { agents: vec![row()] };
        let line = "claude\tdev\tready\tagt--claude\t\t2026-01-22T08:46:52Z\n";
        assert_eq!(report.human(Terminal::default()), line);
        let people = report.human(Terminal { is: true, columns: Some(100) });
        assert!(people.contains("claude: no") && !people.contains('\u{1b}'), "{people:?}");
    }

    #[test]
    fn why_an_agent_may_enter_is_said_in_one_column() {
        let grant = Grant { workspace: "agent-ws-a".to_owned(), kinds: vec![GrantKind::All, GrantKind::Implicit] };
        let report = AgentDescribeReport { agent: row(), grants: vec![grant.clone()] };
        assert!(report.human(Terminal::default()).contains("workspace: agent-ws-a (all+implicit)\n"));
        assert_eq!(listed(Terminal::default(), true, "claude", &[grant]), "agent-ws-a\tall+implicit\n");
    }
}
