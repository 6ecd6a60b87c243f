//! What may stand next on a command line: read from the clap tree, so that a new flag needs no thought here.
//!
//! Knows no engine and no stream: that a workspace's name is wanted is part of the answer, and who asked finds them.

mod place;
mod values;
mod wrapper;

use std::collections::BTreeMap;

use clap::ValueEnum;

use self::place::Place;
use crate::cli;

/// A shell that command lines are completed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// Version 3.2 or later
    Bash,
    /// Version 7.2 or later, also called pwsh
    #[value(name = "powershell")]
    PowerShell,
    /// Version 5.8 or later
    Zsh,
}

impl Shell {
    /// The word on the command line and in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::PowerShell => "powershell",
            Self::Zsh => "zsh",
        }
    }

    /// What the shell is to run.
    pub const fn adapter(self) -> &'static str {
        match self {
            Self::Bash => include_str!("completion/adapters/agent-workspace.bash"),
            Self::PowerShell => include_str!("completion/adapters/agent-workspace.ps1"),
            Self::Zsh => include_str!("completion/adapters/agent-workspace.zsh"),
        }
    }
}

/// A command line in the making.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// Its words, the command's own name first.
    pub words: Vec<String>,
    /// Which of them is being typed; one that is not there is empty.
    pub index: usize,
    /// Whether a wrapper runs, so that there are its commands and flags too.
    pub wrapper: bool,
}

/// What is named in a place, of what is there and no flag or word of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// An agent.
    Agent,
    /// A machine that VMs are on.
    VmHost,
    /// A VM.
    Vm,
    /// A workspace.
    Workspace,
    /// A workspace on a VM.
    WorkspaceOnVm,
}

/// What may stand there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// What is typed already of the value that is wanted.
    typed: String,
    /// What stands before it in the same word: `--flag=`, or nothing.
    before: String,
    /// Whole words that begin with what is typed, with what each means.
    found: BTreeMap<String, String>,
    /// Whether a file of the host may stand there.
    files: bool,
    /// What may be named there, and which are named already.
    names: Option<(Named, Vec<String>)>,
}

impl Answer {
    /// What names are wanted too.
    pub fn wants_names(&self) -> Option<Named> {
        self.names.as_ref().map(|(named, _)| *named)
    }

    /// Adds names: what each is typed as, and what is to be said of it.
    pub fn add_names(&mut self, names: impl IntoIterator<Item = (String, String)>) {
        let named = self.names.take().map(|(_, named)| named).unwrap_or_default();
        for (name, description) in names.into_iter().filter(|(name, _)| !named.contains(name)) {
            self.offer(&name, &description);
        }
    }

    /// Adds a word if it begins as what is typed does. The first to describe it does.
    fn offer(&mut self, word: &str, description: &str) {
        if word.starts_with(&self.typed) {
            let word = flat(&format!("{}{word}", self.before));
            self.found.entry(word).or_insert_with(|| flat(description));
        }
    }

    /// The answer as adapters read it: a line a word, its meaning after a tab; `:files` where a file may stand.
    pub fn lines(&self) -> String {
        let mut text = String::new();
        for (word, description) in &self.found {
            text += &format!("{word}\t{description}\n");
        }
        if self.files {
            text += ":files\n";
        }
        text
    }
}

/// Finds what may stand where a word is being typed.
pub fn answer(question: &Question) -> Answer {
    let Question { words, index, wrapper } = question;
    let mut words = words.iter().map(String::as_str);
    let name = words.next().unwrap_or_default();
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = name.strip_suffix(".exe").unwrap_or(name);
    let Some(expansion) = wrapper::expansion(name) else { return Answer::default() };
    let Some(typed_before) = index.checked_sub(1) else { return Answer::default() };
    let before: Vec<&str> = expansion.iter().copied().chain(words.clone().take(typed_before)).collect();
    let typed = words.nth(typed_before).unwrap_or_default();
    let tree = if *wrapper { wrapper::graft(cli::tree()) } else { cli::tree() };
    let mut place = Place::new(&tree);
    before.into_iter().for_each(|word| place.pass(word));
    place.answer(typed)
}

