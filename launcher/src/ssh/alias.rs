//! Names by which the user's own `ssh`, and what is built on it, reaches VMs.
//!
//! A VM's host may be a name of `~/.ssh/config`, which `ssh` looks up by what is typed alone. So under a name of ours stands
//! what `ssh -G` says of that host and of no other.

use super::Client;
use super::settings::{Settings, lines};
use super::target::RemoteTarget;
use crate::error::Result;

/// What the names begin with before the VM's own, when nothing else is configured.
pub const PREFIX: &str = "awvm--";
/// A host that nobody has settings of.
const NOBODY: &str = "agent-workspace-of-nobody";
/// What says how a host is reached and recognised, as `ssh` spells it.
const SETTINGS: [&str; 13] = [
    "CertificateFile",
    "ConnectTimeout",
    "GlobalKnownHostsFile",
    "HashKnownHosts",
    "HostKeyAlias",
    "IdentitiesOnly",
    "IdentityAgent",
    "IdentityFile",
    "ProxyCommand",
    "ProxyJump",
    "RevokedHostKeys",
    "StrictHostKeyChecking",
    "UserKnownHostsFile",
];
/// Those whose value is a line to its end.
const LINES: [&str; 1] = ["ProxyCommand"];
/// Those whose value may be several words.
const WORDS: [&str; 2] = ["GlobalKnownHostsFile", "UserKnownHostsFile"];

/// The text that gives each of these VMs, by its name and its host, a name for `ssh`.
///
/// # Errors
/// `invalid_environment` when `ssh` cannot read its configuration.
pub async fn hosts(client: &Client, vms: &[(String, RemoteTarget)]) -> Result<String> {
    let nobody = RemoteTarget { user: None, host: NOBODY.to_owned(), port: None };
    let usual = said(client, &nobody).await?;
    let mut text = String::new();
    for (vm, target) in vms {
        let settings = Settings::of(client, target).await?;
        let own = said(client, target).await?;
        text += &block(&client.alias(vm), (&settings.hostname, settings.port, &settings.user), &own, &usual);
    }
    Ok(text)
}

/// What `ssh -G` says of a host; nothing where there is no `ssh`.
async fn said(client: &Client, target: &RemoteTarget) -> Result<String> {
    match &client.program {
        Some(program) => Settings::ask(program, target).await,
        None => Ok(String::new()),
    }
}

/// The lines of one VM: where it is, and what holds for its host and not for others.
fn block(alias: &str, (hostname, port, user): (&str, u16, &str), own: &str, usual: &str) -> String {
    let mut text =
        format!("\nHost {}\n  HostName {}\n  Port {port}\n  User {}\n", alias, hostname.replace('%', "%%"), word(user));
    for setting in SETTINGS {
        let values = |said| -> Vec<&str> {
            let is_it = |name: &str| name.eq_ignore_ascii_case(setting);
            lines(said).filter(|(name, _)| is_it(name)).map(|(_, value)| value).collect()
        };
        let there = values(own);
        if there == values(usual) {
            continue;
        }
        for value in there {
            let value =
                if LINES.contains(&setting) || WORDS.contains(&setting) { value.to_owned() } else { word(value) };
            text += &format!("  {setting} {value}\n");
        }
    }
    text
}

/// A value as one word.
fn word(value: &str) -> String {
    if value.contains(char::is_whitespace) { format!("\"{value}\"") } else { value.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vm_has_what_holds_for_its_host_alone() {
        let usual = "identityfile ~/.ssh/id_rsa\nidentityfile ~/.ssh/id_ed25519\nhashknownhosts no\nforwardagent no\n";
        let own = "hostname 10.0.0.5\nidentityfile ~/my keys/box\nhashknownhosts no\nproxyjump gate\nforwardagent yes\n\
                   proxycommand nc -X 5 %h %p\n";
        assert_eq!(
            block("awvm--dev", ("10.0.0.5", 2222, "admin"), own, usual),
            "\nHost awvm--dev\n  HostName 10.0.0.5\n  Port 2222\n  User admin\n  IdentityFile \"~/my keys/box\"\n  \
             ProxyCommand nc -X 5 %h %p\n  ProxyJump gate\n"
        );
        assert_eq!(
            block("awvm--dev", ("fe80::1%eth0", 22, r"CORP\me"), usual, usual),
            "\nHost awvm--dev\n  HostName fe80::1%%eth0\n  Port 22\n  User CORP\\me\n"
        );
    }
}
