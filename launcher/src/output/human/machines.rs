//! Reports about VMs and the machines they are on, as text for people.

use agent_workspace_contract::{
    RehomeReport, RepairReport, VmCreateReport, VmDeleteReport, VmDescribeReport, VmForward, VmHostAddReport,
    VmHostListReport, VmHostRemoveReport, VmHostRow, VmLifecycleReport, VmListReport, VmLive, VmLog, VmLogsReport,
    VmPhase, VmPortForwardReport, VmReinitReport, VmRow, VmSshConfigReport, VmStatus, VmStep,
};

use super::{Human, Terminal, enter_line, plain, table};
use crate::workspace::resources::bytes_in_words;

impl Human for VmHostAddReport {
    fn human(&self, _: Terminal) -> String {
        let word = if self.changed { "added" } else { "known already" };
        format!("{word}: {}\nhost: {}\n", self.vm_host.vm_host, self.vm_host.host)
    }
}

impl Human for VmHostListReport {
    fn human(&self, terminal: Terminal) -> String {
        let columns = |row: &VmHostRow| {
            let known = |value: &Option<String>| plain(value.as_deref().unwrap_or_default());
            [row.vm_host.clone(), row.host.clone(), known(&row.os), row.vms.join(","), known(&row.last_seen_at)]
                .to_vec()
        };
        let rows = self.vm_hosts.iter().map(columns).collect();
        table(terminal, &["NAME", "HOST", "OS", "VMS", "LAST SEEN"], rows, "no VM hosts")
    }
}

impl Human for VmHostRemoveReport {
    fn human(&self, _: Terminal) -> String {
        if !self.changed {
            return format!("nothing to remove: {}\n", self.vm_host);
        }
        let detached = self.detached_vms.iter().map(|vm| format!("detached: {vm}\n"));
        std::iter::once(format!("removed: {}\n", self.vm_host)).chain(detached).collect()
    }
}

impl Human for VmCreateReport {
    fn human(&self, _: Terminal) -> String {
        let word = if self.created { "created" } else { "ready" };
        format!(
            "{word}: {}\nhost: {}\nos: {}\n{}enter: {}\n",
            self.vm.vm,
            plain(&self.vm.host),
            plain(self.vm.os.as_deref().unwrap_or("-")),
            steps(&self.steps),
            enter_line(&self.transport),
        )
    }
}

impl Human for VmReinitReport {
    fn human(&self, _: Terminal) -> String {
        format!("ready: {}\n{}", self.vm.vm, steps(&self.steps))
    }
}

impl Human for RepairReport {
    fn human(&self, _: Terminal) -> String {
        let word = if self.gone { "cleared away" } else { "whole" };
        format!("{word}: {}\n{}", self.workspace, steps(&self.steps))
    }
}

impl Human for RehomeReport {
    fn human(&self, _: Terminal) -> String {
        let word = if self.changed { "moved" } else { "there already" };
        format!("{word}: {}\nfolder: {}\n", self.workspace, plain(&self.folder))
    }
}

pub(super) fn steps(steps: &[VmStep]) -> String {
    let word = |step: &VmStep| if step.changed { "changed" } else { "as it should be" };
    steps.iter().map(|step| format!("{}: {}\n", step.step.replace('_', " "), word(step))).collect()
}

impl Human for VmListReport {
    fn human(&self, terminal: Terminal) -> String {
        let columns = |row: &VmRow| {
            let seen = row.last_seen_at.clone().unwrap_or_default();
            let (workspaces, agents) = (row.workspaces.to_string(), row.agents.to_string());
            [row.vm.clone(), state(row), row.platform.clone(), plain(&row.host), workspaces, agents, seen].to_vec()
        };
        let rows = self.vms.iter().map(columns).collect();
        let header = ["NAME", "STATUS", "PLATFORM", "HOST", "WORKSPACES", "AGENTS", "LAST SEEN"];
        let mut text = table(terminal, &header, rows, "no VMs");
        if terminal.is {
            for (row, problem) in self.vms.iter().flat_map(|row| row.problems.iter().map(move |problem| (row, problem)))
            {
                text += &format!("{}: {}\n", row.vm, plain(&problem.message));
            }
        }
        text
    }
}

/// One word for how a VM is: what it said, else how far making it is.
fn state(row: &VmRow) -> String {
    let word = match (row.provisioning, row.initialization, row.status) {
        (VmPhase::Complete, VmPhase::Complete, Some(status)) => status.as_str(),
        (VmPhase::Complete, VmPhase::Complete, None) => "ready",
        (VmPhase::Complete, VmPhase::Failed, _) => "not_initialized",
        (VmPhase::Complete, ..) => "initializing",
        (VmPhase::Failed, ..) => "failed",
        _ => "creating",
    };
    word.to_owned()
}

