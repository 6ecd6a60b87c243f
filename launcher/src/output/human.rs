//! Reports as text for people. The compiler asks for one for each report.

use agent_workspace_contract::{
    CreateReport, DescribeReport, HelpReport, ImageBuildReport, LifecycleReport, LsReport, RequiresReport, RmReport,
    SchemaReport, SupportsReport, Transport, TunnelReport, VersionReport, WorkspaceRow, WorkspaceStatus,
};

use crate::capabilities::VERSION;

/// What stdout is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terminal {
    /// Whether it is a terminal at all.
    pub is: bool,
    /// Its width, when it is one.
    pub columns: Option<u16>,
}

/// A value from inside a workspace or from a label, on one line and without what could drive a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A report as text for people.
pub trait Human {
    /// The text, with a line end at its end unless it is empty.
    fn human(&self, terminal: Terminal) -> String;
}

impl<T: Human> Human for &T {
    fn human(&self, terminal: Terminal) -> String {
        (*self).human(terminal)
    }
}

/// The lines that `create` ends with, whatever the mode.
pub(super) fn create_summary(report: &CreateReport) -> String {
    let repo = report.repo.as_deref().map_or_else(|| "(none)".to_owned(), plain);
    format!("workspace: {}\nrepo: {repo}\npath: {}\n", report.workspace, report.path)
}

/// The command that opens a shell in a workspace, to be pasted.
fn enter_line(transport: &Transport) -> String {
    let words = transport.tty.iter().map(|word| {
        let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=@".contains(c)) && !word.is_empty();
        if plain { word.clone() } else { format!("'{}'", word.replace('\'', r"'\''")) }
    });
    words.chain(["sh".to_owned()]).collect::<Vec<_>>().join(" ")
}

/// What a person does next in a workspace that is ready, a line each.
pub(super) fn next_steps(report: &CreateReport) -> [String; 4] {
    [
        "next:".to_owned(),
        format!("  enter it:  {}", enter_line(&report.transport)),
        format!("  stop it:   agent-workspace stop {}", report.workspace),
        format!("  remove it: agent-workspace rm {}", report.workspace),
    ]
}

impl Human for CreateReport {
    fn human(&self, _: Terminal) -> String {
        let tunnel = self.tunnel.as_ref().map(tunnel_lines).unwrap_or_default();
        tunnel + &create_summary(self)
    }
}

impl Human for LsReport {
    fn human(&self, terminal: Terminal) -> String {
        if !terminal.is {
            return self.workspaces.iter().fold(String::new(), |text, row| text + &columns(row).join("\t") + "\n");
        }
        if self.workspaces.is_empty() {
            return "no workspaces\n".to_owned();
        }
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        if let Some(columns) = terminal.columns {
            table.set_width(columns);
        }
        table.set_header(["NAME", "STATUS", "REPO", "CREATED"]);
        for row in &self.workspaces {
            table.add_row(columns(row));
        }
        let mut text: String = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        for (row, problem) in
            self.workspaces.iter().flat_map(|row| row.problems.iter().map(move |problem| (row, problem)))
        {
            text += &format!("{}: {}\n", row.workspace, problem.message);
        }
        text
    }
}

/// Name, status, repository, time; empty where there is none, so that columns keep their place.
fn columns(row: &WorkspaceRow) -> [String; 4] {
    [
        plain(&row.workspace),
        row.status.as_str().to_owned(),
        plain(row.repo.as_deref().unwrap_or_default()),
        row.created_at.clone().unwrap_or_default(),
    ]
}

impl Human for DescribeReport {
    fn human(&self, _: Terminal) -> String {
        let row = &self.workspace;
        let enter = match row.status {
            WorkspaceStatus::Running => enter_line(&self.transport),
            _ => format!("agent-workspace start {} && {}", row.workspace, enter_line(&self.transport)),
        };
        let known = |value: &Option<String>| value.as_deref().map_or_else(|| "-".to_owned(), plain);
        let mut text = format!(
            "workspace: {}\nbackend: {}\nstatus: {}\nrepo: {}\npath: {}\nimage: {}\ncreated: {}\nenter: {}\n",
            row.workspace,
            row.backend,
            row.status.as_str(),
            known(&row.repo),
            known(&row.path),
            known(&row.image),
            known(&row.created_at),
            enter,
        );
        for problem in &row.problems {
            text += &format!("problem: {}\n", problem.message);
        }
        text
    }
}

