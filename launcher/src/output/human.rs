//! Reports as text for people. The compiler asks for one for each report.

mod agents;
mod config;
mod machines;

use agent_workspace_contract::{
    CheckStatus, CompletionReport, CopyReport, CreateReport, DescribeReport, DoctorReport, ErrorCode, HelpReport,
    ImageBuildReport, LeftUnremoved, LifecycleReport, LsReport, ParseRepoReport, Plan, PlanReport, PruneReport,
    RequiresReport, RmReport, SchemaReport, SupportsReport, Transport, TunnelReport, VersionReport, WorkspaceRow,
    WorkspaceStatus,
};

use serde_json::json;

use crate::backend::DOCKER;
use crate::capabilities::VERSION;
use crate::error::Error;
use crate::workspace::resources::bytes_in_words;

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

    /// The failure that a report carries, which ends the process and is told beside it. Few can.
    fn failure(&self) -> Option<Error> {
        None
    }
}

impl<T: Human> Human for &T {
    fn human(&self, terminal: Terminal) -> String {
        (*self).human(terminal)
    }

    fn failure(&self) -> Option<Error> {
        (*self).failure()
    }
}

/// The lines that `create` ends with, whatever the mode.
pub(super) fn create_summary(report: &CreateReport) -> String {
    let repo = report.repo.as_deref().map_or_else(|| "(none)".to_owned(), plain);
    let file = report.code_workspace.iter().flatten().map(|file| format!("code workspace: {}\n", plain(file)));
    format!("workspace: {}\nrepo: {repo}\npath: {}\n", report.workspace, report.path) + &file.collect::<String>()
}

/// The command that opens a shell in a workspace, to be pasted.
fn enter_line(transport: &Transport) -> String {
    let words = transport.tty.iter().map(|word| {
        let bare = word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=@".contains(c)) && !word.is_empty();
        if bare { word.clone() } else { format!("'{}'", plain(word).replace('\'', r"'\''")) }
    });
    words.chain(["sh".to_owned()]).collect::<Vec<_>>().join(" ")
}

/// What a person does next in a workspace that is ready, a line each.
pub(super) fn next_steps(report: &CreateReport) -> [String; 4] {
    let backend = match report.backend.as_str() {
        DOCKER => String::new(),
        other => format!(" --backend {other}"),
    };
    [
        "next:".to_owned(),
        format!("  enter it:  {}", enter_line(&report.transport)),
        format!("  stop it:   agent-workspace stop{backend} {}", report.workspace),
        format!("  remove it: agent-workspace rm{backend} {}", report.workspace),
    ]
}

impl Human for CreateReport {
    fn human(&self, _: Terminal) -> String {
        let tunnel = self.tunnel.as_ref().map(tunnel_lines).unwrap_or_default();
        tunnel + &create_summary(self)
    }
}

impl Human for CopyReport {
    fn human(&self, _: Terminal) -> String {
        let repo = self.repo.as_deref().map_or_else(|| "(none)".to_owned(), plain);
        let image = if self.image.is_empty() { String::new() } else { format!("image: {}\n", plain(&self.image)) };
        format!(
            "created: {}\nlike: {} ({})\nrepo: {repo}\npath: {}\n{image}isolation: {}\ncopied: {} files, {}\nenter: {}\n",
            self.workspace,
            self.source,
            self.source_backend,
            plain(&self.path),
            self.isolation.as_str(),
            self.files,
            bytes_in_words(self.bytes),
            enter_line(&self.transport),
        )
    }
}

impl Human for PlanReport {
    fn human(&self, _: Terminal) -> String {
        let Plan { container: _, volumes, networks, steps, timeout_ms: _ } = &self.plan;
        let repo = self.repo.as_deref().map_or_else(|| "(none)".to_owned(), plain);
        let image = if self.image.is_empty() { String::new() } else { format!("image: {}\n", self.image) };
        let mut text = format!(
            "workspace: {}\nrepo: {repo}\npath: {}\n{image}isolation: {}\n",
            self.workspace,
            self.path,
            self.isolation.as_str(),
        );
        for volume in volumes {
            text += &format!("volume: {} on {}\n", volume.id, volume.mount);
        }
        text += &format!("network: {}\n", networks.join(", "));
        for (number, step) in (1..).zip(steps) {
            text += &format!("step {number}: {}\n", step.does);
        }
        text + "nothing was touched; the engine's own words are in the document: --output json\n"
    }
}

