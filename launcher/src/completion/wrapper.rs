//! What the wrappers add to the launcher's command line, for completion alone: nothing here is ever parsed or run.

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, Command, ValueHint};

/// The value name of flags that want a workspace.
pub(super) const WORKSPACE: &str = "WORKSPACE";

/// Every name the program goes by, and the words that each stands for after the program's own.
pub(super) const NAMES: &[(&str, &[&str])] = &[
    ("agent-workspace", &[]),
    ("aw", &[]),
    ("awa", &["auth"]),
    ("awac", &["auth", "codex"]),
    ("awag", &["auth", "gpg"]),
    ("awah", &["auth", "github"]),
    ("awc", &["create"]),
    ("awe", &["exec"]),
    ("awls", &["ls"]),
    ("awm", &["rm"]),
    ("awr", &["reset"]),
    ("awro", &["reset", "opt-repos"]),
    ("awrp", &["reset", "private-repo"]),
    ("awrr", &["reset", "repo"]),
    ("awrw", &["reset", "work-repos"]),
    ("awsh", &["shell"]),
    ("awt", &["tunnel"]),
];

/// Commands that only wrappers have. The launcher's flags for every command are not theirs.
const OWN: [&str; 7] = ["auth", "exec", "open", "reset", "rsync", "shell", "snapshot"];

/// Where a token is taken from.
const AUTH: [(&str, &str); 5] = [
    ("auto", "The first that works: gh, then the environment"),
    ("env", "GH_TOKEN or GITHUB_TOKEN"),
    ("gh", "The one that gh keeps"),
    ("keyring", "The same as gh"),
    ("none", "No token at all"),
];

/// The words a name stands for; `None` when it is not one of ours.
pub(super) fn expansion(name: &str) -> Option<&'static [&'static str]> {
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, words)| *words)
}

/// Whether only wrappers have this command.
pub(super) fn is_own(command: &str) -> bool {
    OWN.contains(&command)
}

/// The launcher's tree with the wrappers' commands and flags.
pub(super) fn graft(tree: Command) -> Command {
    let tree = ["create", "up"].into_iter().fold(tree, |tree, name| tree.mut_subcommand(name, create));
    tree.mut_subcommand("rm", rm).subcommands([auth(), exec(), open(), reset(), rsync(), shell(), snapshot()])
}

fn create(command: Command) -> Command {
    command.mut_arg("repo", |repo| repo.action(ArgAction::Append).num_args(0..)).args([
        flag("no-work-repos", "Clone nothing; needs --name and no REPO"),
        flag("no-extras", "Only create: no configuration, no private repository, no further REPO"),
        flag("no-snapshot", "Leave the configuration out"),
        value("private-repo", "REPO", "Repository for ~/.private"),
        auth_mode(),
        flag("gpg", "Import your signing key"),
        flag("no-gpg", "Do not, whatever the environment says").conflicts_with_all(["gpg", "gpg-key"]),
        value("gpg-key", "KEY", "Import this key"),
        flag("open", "Open it in VS Code"),
        flag("no-open", "Do not, whatever the environment says").conflicts_with("open"),
    ])
}

fn rm(command: Command) -> Command {
    let several = |name: Arg| name.action(ArgAction::Append).num_args(1..).required(false).conflicts_with("all");
    command.mut_arg("name", several).args([flag("all", "Every workspace"), yes()])
}

fn auth() -> Command {
    let named = || [value("name", WORKSPACE, "The same as NAME").id("workspace_name"), name()];
    Command::new("auth").about("Give a workspace a login: github, codex or gpg").subcommands([
        Command::new("codex")
            .about("Apply a profile of the secrets, or else copy your login file")
            .arg(value("profile", "PROFILE", "Profile of the secrets"))
            .args(named()),
        Command::new("github")
            .about("Keep a token in the workspace, for git on one host")
            .args([value("host", "HOST", "Git host"), auth_mode()])
            .args(named()),
        Command::new("gpg")
            .about("Import your secret key")
            .arg(value("key", "KEY", "Key, as gpg names it"))
            .args(named()),
    ])
}

fn exec() -> Command {
    let command = Arg::new("command").value_name("COMMAND").num_args(0..).action(ArgAction::Append);
    Command::new("exec").about("Run a command in a workspace").args(who()).args([
        workdir(),
        name(),
        command.trailing_var_arg(true).allow_hyphen_values(true),
    ])
}

fn shell() -> Command {
    Command::new("shell").about("Open a login shell in a workspace").args(who()).args([workdir(), name()])
}

fn open() -> Command {
    Command::new("open").about("Say how to open a workspace in VS Code").args([
        flag("run", "Run the command instead of only printing it"),
        value("path", "PATH", "Folder to open; by default the clone"),
        name(),
    ])
}