impl Human for LifecycleReport {
    fn human(&self, _: Terminal) -> String {
        let word = match self.status {
            WorkspaceStatus::Running => "started",
            _ => "stopped",
        };
        format!("{word}: {}\n", self.workspace)
    }
}

impl Human for RmReport {
    fn human(&self, _: Terminal) -> String {
        if !self.changed {
            return format!("nothing to remove: {}\n", self.workspace);
        }
        let mut text = format!("removed: {}\n", self.workspace);
        if self.removed.iter().any(|item| item.kind == "volume") {
            text += &format!("volumes removed: {}\n", self.workspace);
        }
        for item in &self.kept {
            text += &format!("{} kept: {}\n", item.kind, item.id);
        }
        text
    }
}

impl Human for TunnelReport {
    fn human(&self, _: Terminal) -> String {
        tunnel_lines(self)
    }
}

fn tunnel_lines(report: &TunnelReport) -> String {
    let state = if report.already_running { " (ran already)" } else { "" };
    let mut text = format!("tunnel: {}{state}\nlog: {}\n", plain(&report.tunnel_name), report.log_path);
    if let Some(login) = &report.login {
        text += &format!("log in: {}\n", plain(&login.url));
        if let Some(code) = &login.code {
            text += &format!("code: {}\n", plain(code));
        }
    }
    text
}

impl Human for ImageBuildReport {
    fn human(&self, _: Terminal) -> String {
        format!("image: {}\n", self.image)
    }
}

impl Human for SupportsReport {
    fn human(&self, _: Terminal) -> String {
        String::new()
    }
}

impl Human for RequiresReport {
    fn human(&self, _: Terminal) -> String {
        String::new()
    }
}

impl Human for VersionReport {
    fn human(&self, _: Terminal) -> String {
        format!("{VERSION}\n")
    }
}

impl Human for HelpReport {
    fn human(&self, _: Terminal) -> String {
        self.help.clone()
    }
}

impl Human for SchemaReport {
    /// The schema alone when one was asked for, else all of them by name.
    fn human(&self, _: Terminal) -> String {
        let mut schemas = self.schemas.values();
        let value = match (schemas.next(), schemas.next()) {
            (Some(only), None) => serde_json::to_string_pretty(only),
            _ => serde_json::to_string_pretty(&self.schemas),
        };
        value.unwrap_or_default() + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(repo: Option<&str>) -> WorkspaceRow {
        WorkspaceRow {
            workspace: "agent-ws-a".to_owned(),
            name: "a".to_owned(),
            backend: "docker".to_owned(),
            status: WorkspaceStatus::Running,
            repo: repo.map(str::to_owned),
            path: None,
            image: None,
            created_at: Some("2026-01-22T08:46:52Z".to_owned()),
            problems: Vec::new(),
        }
    }

    #[test]
    fn lists_for_programs_keep_empty_columns_and_have_no_header() {
        let report = LsReport { workspaces: vec![row(None), row(Some("o/r"))] };
        assert_eq!(
            report.human(Terminal::default()),
            "agent-ws-a\trunning\t\t2026-01-22T08:46:52Z\nagent-ws-a\trunning\to/r\t2026-01-22T08:46:52Z\n"
        );
        assert_eq!(LsReport { workspaces: vec![] }.human(Terminal::default()), "");
    }

    #[test]
    fn labels_cannot_forge_rows_or_drive_the_terminal() {
        let report = LsReport { workspaces: vec![row(Some("o/r\tx\nfake\u{1b}[2J"))] };
        let text = report.human(Terminal::default());
        assert_eq!((text.matches('\n').count(), text.matches('\t').count()), (1, 3), "{text:?}");
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn lists_for_people_have_a_header() {
        let text = LsReport { workspaces: vec![row(None)] }.human(Terminal { is: true, columns: Some(100) });
        assert!(text.contains("NAME") && text.contains("agent-ws-a"), "{text}");
    }
}