impl Human for LsReport {
    fn human(&self, terminal: Terminal) -> String {
        let mut header = vec!["NAME", "STATUS", "REPO", "CREATED"];
        let mut rows: Vec<_> = self.workspaces.iter().map(|row| columns(row).to_vec()).collect();
        if !terminal.is {
            return table(terminal, &header, rows, "");
        }
        // Where all are containers, there is nothing to tell.
        if self.workspaces.iter().any(|row| row.backend != DOCKER) {
            header.insert(1, "BACKEND");
            for (columns, row) in rows.iter_mut().zip(&self.workspaces) {
                columns.insert(1, row.backend.clone());
            }
        }
        let mut text = table(terminal, &header, rows, "no workspaces");
        for (row, problem) in
            self.workspaces.iter().flat_map(|row| row.problems.iter().map(move |problem| (row, problem)))
        {
            text += &format!("{}: {}\n", plain(&row.workspace), plain(&problem.message));
        }
        text
    }
}

/// Rows for people as a table with a header, or `none` when there are none; for programs cut by tabs, without a header.
fn table(terminal: Terminal, header: &[&str], rows: Vec<Vec<String>>, none: &str) -> String {
    if !terminal.is {
        return rows.iter().map(|row| row.join("\t") + "\n").collect();
    }
    if rows.is_empty() {
        return format!("{none}\n");
    }
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    if let Some(columns) = terminal.columns {
        table.set_width(columns);
    }
    table.set_header(header);
    for row in rows {
        table.add_row(row);
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
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
            _ => format!("agent-workspace start {} && {}", plain(&row.workspace), enter_line(&self.transport)),
        };
        let known = |value: &Option<String>| value.as_deref().map_or_else(|| "-".to_owned(), plain);
        let mut text = format!(
            "workspace: {}\nbackend: {}\nstatus: {}\nrepo: {}\npath: {}\nimage: {}\nisolation: {}\ncreated: {}\nenter: {}\n",
            plain(&row.workspace),
            row.backend,
            row.status.as_str(),
            known(&row.repo),
            known(&row.path),
            known(&row.image),
            self.isolation.as_str(),
            known(&row.created_at),
            enter,
        );
        if let (Some(dir), Some(mount)) = (&self.secrets.dir, &self.secrets.mount) {
            let readonly = if self.secrets.readonly { " (read-only)" } else { "" };
            text += &format!("secrets: {} on {}{readonly}\n", plain(dir), plain(mount));
        }
        for problem in &row.problems {
            text += &format!("problem: {}\n", plain(&problem.message));
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
        if let Some(Some(rescued)) = &self.rescued {
            text += &format!("rescued: {}\n", plain(&rescued.dir));
        }
        for item in &self.kept {
            text += &format!("{} kept: {}\n", item.kind, item.id);
        }
        text
    }
}

impl Human for DoctorReport {
    /// A line a check, with the command that mends it at its end.
    fn human(&self, _: Terminal) -> String {
        self.checks.iter().fold(String::new(), |text, check| {
            let fix = check.fix.as_ref().map(|fix| format!(" (fix: {fix})")).unwrap_or_default();
            text + &format!("{:8} {:12} {}{}\n", check.status.as_str(), check.check, plain(&check.message), plain(&fix))
        })
    }

    fn failure(&self) -> Option<Error> {
        let failed: Vec<_> = self.checks.iter().filter(|check| check.status == CheckStatus::Failed).collect();
        let names: Vec<_> = failed.iter().map(|check| check.check.clone()).collect();
        let fix = failed.iter().find_map(|check| check.fix.clone());
        let error = Error::new(ErrorCode::Unhealthy, format!("something does not work: {}", names.join(", ")))
            .detail("failed", names)
            .hint(fix.unwrap_or_else(|| "read what the checks say".to_owned()));
        (!failed.is_empty()).then_some(error)
    }
}

