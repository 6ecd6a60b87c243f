//! The shells: where a wrapper is for each, and how a call is written in it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What runs a wrapper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shell {
    /// `wrappers/bash`
    Bash,
    /// `wrappers/powershell`
    PowerShell,
    /// `wrappers/zsh`
    Zsh,
    /// A program that takes the words as its arguments.
    Program(PathBuf),
}

/// In which surroundings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// A shell as it comes. What the wrapper changes in it is looked for.
    Plain,
    /// Strict, and with the settings that break careless scripts.
    Hostile,
    /// Every line that runs is shown.
    Traced,
}

/// Commands that people give other meanings.
const ALIASED: [&str; 14] =
    ["cat", "cd", "cp", "curl", "find", "git", "grep", "ls", "mkdir", "mv", "rm", "sed", "sort", "tar"];

impl Shell {
    /// Its name in sentences.
    pub fn name(&self) -> String {
        match self {
            Self::Bash => "bash".to_owned(),
            Self::PowerShell => "PowerShell".to_owned(),
            Self::Zsh => "zsh".to_owned(),
            Self::Program(path) => path.display().to_string(),
        }
    }

    /// The program, if it is installed.
    pub fn program(&self) -> Option<PathBuf> {
        let name = match self {
            Self::Bash => "bash",
            Self::PowerShell => "pwsh",
            Self::Zsh => "zsh",
            Self::Program(path) => return Some(path.clone()),
        };
        find(name)
    }

    /// The file that a person's startup file reads, in a folder of wrappers.
    pub fn entry(&self, wrappers: &Path) -> PathBuf {
        wrappers.join(match self {
            Self::Bash => "bash/agent-workspace.bash",
            Self::PowerShell => "powershell/AgentWorkspace.psd1",
            Self::Zsh | Self::Program(_) => "zsh/agent-workspace.zsh",
        })
    }

    /// How the program is told to run a script and nothing of this machine's.
    pub fn arguments(&self) -> &'static [&'static str] {
        match self {
            Self::Bash => &["--noprofile", "--norc"],
            Self::PowerShell => &["-NoLogo", "-NoProfile", "-NonInteractive", "-File"],
            Self::Zsh => &["-f"],
            Self::Program(_) => &[],
        }
    }

    /// A word that the shell takes as it is.
    pub fn literal(&self, word: &str) -> String {
        match self {
            Self::PowerShell => format!("'{}'", word.replace('\'', "''")),
            _ => format!("'{}'", word.replace('\'', r"'\''")),
        }
    }

    /// A script that loads the wrapper and makes one call.
    pub fn script(&self, variant: Variant, wrappers: &Path, world: &Path, words: &[String]) -> String {
        let entry = self.literal(&self.entry(wrappers).display().to_string());
        // The command itself as a bare word: quotes would keep an alias from being one.
        let mut call = words[0].clone();
        for word in &words[1..] {
            let _ = write!(call, " {}", self.literal(word));
        }
        let left = self.literal(&world.join("left").display().to_string());
        match (self, variant) {
            (Self::Program(_), _) => String::new(),
            (Self::PowerShell, Variant::Plain) => format!("Import-Module {entry}\n{call}\nexit $LASTEXITCODE\n"),
            (Self::PowerShell, _) => format!(
                "Set-StrictMode -Version Latest\n$global:ErrorActionPreference = 'Stop'\n\
                 $global:PSNativeCommandUseErrorActionPreference = $true\n$global:OFS = 'x'\n\
                 Import-Module {entry}\n{call}\nexit $LASTEXITCODE\n"
            ),
            (Self::Bash | Self::Zsh, Variant::Traced) => format!("source {entry} || exit 97\nset -x\n{call}\n"),
            (Self::Bash, Variant::Plain) => format!(
                "shopt -s expand_aliases\nsource {entry} || exit 97\n\
                 state() {{ set +o; shopt; pwd; trap; umask; compgen -v | grep -v -e '^BASH' -e '^PIPESTATUS$' -e '^_$' \
                 -e '^__agent_workspace' -e '^FUNCNAME$'; }}\n\
                 code=; before=; after=; before=$(state)\n\
                 {call}\n\
                 code=$?\nafter=$(state)\n\
                 [[ $before == \"$after\" ]] || diff <(echo \"$before\") <(echo \"$after\") >{left}\nexit $code\n"
            ),
            (Self::Zsh, Variant::Plain) => format!(
                "setopt aliases\nsource {entry} || exit 97\n\
                 state() {{ setopt; pwd; trap; umask; print -rl -- ${{(ok)parameters}} | grep -v -e '^__agent_workspace' -e '^_$'; }}\n\
                 code=; before=; after=; before=$(state)\n\
                 {call}\n\
                 code=$?\nafter=$(state)\n\
                 [[ $before == \"$after\" ]] || diff <(echo \"$before\") <(echo \"$after\") >{left}\nexit $code\n"
            ),
            (Self::Bash, Variant::Hostile) => format!(
                "shopt -s expand_aliases\n{}set -euo pipefail\nIFS=x\nCDPATH=/\nsource {entry}\n{call}\n",
                aliases()
            ),
            (Self::Zsh, Variant::Hostile) => format!(
                "{}setopt aliases sh_word_split no_unset err_exit ksh_arrays no_bare_glob_qual\nIFS=x\nCDPATH=/\n\
                 alias -g G='| grep' '...'=../..\nsource {entry}\n{call}\n",
                aliases()
            ),
        }
    }
}

fn aliases() -> String {
    ALIASED.iter().fold(String::new(), |text, name| format!("{text}alias {name}=false\n"))
}

/// Where a program is on this machine.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}
