//! The command line as a clap tree. No behaviour: parsing looks nothing up.

use std::ffi::OsString;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::command;

/// Makes isolated, persistent workspaces for coding agents
#[derive(Debug, Parser)]
#[command(
    name = "agent-workspace",
    disable_version_flag = true,
    disable_help_subcommand = true,
    override_usage = "agent-workspace [OPTIONS] <COMMAND>\n       agent-workspace up|create [REPO] [--output json]",
    after_help = "Every command answers with one JSON document under --output json, also when it fails.\n\
                  Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 conflict, 5 unsaved work, 6 auth,\n\
                  7 unavailable, 8 partial, 9 unsupported, 124 timeout, 130 and 143 interrupted."
)]
pub struct Cli {
    /// Flags that every command takes
    #[command(flatten)]
    pub global: Global,
    /// Print the version alone
    #[arg(short = 'V', long)]
    pub version: bool,
    /// Exit with 0 if this launcher has the capability, 1 if not; print nothing
    #[arg(long, value_name = "NAME", conflicts_with_all = ["version", "requires"])]
    pub supports: Option<String>,
    /// Exit with 0 if the version satisfies the semver requirement, 1 if not; print nothing
    #[arg(long, value_name = "REQUIREMENT", conflicts_with = "version")]
    pub requires: Option<String>,
    /// What to do
    #[command(subcommand)]
    pub command: Option<Verb>,
}

/// For people or for programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people; the empty word means it too
    #[default]
    #[value(alias = "")]
    Text,
    /// For programs
    Json,
}

/// Flags that every command takes, before or after its name.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Print text for people or one JSON document
    #[arg(
        long,
        global = true,
        value_name = "text|json",
        overrides_with = "output",
        default_value = "text",
        hide_default_value = true,
        hide_possible_values = true
    )]
    pub output: Form,
    /// Say nothing on stderr but errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Write progress as lines of text or as JSON events
    #[arg(
        long,
        global = true,
        value_name = "text|json",
        overrides_with = "log_format",
        default_value = "text",
        hide_default_value = true,
        hide_possible_values = true
    )]
    pub log_format: Form,
    /// Give up after this time (90s, 5m) and clean up
    #[arg(long, global = true, value_name = "DURATION")]
    pub timeout: Option<String>,
    /// Read the passphrase of encrypted SSH keys from this open descriptor
    #[arg(long, global = true, value_name = "N")]
    pub passphrase_fd: Option<u32>,
}

/// Every command. `up` and `create` are two spellings of one; documents say which was used.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Agents as users of VMs
    #[command(subcommand)]
    Agent(AgentVerb),
    /// Print what this launcher can do
    Capabilities,
    /// Answer the question of a completion adapter; between the two of one version, and no part of the contract
    #[command(name = "__complete", hide = true)]
    Complete(command::complete::Args),
    /// Print what completes command lines in a shell
    Completion(command::completion::Args),
    /// What is meant when nothing is said, and templates
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Make a workspace like another one, with all of its work
    Copy(command::copy::Args),
    /// Create a workspace, or come back to it (also: up)
    Create(Box<command::create::Args>),
    /// Show one workspace and how to enter it
    Describe(command::describe::Args),
    /// Check what workspaces need, and say how to mend it
    Doctor(command::doctor::Args),
    /// Print one value of the document on stdin
    Field(command::field::Args),
    /// Print the help of a command
    Help {
        /// The command, as it is typed
        #[arg(value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Make the agent image
    #[command(subcommand)]
    Image(ImageVerb),
    /// List workspaces
    Ls(command::ls::Args),
    /// Read a repository as create does, and print its parts
    ParseRepo(command::parse_repo::Args),
    /// Remove what cut-off creates and removed workspaces have left
    Prune(command::prune::Args),
    /// Move a workspace on a VM to another folder there
    Rehome(command::rehome::Args),
    /// Prove what belongs to a workspace on a VM, and restore what does not hold
    Repair(command::Target),
    /// Remove a workspace and its volumes
    Rm(command::rm::Args),
    /// Print the JSON Schema of a command's document
    Schema(command::schema::Args),
    /// Start a workspace
    Start(command::Target),
    /// Stop a workspace
    Stop(command::Target),
    /// Open a VS Code tunnel into a workspace
    Tunnel(command::tunnel::Args),
    /// Create a workspace, or come back to it
    #[command(hide = true)]
    Up(Box<command::create::Args>),
    /// Machines that live long, and what workspaces there need
    #[command(subcommand)]
    Vm(VmVerb),
    /// Machines that VMs are on
    #[command(subcommand)]
    VmHost(VmHostVerb),
    /// Which workspaces of its VM an agent may enter
    #[command(subcommand)]
    WorkspaceGrants(WorkspaceGrantsVerb),
}

/// What can be done with agents.
#[derive(Debug, Subcommand)]
pub enum AgentVerb {
    /// Make an agent, or go on with one that was cut off
    Create(Box<command::agent::create::Args>),
    /// Delete an agent: its user, its home, what it runs
    Delete(command::agent::delete::Args),
    /// Show one agent and what it may enter
    Describe(command::agent::Target),
    /// List agents
    List(command::agent::list::Args),
    /// Prepare an agent once more; what is in its home stays
    Reinit(command::agent::reinit::Args),
}

/// What can be done with an agent's grants.
#[derive(Debug, Subcommand)]
pub enum WorkspaceGrantsVerb {
    /// Take back what an agent was granted
    Deny(command::workspace_grants::deny::Args),
    /// Let an agent into workspaces
    Grant(command::workspace_grants::grant::Args),
    /// List the workspaces that an agent may enter
    List(command::agent::Target),
}

