//! Properties of what people type: repositories, names, flags' values, pointers, whole command lines.

use serde_json::Value;

use super::{check_document, check_error};
use crate::backend::docker::fuzzing::address;
use crate::cli::{self, Form};
use crate::command::{capabilities, field as command};
use crate::error::Result;
use crate::host::Host;
use crate::output::{Early, Human, Terminal};
use crate::ssh::RemoteTarget;
use crate::workspace::repo_spec::Host as GitHost;
use crate::workspace::{GitRef, ImageRef, MachineName, Prefix, RepoSpec, TunnelName, WorkspaceName, name, resources};

/// What was accepted, if it was; what was refused can be told.
fn accepted<T>(result: Result<T>) -> Option<T> {
    result.inspect_err(check_error).ok()
}

/// A repository that is accepted needs no thought as a path or a URL, and its URL is the same repository. A password
/// in an address is never repeated.
pub(super) fn repo_spec(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Ok(github) = GitHost::parse("github.com") else { panic!("github.com is a host") };
    if let Some(repo) = accepted(RepoSpec::parse(&text, &github)) {
        for part in [repo.owner(), repo.repo()] {
            assert!(!part.starts_with('-') && !matches!(part, "" | "." | ".."), "{part:?}");
            assert!(part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)), "{part:?}");
        }
        assert!(!repo.slug().split('/').any(|part| part == ".."), "{:?}", repo.slug());
        assert!(GitHost::parse(repo.host()).is_ok_and(|host| host.as_str() == repo.host()), "{:?}", repo.host());
        assert_eq!(RepoSpec::parse(&repo.url(), &github).as_ref(), Ok(&repo), "by its URL");
    }
    if text.contains("hunter2") {
        return;
    }
    for address in [format!("https://me:hunter2@{text}"), format!("ssh://hunter2@{text}")] {
        match RepoSpec::parse(&address, &github) {
            Ok(repo) => panic!("{address:?} is {repo:?}"),
            Err(error) => assert!(!error.message().contains("hunter2"), "{error}"),
        }
    }
}

/// A full name stands for itself, and engines take it and its hostname. The first line is the prefix, the rest what
/// was typed.
pub(super) fn names(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (first, typed) = text.split_once('\n').unwrap_or(("agent-ws", &text));
    let Some(prefix) = accepted(Prefix::parse(first)).or_else(|| Prefix::parse(Prefix::DEFAULT).ok()) else { return };
    let container = |text: &str| {
        text.len() >= 2
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
    };
    if let Some(name) = accepted(WorkspaceName::parse(typed, &prefix)) {
        let full = name.canonical();
        assert!(container(full) && full.len() <= 200 && prefix.covers(full), "{full:?}");
        for other in [name.legacy(), name.verbatim()].into_iter().flatten() {
            assert!(container(other), "{other:?}");
        }
        let again = WorkspaceName::parse(full, &prefix);
        assert_eq!(again.as_ref().map(WorkspaceName::canonical), Ok(full));
        let (hostname, cut) = name::hostname(full);
        assert!(hostname.len() <= 63 && cut == (hostname != full), "{hostname:?}");
        assert!(prefix.strip(full).len() < full.len(), "{full:?}");
    }
    let of_workspace = TunnelName::for_workspace(typed, &prefix);
    for tunnel in [Some(of_workspace), accepted(TunnelName::parse(typed))].into_iter().flatten() {
        let name = tunnel.as_str();
        assert!((1..=20).contains(&name.len()) && !name.starts_with('-') && !name.ends_with('-'), "{name:?}");
        assert!(
            name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'),
            "{name:?}"
        );
        assert_eq!(TunnelName::parse(name).as_ref(), Ok(&tunnel));
    }
}

