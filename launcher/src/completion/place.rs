//! How far a command line is: which command, which flags are given, what is wanted next.

use clap::{Arg, ArgAction, Command};

use super::values::{self, Values};
use super::{Answer, wrapper};

/// The place after some words.
pub(super) struct Place<'a> {
    root: &'a Command,
    command: &'a Command,
    /// Whether the launcher's flags for every command may stand here.
    globals: bool,
    given: Vec<&'a Arg>,
    positionals: Vec<String>,
    /// A flag that waits for its value.
    pending: Option<&'a Arg>,
    /// Whether `--` was passed.
    dashes: bool,
    /// Whether what begins with `-` is no flag any more.
    flags_over: bool,
}

impl<'a> Place<'a> {
    /// The beginning of a line.
    pub(super) fn new(root: &'a Command) -> Self {
        Self {
            root,
            command: root,
            globals: true,
            given: Vec::new(),
            positionals: Vec::new(),
            pending: None,
            dashes: false,
            flags_over: false,
        }
    }

    /// Goes past a word. One that means nothing is passed like any other: who completes has not finished.
    pub(super) fn pass(&mut self, word: &str) {
        if self.pending.take().is_some() {
            return;
        }
        if !self.flags_over && word == "--" {
            self.dashes = true;
            self.flags_over = true;
        } else if let Some(name) = word.strip_prefix("--").filter(|_| !self.flags_over) {
            let (name, value) = name.split_once('=').map_or((name, None), |(name, value)| (name, Some(value)));
            self.pass_flag(self.long(name), value.is_some());
        } else if let Some(names) = word.strip_prefix('-').filter(|names| !self.flags_over && !names.is_empty()) {
            let mut names = names.chars();
            while let Some(name) = names.next() {
                let flag = self.short(name);
                self.pass_flag(flag, !names.as_str().is_empty());
                if flag.is_some_and(takes_value) {
                    break;
                }
            }
        } else if let Some(command) = self.subcommand(word) {
            self.globals &= !(self.at_root() && wrapper::is_own(command.get_name()));
            self.command = command;
            self.given.retain(|flag| flag.is_global_set());
        } else {
            self.positionals.push(word.to_owned());
            // What is run inside has flags of its own.
            self.flags_over |= self.command.get_positionals().any(Arg::is_trailing_var_arg_set);
        }
    }

    fn pass_flag(&mut self, flag: Option<&'a Arg>, has_value: bool) {
        self.given.extend(flag);
        self.pending = flag.filter(|flag| takes_value(flag) && !has_value);
    }

    /// What may stand here, of which something is typed already.
    pub(super) fn answer(&self, typed: &str) -> Answer {
        let mut answer = Answer { typed: typed.to_owned(), ..Answer::default() };
        if let Some(flag) = self.pending {
            self.add_values(flag, &mut answer);
        } else if self.flags_over || !typed.starts_with('-') {
            self.add_positional(&mut answer);
        } else if let Some((name, value)) = typed.split_once('=') {
            if let Some(flag) =
                name.strip_prefix("--").and_then(|name| self.long(name)).filter(|flag| takes_value(flag))
            {
                answer.before = format!("{name}=");
                value.clone_into(&mut answer.typed);
                self.add_values(flag, &mut answer);
            }
        } else {
            self.add_flags(&mut answer);
        }
        answer
    }

    fn add_flags(&self, answer: &mut Answer) {
        for flag in self.flags().filter(|flag| !flag.is_hide_set() && self.may_stand(flag)) {
            let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
            if let Some(long) = flag.get_long() {
                answer.offer(&format!("--{long}"), &help);
            }
            if let Some(short) = flag.get_short() {
                answer.offer(&format!("-{short}"), &help);
            }
        }
        answer.offer("--help", "Print help");
        answer.offer("-h", "Print help");
    }

    fn add_positional(&self, answer: &mut Answer) {
        let own = || self.command.get_positionals().any(|arg| arg.is_trailing_var_arg_set() || arg.is_last_set());
        if self.dashes && own() {
            return;
        }
        if self.positionals.is_empty() && !self.flags_over {
            for command in self.command.get_subcommands().filter(|command| !command.is_hide_set()) {
                let about = command.get_about().map(ToString::to_string).unwrap_or_default();
                answer.offer(command.get_name(), &about);
            }
        }
        let positionals: Vec<&Arg> = self.command.get_positionals().collect();
        let at = positionals.get(self.positionals.len()).or(positionals.last().filter(|last| repeats(last)));
        if let Some(positional) = at.filter(|positional| self.may_stand(positional)) {
            self.add_values(positional, answer);
        }
    }

    fn add_values(&self, arg: &Arg, answer: &mut Answer) {
        let Values { words, names, files } = values::of(self.root, self.command, arg, &self.positionals);
        for (word, description) in words {
            answer.offer(&word, &description);
        }
        answer.files = files;
        answer.names = names.map(|named| (named, self.positionals.clone()));
    }

    /// Whether nothing that is given excludes this.
    fn may_stand(&self, arg: &Arg) -> bool {
        let excludes = |one: &Arg, other: &Arg| self.command.get_arg_conflicts_with(one).contains(&other);
        self.given.iter().all(|given| {
            let once_more = given.get_id() != arg.get_id() || repeats(arg);
            once_more && !excludes(arg, given) && !excludes(given, arg)
        })
    }

    fn flags(&self) -> impl Iterator<Item = &'a Arg> {
        let above = self.root.get_arguments().filter(|flag| flag.is_global_set());
        let inherits = self.globals && !self.at_root();
        let own = self.command.get_arguments().filter(|arg| !arg.is_positional());
        own.chain(above.filter(move |_| inherits))
    }

    fn at_root(&self) -> bool {
        std::ptr::eq(self.command, self.root)
    }

    fn long(&self, name: &str) -> Option<&'a Arg> {
        self.flags().find(|flag| flag.get_long() == Some(name))
    }

    fn short(&self, name: char) -> Option<&'a Arg> {
        self.flags().find(|flag| flag.get_short() == Some(name))
    }

    fn subcommand(&self, word: &str) -> Option<&'a Command> {
        let here = self.positionals.is_empty() && !self.flags_over;
        self.command.find_subcommand(word).filter(|_| here)
    }
}

fn takes_value(flag: &Arg) -> bool {
    flag.get_action().takes_values()
}

fn repeats(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append | ArgAction::Count)
}