/// What can be done with the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigVerb {
    /// Look the configuration over, and say what it comes to
    Check,
    /// Open the configuration in your editor, and look it over afterwards
    Edit,
    /// Write a configuration in which nothing is set yet
    Init(command::config::init::Args),
    /// Print everything that a configuration may say
    Sample,
}

/// What can be done with VMs.
#[derive(Debug, Subcommand)]
pub enum VmVerb {
    /// Make a VM, or go on with one that was cut off
    Create(command::vm::create::Args),
    /// Forget a VM; one that was taken in stays as it is
    Delete(command::vm::delete::Args),
    /// Show one VM, how it is, and what happened to it
    Describe(command::vm::Target),
    /// List VMs
    List(command::vm::list::Args),
    /// Show what the steps of making a VM said
    Logs(command::vm::logs::Args),
    /// Let ports of this machine lead to ports of a VM, until Ctrl-C
    PortForward(command::vm::port_forward::Args),
    /// Prepare a VM once more
    Reinit(command::vm::reinit::Args),
    /// Print names by which your own ssh reaches VMs, or install them
    SshConfig(command::vm::ssh_config::Args),
    /// Start a VM
    Start(command::vm::Target),
    /// Stop a VM
    Stop(command::vm::Target),
}

/// What can be done with VM hosts.
#[derive(Debug, Subcommand)]
pub enum VmHostVerb {
    /// Remember a machine by a name
    Add(command::vm_host::add::Args),
    /// List VM hosts
    List,
    /// Forget a VM host
    Remove(command::vm_host::remove::Args),
}

/// What can be done with images.
#[derive(Debug, Subcommand)]
pub enum ImageVerb {
    /// Build the agent image from the embedded Dockerfile
    Build(command::image::Args),
}

/// Names of all commands; those of a group with the group's name before them. What begins with `__` is nobody's to call.
pub const COMMANDS: [&str; 45] = [
    "agent create",
    "agent delete",
    "agent describe",
    "agent list",
    "agent reinit",
    "capabilities",
    "completion",
    "config check",
    "config edit",
    "config init",
    "config sample",
    "copy",
    "create",
    "describe",
    "doctor",
    "field",
    "help",
    "image build",
    "ls",
    "parse-repo",
    "prune",
    "rehome",
    "repair",
    "rm",
    "schema",
    "start",
    "stop",
    "tunnel",
    "up",
    "vm create",
    "vm delete",
    "vm describe",
    "vm list",
    "vm logs",
    "vm port-forward",
    "vm reinit",
    "vm ssh-config",
    "vm start",
    "vm stop",
    "vm-host add",
    "vm-host list",
    "vm-host remove",
    "workspace-grants deny",
    "workspace-grants grant",
    "workspace-grants list",
];

/// What programs ask before they ask for more, as they type it: read off the words, as whoever asks it before each
/// command should not wait for the tree. `None` for everything else, and for what the tree has to say no to.
pub fn at_once(args: &[OsString]) -> Option<Cli> {
    let cli = Cli { global: Global::default(), version: false, supports: None, requires: None, command: None };
    let words: Vec<&str> = args.iter().skip(1).map(|word| word.to_str()).collect::<Option<_>>()?;
    match words[..] {
        ["--version"] => Some(Cli { version: true, ..cli }),
        ["--supports", name] if is_name(name) => Some(Cli { supports: Some(name.to_owned()), ..cli }),
        ["capabilities"] => Some(Cli { command: Some(Verb::Capabilities), ..cli }),
        _ => None,
    }
}

fn is_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_alphanumeric())
}

/// Parses a command line, the program's name first.
///
/// # Errors
/// The parser's own, of which help is one.
pub fn parse(args: &[OsString]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(args)
}

/// The tree, for help and tests.
pub fn tree() -> clap::Command {
    Cli::command()
}

/// The help of a command given by its words; of the program without any. `None` when there is no such command.
pub fn help(words: &[String]) -> Option<String> {
    let mut tree = tree();
    tree.build();
    let mut command = &mut tree;
    for word in words {
        command = command.find_subcommand_mut(word)?;
    }
    Some(command.render_help().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_holds_together() {
        tree().debug_assert();
    }

    #[test]
    fn the_commands_are_those_of_the_tree() {
        let mut names = Vec::new();
        let tree = tree();
        for command in tree.get_subcommands().filter(|command| !command.get_name().starts_with("__")) {
            let below: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
            if below.is_empty() {
                names.push(command.get_name().to_owned());
            }
            names.extend(below.iter().map(|inner| format!("{} {inner}", command.get_name())));
        }
        names.sort_unstable();
        assert_eq!(names, COMMANDS);
    }

    #[test]
    fn what_is_read_off_the_words_is_what_the_tree_makes_of_them() {
        let args = |words: &[&str]| -> Vec<OsString> {
            std::iter::once(&"agent-workspace").chain(words).map(OsString::from).collect()
        };
        for words in [&["--version"][..], &["--supports", "output-json"], &["--supports", "ls"], &["capabilities"]] {
            let args = args(words);
            let read = at_once(&args).unwrap_or_else(|| panic!("{words:?} is read"));
            assert_eq!(format!("{read:?}"), format!("{:?}", parse(&args).unwrap()), "{words:?}");
        }
        for words in [
            &[][..],
            &["--supports"],
            &["--supports", ""],
            &["--supports", "--version"],
            &["--supports", "--"],
            &["--version", "--supports", "x"],
            &["--version", "ls"],
            &["capabilities", "--output", "json"],
            &["capabilities", "--help"],
            &["ls"],
        ] {
            assert!(at_once(&args(words)).is_none(), "{words:?} is the tree's to judge");
        }
    }
}