fn snapshot() -> Command {
    Command::new("snapshot").about("Copy your configuration into a workspace").args([
        flag("dry-run", "Print what would be copied and how large it is, and do nothing"),
        flag("refresh", "Copy again, over what an earlier snapshot has brought"),
        value("with", "PATH", "Copy this path too, although it is left out by default")
            .action(ArgAction::Append)
            .value_hint(ValueHint::AnyPath),
        name(),
    ])
}

fn reset() -> Command {
    let common = || [value("ref", "REF", "What to reset to; by default what the remote's HEAD is"), yes()];
    Command::new("reset").about("Make clones in a workspace what their remotes have").subcommands([
        Command::new("opt-repos").about("The kits of the image").args(common()).arg(name()),
        Command::new("private-repo").about("~/.private").args(common()).arg(name()),
        Command::new("repo").about("The clone in DIR").args(common()).args([name(), Arg::new("dir").value_name("DIR")]),
        Command::new("work-repos").about("Every clone below /work").args(common()).args([
            value("root", "DIR", "Where it looks"),
            value("depth", "N", "How deep it looks"),
            name(),
        ]),
    ])
}

fn rsync() -> Command {
    let one_way = |direction: &'static str, about: &'static str| {
        let path = |id: &'static str| Arg::new(id).value_name(id).value_hint(ValueHint::AnyPath);
        Command::new(direction).about(about).args(who()).args([
            flag("delete", "Delete at DEST what SRC does not have"),
            flag("dry-run", "Say what would be done, and do nothing").short('n'),
            // With two words the first is the source already.
            name().value_hint(ValueHint::AnyPath),
            path("SRC"),
            path("DEST"),
            Arg::new("args").value_name("RSYNC-OPTION").num_args(0..).action(ArgAction::Append).last(true),
        ])
    };
    Command::new("rsync")
        .about("Copy files between here and a workspace")
        .subcommands([one_way("pull", "From the workspace to here"), one_way("push", "From here into the workspace")])
}

fn name() -> Arg {
    Arg::new("name").value_name("NAME")
}

fn who() -> [Arg; 2] {
    [flag("root", "Be root"), value("user", "USER", "Be this user").short('u')]
}

fn workdir() -> Arg {
    value("workdir", "DIR", "Start in this folder; by default in the clone").short('w')
}

fn yes() -> Arg {
    flag("yes", "Do not ask").short('y')
}

fn auth_mode() -> Arg {
    let modes = AUTH.map(|(mode, help)| PossibleValue::new(mode).help(help));
    value("auth", "MODE", "Which token to use").value_parser(modes)
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).help(help).action(ArgAction::SetTrue)
}

fn value(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help).action(ArgAction::Set)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::cli;

    #[test]
    fn the_grafted_tree_holds_together() {
        graft(cli::tree()).debug_assert();
    }

    /// Flags of a command and of those below it.
    fn flags(command: &Command) -> BTreeSet<String> {
        let own = command.get_arguments().filter_map(Arg::get_long).map(|long| format!("--{long}"));
        own.chain(command.get_subcommands().flat_map(flags)).collect()
    }

    #[test]
    fn the_wrappers_own_help_has_the_same_flags() {
        let tree = graft(cli::tree());
        let here = tree.get_arguments().filter_map(Arg::get_long).map(|long| format!("--{long}"));
        let globals: BTreeSet<String> = here.chain(["--help".to_owned()]).collect();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wrappers/share/help");
        for name in OWN.iter().chain(&["create", "rm"]) {
            let help = std::fs::read_to_string(folder.join(format!("{name}.txt"))).unwrap();
            let options = help.lines().filter(|line| line.starts_with(' ') && line.trim_start().starts_with('-'));
            let words = options.flat_map(|line| line.split([' ', ',']));
            let shown: BTreeSet<String> = words.filter(|word| word.starts_with("--")).map(str::to_owned).collect();
            let command = tree.find_subcommand(name).unwrap();
            let mut known = flags(command);
            let forgotten: Vec<_> =
                shown.iter().filter(|flag| !known.contains(*flag) && !globals.contains(*flag)).collect();
            assert!(forgotten.is_empty(), "{name}: completion lacks {forgotten:?}");
            if !is_own(name) {
                // The launcher's own flags are explained by the launcher.
                let launcher = flags(cli::tree().find_subcommand(name).unwrap());
                known.retain(|flag| !launcher.contains(flag));
            }
            let unexplained: Vec<_> = known.difference(&shown).collect();
            assert!(unexplained.is_empty(), "{name}.txt lacks {unexplained:?}");
        }
    }

    #[test]
    fn what_only_wrappers_have_is_not_the_launchers() {
        let launcher = cli::tree();
        assert!(OWN.iter().all(|name| launcher.find_subcommand(name).is_none()));
        let grafted = graft(launcher.clone());
        let added =
            grafted.get_subcommands().map(Command::get_name).filter(|name| launcher.find_subcommand(name).is_none());
        let mut added: Vec<_> = added.collect();
        added.sort_unstable();
        assert_eq!(added, OWN);
    }
}