impl Human for PruneReport {
    /// A line a thing, and what it comes to.
    fn human(&self, _: Terminal) -> String {
        let size = |bytes: Option<u64>| bytes.map(|bytes| format!(", {}", bytes_in_words(bytes))).unwrap_or_default();
        let done = if self.dry_run { "would remove" } else { "removed" };
        let mut text = String::new();
        for item in &self.removed {
            let why = item.reason.replace('_', " ");
            text += &format!("{done}: {} {} ({why}{})\n", item.kind, plain(&item.id), size(item.bytes));
        }
        for item in &self.kept {
            text += &format!("kept: {} {} ({})\n", item.kind, plain(&item.id), plain(&item.why));
        }
        let unknown = self.removed.iter().filter(|item| item.bytes.is_none()).count();
        let least = if unknown > 0 { "at least " } else { "" };
        let freed = bytes_in_words(self.reclaimed_bytes);
        match (self.removed.is_empty(), self.dry_run) {
            (true, _) if self.kept.is_empty() && self.failure().is_none() => "nothing is left over\n".to_owned(),
            _ if unknown == self.removed.len() => text,
            (_, true) => text + &format!("it would free {least}{freed}\n"),
            (_, false) => text + &format!("freed: {least}{freed}\n"),
        }
    }

    fn failure(&self) -> Option<Error> {
        let error = Error::new(ErrorCode::Partial, "not everything that nothing uses could be removed")
            .detail("removed", json!(self.removed))
            .detail("kept", json!(self.kept))
            .detail("failed", json!(self.failed))
            .hint("mend the cause and run again: agent-workspace prune");
        let said =
            |error: Error, item: &LeftUnremoved| error.cause(format!("{} {}: {}", item.kind, item.id, item.message));
        let error = self.unfinished.iter().fold(error, |error, why| error.cause(why.clone()));
        (self.unfinished.is_some() || !self.failed.is_empty()).then(|| self.failed.iter().fold(error, said))
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

impl Human for ParseRepoReport {
    fn human(&self, _: Terminal) -> String {
        format!("repo: {}\nhost: {}\nurl: {}\npath: {}\n", self.repo, self.host, self.url, self.path)
    }
}

impl Human for CompletionReport {
    fn human(&self, _: Terminal) -> String {
        self.script.clone()
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
        let report = LsReport { workspaces: vec![row(None), row(Some("o/r"))], backends: None };
        assert_eq!(
            report.human(Terminal::default()),
            "agent-ws-a\trunning\t\t2026-01-22T08:46:52Z\nagent-ws-a\trunning\to/r\t2026-01-22T08:46:52Z\n"
        );
        assert_eq!(LsReport { workspaces: vec![], backends: None }.human(Terminal::default()), "");
    }

    #[test]
    fn labels_cannot_forge_rows_or_drive_the_terminal() {
        let report = LsReport { workspaces: vec![row(Some("o/r\tx\nfake\u{1b}[2J"))], backends: None };
        let text = report.human(Terminal::default());
        assert_eq!((text.matches('\n').count(), text.matches('\t').count()), (1, 3), "{text:?}");
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn the_line_to_enter_by_cannot_drive_the_terminal() {
        let transport = Transport {
            exec: Vec::new(),
            tty: ["docker", "exec", "-w", "/work/o/\u{1b}[2Jit's"].map(str::to_owned).to_vec(),
            user: "agent".to_owned(),
            workdir: "/work".to_owned(),
            quoting: agent_workspace_contract::Quoting::Argv,
        };
        assert_eq!(enter_line(&transport), r"docker exec -w '/work/o/ [2Jit'\''s' sh");
    }

    #[test]
    fn lists_for_people_have_a_header() {
        let terminal = Terminal { is: true, columns: Some(100) };
        let text = LsReport { workspaces: vec![row(None)], backends: None }.human(terminal);
        assert!(text.contains("NAME") && text.contains("agent-ws-a") && !text.contains("BACKEND"), "{text}");
        let elsewhere = WorkspaceRow { backend: "host".to_owned(), ..row(None) };
        let text = LsReport { workspaces: vec![row(None), elsewhere], backends: None }.human(terminal);
        let lines: Vec<_> = text.lines().map(|line| line.split_whitespace().nth(1).unwrap()).collect();
        assert_eq!(lines, ["BACKEND", "docker", "host"]);
    }
}