impl Human for VmDescribeReport {
    fn human(&self, _: Terminal) -> String {
        let row = &self.vm;
        let known = |value: &Option<String>| value.as_deref().map_or_else(|| "-".to_owned(), plain);
        let mut text = format!(
            "vm: {}\nstatus: {}\nplatform: {}\nhost: {}\nvm host: {}\ntemplate: {}\nprovisioning: {}\ninitialization: {}\nos: {}\n\
             architecture: {}\nadmin user: {}\ncreated: {}\nlast seen: {}\n",
            row.vm,
            row.status.map_or("-", VmStatus::as_str),
            row.platform,
            plain(&row.host),
            known(&row.vm_host),
            plain(row.template.as_deref().unwrap_or("default")),
            row.provisioning.as_str(),
            row.initialization.as_str(),
            known(&row.os),
            known(&row.architecture),
            known(&row.admin_user),
            row.created_at,
            known(&row.last_seen_at),
        );
        if let Some(live) = &self.live {
            text += &live_lines(live);
        }
        if let Some(transport) = &self.transport {
            text += &format!("enter: {}\n", enter_line(transport));
        }
        for workspace in &self.workspaces {
            text += &format!("workspace: {}\n", plain(workspace));
        }
        for agent in &self.agents {
            text += &format!("agent: {}\n", plain(agent));
        }
        for problem in &row.problems {
            text += &format!("problem: {}\n", plain(&problem.message));
        }
        for event in &self.events {
            let detail = event.detail.as_deref().map(|detail| format!(" ({})", plain(detail))).unwrap_or_default();
            text += &format!("event: {} {}{detail}\n", event.at, event.event.replace('_', " "));
        }
        text
    }
}

fn live_lines(live: &VmLive) -> String {
    let load = |milli: u64| format!("{}.{:02}", milli / 1000, milli % 1000 / 10);
    let of = |free: u64, total: u64| format!("{} free of {}", bytes_in_words(free), bytes_in_words(total));
    let hours = live.uptime_ms / 3_600_000;
    format!(
        "cpus: {}\nload: {} {} {}\nmemory: {}\nswap: {}\ndisk: {}\nup: {} days {} hours\n",
        live.cpus,
        load(live.load_1m_milli),
        load(live.load_5m_milli),
        load(live.load_15m_milli),
        of(live.memory_available_bytes, live.memory_total_bytes),
        of(live.swap_free_bytes, live.swap_total_bytes),
        of(live.disk_available_bytes, live.disk_total_bytes),
        hours / 24,
        hours % 24,
    )
}

impl Human for VmSshConfigReport {
    fn human(&self, _: Terminal) -> String {
        match (self.changed, self.installed) {
            (true, true) => format!("installed: {}\nread by: {}\n", plain(&self.file), plain(&self.config)),
            (true, false) => format!("removed: {}\n", plain(&self.file)),
            // The text of a configuration, to be put where one likes.
            (false, _) => self.text.clone(),
        }
    }
}

impl Human for VmLogsReport {
    fn human(&self, _: Terminal) -> String {
        let step = |log: &VmLog| {
            let lines: String = log.text.lines().map(|line| format!("{}\n", plain(line))).collect();
            format!("--- {} {}: {}\n{lines}", log.at, log.part, log.step.replace('_', " "))
        };
        if self.logs.is_empty() { "nothing is kept\n".to_owned() } else { self.logs.iter().map(step).collect() }
    }
}

impl Human for VmPortForwardReport {
    fn human(&self, _: Terminal) -> String {
        let line = |forward: &VmForward| format!("forwarded: {} to {}\n", forward.local, forward.remote);
        let lines: String = self.forwards.iter().map(line).collect();
        format!("{lines}connections: {}\n", self.connections)
    }
}

impl Human for VmLifecycleReport {
    fn human(&self, _: Terminal) -> String {
        format!("{}: {}\n", self.status.as_str(), self.vm)
    }
}

impl Human for VmDeleteReport {
    fn human(&self, _: Terminal) -> String {
        let mut text = match (self.changed, self.machine_deleted) {
            (false, _) => format!("nothing to delete: {}\n", self.vm),
            (true, true) => format!("deleted: {}\n", self.vm),
            (true, false) => format!("forgotten: {}; the machine itself stays as it is\n", self.vm),
        };
        for (what, names) in [("workspace", &self.forgotten_workspaces), ("agent", &self.forgotten_agents)] {
            text.extend(names.iter().map(|name| format!("forgotten: {what} {}\n", plain(name))));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> VmRow {
        VmRow {
            vm: "dev".to_owned(),
            platform: "ssh".to_owned(),
            host: "admin@vm".to_owned(),
            vm_host: None,
            template: None,
            provisioning: VmPhase::Complete,
            initialization: VmPhase::Complete,
            status: None,
            admin_user: Some("admin".to_owned()),
            os: Some("Debian\u{1b}[2J".to_owned()),
            architecture: None,
            created_at: "2026-01-22T08:46:52Z".to_owned(),
            last_seen_at: None,
            workspaces: 2,
            agents: 0,
            problems: Vec::new(),
        }
    }

    #[test]
    fn lists_for_programs_keep_empty_columns_and_have_no_header() {
        let report = VmListReport { vms: vec![row()] };
        assert_eq!(report.human(Terminal::default()), "dev\tready\tssh\tadmin@vm\t2\t0\t\n");
        let people = report.human(Terminal { is: true, columns: Some(100) });
        assert!(people.contains("LAST SEEN"), "{people}");
    }

    #[test]
    fn what_a_machine_says_of_itself_cannot_drive_the_terminal() {
        let (workspaces, agents, events) = (vec!["agent-ws-a".to_owned()], Vec::new(), Vec::new());
        let report = VmDescribeReport { vm: row(), live: None, workspaces, agents, events, transport: None };
        assert!(!report.human(Terminal::default()).contains('\u{1b}'));
    }
}