/// The values of flags and variables: what is accepted is safe where it goes.
pub(super) fn words(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    let option = |text: &str| text.starts_with('-');
    let blank = |text: &str| text.chars().any(|c| c.is_whitespace() || c.is_control());
    if let Some(git_ref) = accepted(GitRef::parse(text)) {
        assert!(!option(git_ref.as_str()) && !blank(git_ref.as_str()), "{git_ref:?}");
    }
    if let Some(image) = accepted(ImageRef::parse(text)) {
        let (name, tag) = image.name_and_tag();
        assert!(!option(name) && !blank(text) && !name.is_empty() && !tag.is_empty(), "{image:?}");
    }
    if let Some(host) = accepted(GitHost::parse(text)) {
        assert_eq!(GitHost::parse(host.as_str()).as_ref(), Ok(&host));
    }
    if let Some(cpus) = accepted(resources::cpus(text)) {
        assert!((10_000_000..=1_024_000_000_000).contains(&cpus), "{cpus}");
    }
    if let Some(memory) = accepted(resources::memory(text)) {
        assert!(memory >= 6 << 20, "{memory}");
    }
    if let Some(time) = accepted(resources::timeout(text)) {
        assert!(!time.is_zero(), "{time:?}");
    }
    if let Some(network) = accepted(resources::network(text)) {
        assert!(!option(&network) && !blank(&network) && !network.contains(':'), "{network:?}");
    }
    if let Some(user) = accepted(resources::user(text)) {
        assert!(!option(&user) && !blank(&user), "{user:?}");
    }
    if let Some((key, _)) = accepted(resources::label(text)) {
        assert!(!key.is_empty() && !key.starts_with("agent-kit.") && !key.starts_with("agent-workspace."), "{key:?}");
    }
    if let Some(dir) = accepted(resources::clone_dir(text, "/work")) {
        assert!(dir.starts_with('/') && !dir.ends_with('/') && dir != "/work" && !dir.contains("//"), "{dir:?}");
        assert!(dir.split('/').all(|part| part != ".." && part != "."), "{dir:?}");
        assert!(text.starts_with('/') || dir.starts_with("/work/"), "{dir:?}");
        assert_eq!(resources::clone_dir(&dir, "/work").as_ref(), Ok(&dir));
    }
    if let Some(dir) = accepted(resources::workdir(text, "/work")) {
        assert!(dir.starts_with('/') && !dir.contains("//") && !dir.chars().any(char::is_control), "{dir:?}");
        assert!(dir.split('/').all(|part| part != ".." && part != "."), "{dir:?}");
    }
    if let Some(variables) = accepted(resources::env_file("file", text, |_| Ok(Some("host".to_owned())))) {
        for (name, value) in variables {
            assert!(!name.is_empty() && !name.contains('=') && !is_token(&name), "{name:?}");
            assert!(!value.contains(['\0', '\n']), "{value:?}");
        }
    }
    if let Some(target) = accepted(RemoteTarget::parse(text)) {
        // What becomes an argument of `ssh`, and words of a shell that somebody pastes.
        let shown = target.to_string();
        assert!(!option(&shown) && !option(target.host()) && !blank(&shown), "{shown:?}");
        assert!(!shown.contains(['\'', '"', '$', '`', ';', '&', '|', '/']), "{shown:?}");
        assert_eq!(RemoteTarget::parse(&shown).as_ref(), Ok(&target));
    }
    if let Some(name) = accepted(MachineName::parse(text)) {
        assert_eq!(name.as_str(), text);
    }
    accepted(capabilities::supports(text));
    accepted(capabilities::requires(text));
    if let Some(shown) = accepted(address(text)) {
        // What becomes an argument of `ssh`.
        let target = shown.strip_prefix("ssh://").unwrap_or_default();
        assert!(!option(target), "{shown:?}");
        assert_eq!(address(&shown).as_ref(), Ok(&shown));
    }
}

fn is_token(name: &str) -> bool {
    matches!(name, "GH_TOKEN" | "GITHUB_TOKEN") || name.starts_with("GIT_CREDENTIALS_")
}

/// A pointer (the first line) finds in a document (the rest) what a JSON library finds, and prints no more than there
/// is.
pub(super) fn field(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (pointer, document) = (String::from_utf8_lossy(&bytes[..end]), bytes.get(end + 1..).unwrap_or_default());
    let Some(request) = accepted(command::Args { pointer: pointer.to_string(), null: false }.resolve()) else { return };
    let found = accepted(command::run(&request, document));
    if let Some(found) = &found {
        check_document(found);
        let text = found.human(Terminal::default());
        assert!(text.len() <= 2 * document.len() + 1, "{} bytes from {}", text.len(), document.len());
    }
    let Ok(value) = serde_json::from_slice::<Value>(document) else { return };
    let expected = value.pointer(&pointer).filter(|value| !value.is_null());
    let found = found.and_then(|found| serde_json::to_value(found).ok());
    assert_eq!(found.as_ref().map(|found| &found["value"]), expected, "at {pointer:?}");
}

/// A command line, a word a line. The form of the answer is known from any that can be parsed.
pub(super) fn arguments(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let words: Vec<&str> = text.lines().take(24).collect();
    let host = Host::fixed(&words, []);
    let early = Early::scan(&host, &cli::COMMANDS);
    let Ok(cli) = cli::parse(host.args()) else { return };
    assert_eq!(early.json, cli.global.output == Form::Json, "{words:?}");
    assert_eq!(early.quiet, cli.global.quiet, "{words:?}");
}