/// On one line, in one column, and without what could drive a terminal.
fn flat(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// The words before the cursor's, and the cursor's, which is the last; with a wrapper where it begins with `w:`.
    fn ask(line: &str) -> Answer {
        let (wrapper, line) = line.strip_prefix("w:").map_or((false, line), |line| (true, line));
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        answer(&Question { index: words.len() - 1, words, wrapper })
    }

    fn words_of(answer: &Answer) -> Vec<&str> {
        answer.found.keys().map(String::as_str).collect()
    }

    /// A line in the making, words that must be offered, words that must not.
    type Row = (&'static str, &'static [&'static str], &'static [&'static str]);

    const TABLE: &[Row] = &[
        // Commands.
        (
            "agent-workspace ",
            &["create", "ls", "rm", "parse-repo", "completion", "help"],
            &["up", "__complete", "exec"],
        ),
        ("agent-workspace c", &["create", "capabilities", "completion"], &["ls"]),
        ("agent-workspace __", &[], &["__complete"]),
        ("w:agent-workspace ", &["create", "exec", "shell", "rsync", "reset", "snapshot", "open", "auth"], &["up"]),
        ("/usr/bin/agent-workspace l", &["ls"], &["create"]),
        ("other l", &[], &["ls"]),
        ("agent-workspace image ", &["build"], &["create"]),
        ("agent-workspace nosuch ", &[], &["create"]),
        ("agent-workspace ls ", &[], &["create", "--output"]),
        // Flags, only of a word that begins as one.
        ("agent-workspace -", &["--version", "-V", "--output", "--quiet", "-q", "--supports", "--help"], &["create"]),
        ("agent-workspace ls -", &["--backend", "--output", "--quiet", "--help"], &["--supports", "--name"]),
        ("agent-workspace create --no-", &["--no-clone", "--no-pull", "--no-secrets"], &["--name", "--no-extras"]),
        ("agent-workspace up --no-c", &["--no-clone"], &[]),
        ("w:agent-workspace create --no-", &["--no-clone", "--no-extras", "--no-work-repos", "--no-snapshot"], &[]),
        ("agent-workspace create --name a --n", &["--network"], &["--name"]),
        ("agent-workspace create --name=a --n", &["--network"], &["--name"]),
        ("agent-workspace create --label a=b --l", &["--label", "--log-format"], &[]),
        ("agent-workspace create --label --output --i", &["--image", "--isolation"], &[]),
        ("agent-workspace -q ls -", &["--backend"], &["-q", "--quiet"]),
        ("agent-workspace rm a --keep-volumes -", &["--force"], &["--volumes", "--keep-volumes", "--rescue"]),
        ("agent-workspace rm a --volumes -", &["--force"], &["--keep-volumes"]),
        ("agent-workspace --version -", &["--output"], &["--supports", "--requires"]),
        ("agent-workspace rm -- -", &[], &["--force"]),
        ("agent-workspace rm -", &["--force", "--if-exists"], &["-y", "--yes", "--all"]),
        ("w:agent-workspace rm -", &["-y", "--yes", "--all", "--force", "--rescue"], &[]),
        ("w:agent-workspace rm -y -", &["--all"], &["-y", "--yes"]),
        ("w:agent-workspace exec -", &["--root", "--user", "-u", "--workdir", "-w"], &["--output"]),
        ("w:agent-workspace exec a -", &[], &["--root", "--user"]),
        ("w:agent-workspace exec --root a ls -", &[], &["--root", "--user"]),
        ("w:agent-workspace create --gpg --", &["--gpg-key", "--auth"], &["--no-gpg", "--gpg"]),
        // Values, in both spellings.
        ("agent-workspace ls --output ", &["json", "text"], &[""]),
        ("agent-workspace ls --output=j", &["--output=json"], &["--output=text", "json"]),
        ("agent-workspace ls --log-format=", &["--log-format=json", "--log-format=text"], &[]),
        ("agent-workspace create --isolation s", &["standard", "strict"], &[]),
        ("agent-workspace create --if-exists=f", &["--if-exists=fail"], &["--if-exists=reuse"]),
        ("agent-workspace ls --backend ", &["docker"], &[]),
        ("agent-workspace --supports rm-", &["rm-json", "rm-rescue-v1"], &["ls-json"]),
        ("agent-workspace completion ", &["bash", "powershell", "zsh"], &[]),
        ("agent-workspace completion bash ", &[], &["zsh"]),
        ("agent-workspace schema ", &["create", "image-build", "error"], &["up"]),
        ("agent-workspace schema create ", &[], &["error"]),
        ("agent-workspace help ", &["create", "image"], &["exec", "__complete"]),
        ("w:agent-workspace help ", &["create", "exec", "rsync"], &[]),
        ("agent-workspace help image ", &["build"], &["create"]),
        ("agent-workspace field /w", &["/workspace", "/workspaces/0/workspace"], &["/path"]),
        ("w:agent-workspace create --auth ", &["auto", "env", "gh", "keyring", "none"], &[]),
        ("w:agent-workspace create --auth=k", &["--auth=keyring"], &["--auth=auto"]),
        ("w:agent-workspace auth ", &["codex", "github", "gpg"], &["a"]),
        ("w:agent-workspace auth github --auth e", &["env"], &["auto"]),
        ("w:agent-workspace auth gpg -", &["--key"], &["--host", "--profile"]),
        ("w:agent-workspace reset ", &["opt-repos", "private-repo", "repo", "work-repos"], &[]),
        ("w:agent-workspace reset work-repos -", &["--depth", "--ref", "--root", "--yes", "-y"], &[]),
        ("w:agent-workspace reset opt-repos -", &["--ref", "--yes"], &["--depth"]),
        ("w:agent-workspace rsync ", &["pull", "push"], &[]),
        ("w:agent-workspace rsync push -", &["--delete", "--dry-run", "-n", "--root", "--user"], &["--output"]),
        ("w:agent-workspace rsync push a b -- -", &[], &["--delete"]),
        ("w:agent-workspace snapshot -", &["--dry-run", "--refresh", "--with"], &[]),
        ("w:agent-workspace open -", &["--path", "--run"], &[]),
        // Short names.
        ("w:aw l", &["ls"], &[]),
        ("w:awc --a", &["--auth"], &[]),
        ("w:awls -", &["--backend"], &[]),
        ("w:awe -", &["--root"], &[]),
        ("w:awsh -", &["--workdir"], &[]),
        ("w:awm --a", &["--all"], &[]),
        ("w:awt --d", &["--detach"], &[]),
        ("w:awr ", &["repo", "work-repos"], &[]),
        ("w:awrr -", &["--ref"], &[]),
        ("w:awrw --d", &["--depth"], &[]),
        ("w:awro -", &["--yes"], &[]),
        ("w:awrp -", &["--yes"], &[]),
        ("w:awa ", &["github"], &[]),
        ("w:awah --", &["--host"], &[]),
        ("w:awac --", &["--profile"], &[]),
        ("w:awag --", &["--key"], &[]),
        ("awc --a", &[], &["--auth"]),
    ];

    #[test]
    fn what_may_stand_next_is_offered_and_nothing_else() {
        for (line, offered, not) in TABLE {
            let answer = ask(line);
            let words = words_of(&answer);
            for word in *offered {
                assert!(words.contains(word), "{line:?} lacks {word}: {words:?}");
            }
            for word in *not {
                assert!(!words.contains(word), "{line:?} has {word}: {words:?}");
            }
        }
    }

    #[test]
    #[expect(clippy::print_stdout, reason = "shown with --nocapture")]
    fn an_answer_costs_less_than_anybody_notices() {
        let costs = TABLE.iter().map(|(line, ..)| {
            let began = Instant::now();
            ask(line);
            (began.elapsed(), *line)
        });
        let mut costs: Vec<_> = costs.collect();
        costs.sort();
        let (median, _) = costs[costs.len() / 2];
        let (most, line) = costs[costs.len() - 1];
        println!("an answer takes {} us, at most {} us ({line:?})", median.as_micros(), most.as_micros());
        assert!(median < Duration::from_millis(10), "{median:?}");
    }

    #[test]
    fn names_are_wanted_where_a_workspace_is_named_and_nowhere_else() {
        for line in [
            "agent-workspace describe ",
            "agent-workspace rm ",
            "agent-workspace rm --force ag",
            "agent-workspace rm -- ",
            "agent-workspace start ",
            "agent-workspace stop --output json ",
            "agent-workspace tunnel --name t ",
            "w:agent-workspace rm a ",
            "w:agent-workspace exec ",
            "w:agent-workspace exec --user root ",
            "w:agent-workspace shell -u root ",
            "w:agent-workspace open ",
            "w:agent-workspace snapshot ",
            "w:agent-workspace reset repo ",
            "w:agent-workspace reset private-repo ",
            "w:agent-workspace rsync pull ",
            "w:agent-workspace auth github ",
            "w:agent-workspace auth github --name ",
            "w:agent-workspace auth github --name=a",
            "w:awe ",
            "w:awrw ",
        ] {
            assert_eq!(ask(line).wants_names(), Some(Named::Workspace), "{line:?}");
        }
        for (line, named) in [
            ("agent-workspace vm describe ", Named::Vm),
            ("agent-workspace vm delete --if-exists d", Named::Vm),
            ("agent-workspace vm create --host ", Named::VmHost),
            ("agent-workspace vm-host remove ", Named::VmHost),
            ("agent-workspace agent delete ", Named::Agent),
            ("agent-workspace agent create a --vm ", Named::Vm),
            ("agent-workspace agent list --vm ", Named::Vm),
            ("agent-workspace workspace-grants list ", Named::Agent),
            ("agent-workspace workspace-grants grant a ", Named::WorkspaceOnVm),
            ("agent-workspace workspace-grants deny a b ", Named::WorkspaceOnVm),
        ] {
            assert_eq!(ask(line).wants_names(), Some(named), "{line:?}");
        }
        for line in [
            "agent-workspace vm ",
            "agent-workspace vm create ",
            "agent-workspace vm describe a ",
            "agent-workspace vm-host add ",
            "agent-workspace agent create ",
            "agent-workspace agent delete a ",
            "agent-workspace create --host ",
            "agent-workspace ",
            "agent-workspace ls ",
            "agent-workspace create ",
            "agent-workspace create --name ",
            "agent-workspace describe a ",
            "agent-workspace rm a ",
            "agent-workspace rm -",
            "agent-workspace tunnel --name ",
            "agent-workspace exec ",
            "w:agent-workspace rm --all ",
            "w:agent-workspace exec a ",
            "w:agent-workspace exec -- ",
            "w:agent-workspace shell --user ",
            "w:agent-workspace reset work-repos --ref ",
            "w:agent-workspace auth ",
            "w:agent-workspace rsync push a b -- ",
        ] {
            assert_eq!(ask(line).wants_names(), None, "{line:?}");
        }
    }

    #[test]
    fn files_may_stand_where_a_path_of_the_host_is_wanted() {
        for line in [
            "agent-workspace create --env-file ",
            "agent-workspace create --secrets-dir=x",
            "agent-workspace rm a --rescue ",
            "w:agent-workspace rsync push ",
            "w:agent-workspace rsync push a ",
            "w:agent-workspace snapshot --with ",
        ] {
            assert!(ask(line).lines().ends_with(":files\n"), "{line:?}");
        }
        for line in ["agent-workspace create --dir ", "agent-workspace describe a --workdir ", "agent-workspace "] {
            assert!(!ask(line).files, "{line:?}");
        }
    }

    #[test]
    fn names_are_offered_once_and_filtered_like_words() {
        let names = || ["alpha", "beta", "al\tpha"].map(|name| (name.to_owned(), "running\to/r\u{1b}[2J".to_owned()));
        let mut answer = ask("w:agent-workspace rm alpha al");
        answer.add_names(names());
        assert_eq!(answer.lines(), "al pha\trunning o/r [2J\n");
        let mut answer = ask("w:agent-workspace auth github --name=b");
        answer.add_names(names());
        assert_eq!(words_of(&answer), ["--name=beta"]);
    }

    #[test]
    fn a_word_that_is_not_there_is_an_empty_one() {
        let words = ["agent-workspace".to_owned()].to_vec();
        let at = |index| answer(&Question { words: words.clone(), index, wrapper: false });
        assert!(at(1).found.contains_key("create"));
        assert_eq!(at(0), Answer::default());
        assert_eq!(answer(&Question::default()), Answer::default());
    }

    #[test]
    fn every_adapter_registers_every_name() {
        for shell in Shell::value_variants() {
            let adapter = shell.adapter();
            let part = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
            let words: Vec<&str> = adapter.split(|c: char| !part(c)).filter(|word| !word.is_empty()).collect();
            for (name, _) in wrapper::NAMES {
                assert!(words.contains(name), "{shell:?} lacks {name}");
            }
            let asks = ["__complete", "--shell", shell.as_str()];
            assert!(words.windows(asks.len()).any(|found| found == asks), "{shell:?}");
        }
    }
}
