//! What is typed to name a host: `[USER@]HOST[:PORT]`, `ssh://[USER@]HOST[:PORT]`, or a name of `~/.ssh/config`.

use std::fmt;

use agent_workspace_contract::ErrorCode;

use super::quoting::join;
use crate::error::{Error, Result};

/// A host by the words that reach it. Nothing in it can be mistaken for a flag or for words of a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteTarget {
    /// Who logs in, when it was said.
    pub(super) user: Option<String>,
    /// Name or address, without brackets.
    pub(super) host: String,
    /// Where it listens, when it was said.
    pub(super) port: Option<u16>,
}

impl RemoteTarget {
    /// Reads it.
    ///
    /// # Errors
    /// `invalid_host`.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Err(Error::new(ErrorCode::InvalidHost, format!("{text:?} is no SSH host: {why}"))
                .hint("for example: admin@vm.example.org:2222, or a name from ~/.ssh/config"))
        };
        let rest = text.strip_prefix("ssh://").map_or(text, |rest| rest.strip_suffix('/').unwrap_or(rest));
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, rest),
        };
        let (host, port) = match rest.strip_prefix('[') {
            Some(bracketed) => match bracketed.split_once(']') {
                Some((host, "")) => (host, None),
                Some((host, port)) => match port.strip_prefix(':') {
                    Some(port) => (host, Some(port)),
                    None => return wrong("after ] only :PORT may stand"),
                },
                None => return wrong("the bracket is not closed"),
            },
            // An address of the sixth version without brackets has no port.
            None if rest.matches(':').count() > 1 => (rest, None),
            None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
        };
        if user.is_some_and(|user| user.contains(':')) {
            // Not repeated, as a password would be in it.
            return Err(Error::new(
                ErrorCode::InvalidHost,
                "a user of an SSH host has no colon, and a password is not used",
            )
            .hint("for example: admin@vm.example.org:2222; keys that are encrypted work through the agent: ssh-add"));
        }
        if host.is_empty() || user == Some("") {
            return wrong("a part of it is empty");
        }
        if host.len() > 255 || user.is_some_and(|user| user.len() > 64) {
            return wrong("it is too long");
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-:%+".contains(c);
        if host.starts_with('-') || !host.chars().all(plain) {
            return wrong("a host has letters, digits, dots, dashes and colons");
        }
        if user.is_some_and(|user| user.starts_with('-') || !user.chars().all(|c| plain(c) || c == '@' || c == '\\')) {
            return wrong("a user has letters, digits, dots and dashes");
        }
        let port = match port.map(str::parse::<u16>) {
            None => None,
            Some(Ok(port)) if port > 0 => Some(port),
            Some(_) => return wrong("a port is a number from 1 to 65535"),
        };
        Ok(Self { user: user.map(str::to_owned), host: host.to_owned(), port })
    }

    /// The host alone, as it was typed.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The words with which the system's `ssh` reaches it, after the program's name and its flags.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if let Some(port) = self.port {
            words.extend(["-p".to_owned(), port.to_string()]);
        }
        if let Some(user) = &self.user {
            words.extend(["-l".to_owned(), user.clone()]);
        }
        words.extend(["--".to_owned(), self.host.clone()]);
        words
    }

    /// The same as one piece of a line to paste after `ssh` and its flags, which takes no `HOST:PORT`.
    pub fn pasted(&self) -> String {
        join(&self.words())
    }
}

impl fmt::Display for RemoteTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(formatter, "{user}@")?;
        }
        match self.port {
            Some(port) if self.host.contains(':') => write!(formatter, "[{}]:{port}", self.host),
            Some(port) => write!(formatter, "{}:{port}", self.host),
            None => formatter.write_str(&self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_host_is_read_and_written_back() {
        for (typed, user, host, port, shown) in [
            ("vm", None, "vm", None, "vm"),
            ("root@vm", Some("root"), "vm", None, "root@vm"),
            ("vm:2222", None, "vm", Some(2222), "vm:2222"),
            ("ssh://a@vm.example.org:22/", Some("a"), "vm.example.org", Some(22), "a@vm.example.org:22"),
            ("::1", None, "::1", None, "::1"),
            ("a@[fe80::1%eth0]:2200", Some("a"), "fe80::1%eth0", Some(2200), "a@[fe80::1%eth0]:2200"),
        ] {
            let target = RemoteTarget::parse(typed).unwrap();
            assert_eq!((target.user.as_deref(), &*target.host, target.port), (user, host, port), "{typed}");
            assert_eq!(target.to_string(), shown);
            assert_eq!(RemoteTarget::parse(shown).unwrap(), target, "{shown}");
        }
    }

    #[test]
    fn what_is_pasted_is_what_ssh_takes() {
        let pasted = |typed: &str| RemoteTarget::parse(typed).unwrap().pasted();
        assert_eq!(pasted("vm"), "-- vm");
        assert_eq!(pasted("admin@vm:2222"), "-p 2222 -l admin -- vm");
        assert_eq!(pasted(r"CORP\me@vm"), r"-l 'CORP\me' -- vm");
    }

    #[test]
    fn what_could_be_a_flag_or_words_of_a_shell_is_no_host() {
        for typed in [
            "",
            "@vm",
            "a@",
            "-oProxyCommand=x",
            "a@-v",
            "-l@vm",
            "vm:0",
            "vm:65536",
            "vm:ssh",
            "vm;id",
            "a b",
            "$(id)",
            "[::1",
            "[::1]x",
            "vm\n",
            "h/x",
            "a'b@vm",
            "a:secret@vm",
        ] {
            assert_eq!(RemoteTarget::parse(typed).unwrap_err().code(), ErrorCode::InvalidHost, "{typed:?}");
        }
        let refused = RemoteTarget::parse("ssh://a:secret@vm").unwrap_err();
        assert!(!format!("{refused:?}").contains("secret"), "{refused:?}");
    }
}
