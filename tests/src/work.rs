//! Work that a workspace may hold, and how two of them are compared, on whatever backend they are.

use std::process::Command;

use crate::live::run_with_input;
use crate::{Document, Ran};

/// Work of every kind that a file system knows and a tar can carry.
pub const FILL: &str = r#"cd /work
git init -q -b main o/r && cd o/r
echo one >one && git add one && git -c user.name=t -c user.email=t@t commit -q -m one
echo two >>one && echo new >new && echo hook >.git/hooks/post-checkout && chmod +x .git/hooks/post-checkout
cd /work
mkdir -p empty 'deep er/x' && : >'deep er/x/empty' && ln -s 'deep er/x' link && ln -s /nowhere dangling
printf '%0300000d' 7 >hard && ln hard 'hard too' && printf x >"$(printf 'a \"name\"\n\047\t\303\244\\')"
printf x >"-rf" && printf x >' ' && printf x >'*'
mkdir closed && echo in >closed/in && chmod 500 closed && chmod 400 one-alone 2>/dev/null || :
long=$(printf '%0200d' 0) && mkdir -p "$long/$long" && echo deep >"$long/$long/$long"
echo run >run && chmod 751 run && touch -d '2001-02-03 04:05:06' run empty && mkfifo pipe
echo secret >/home/agent/.git-credentials"#;

/// Everything below the work folder: kinds, modes, sizes, times, numbers of names, targets and sums.
pub const LISTING: &str = "export LC_ALL=C && find . -mindepth 1 -printf '%y %m %n %Ts %p -> %l\\n' | sort && \
                       find . -type f -print0 | sort -z | xargs -0 sha256sum";

/// Runs a script in a workspace, by the transport of a document of `create`, `copy` or `describe`.
///
/// # Panics
/// When the document has none.
pub fn inside(document: &Document, script: &str) -> Ran {
    let words = document.at("/transport/exec").as_array().expect("words");
    let mut words = words.iter().map(|word| word.as_str().expect("a word"));
    let mut command = Command::new(words.next().expect("a program"));
    command.args(words).current_dir("/");
    if document.text("/transport/quoting") == "shell" {
        command.arg(format!("sh -c '{}'", script.replace('\'', r"'\''")));
    } else {
        command.args(["sh", "-c", script]);
    }
    run_with_input(&mut command, "")
}

/// What is in the work folder of a workspace, to the last bit: for one folder at `work`, wherever that really is.
///
/// # Panics
/// When it cannot be read.
#[track_caller]
pub fn listing_of(document: &Document, work: &str) -> String {
    inside(document, &format!("cd '{work}' && {LISTING}")).expect(0).stdout
}

/// The same of a workspace with walls.
///
/// # Panics
/// When it cannot be read.
#[track_caller]
pub fn listing(document: &Document) -> String {
    listing_of(document, "/work")
}

/// A listing without the rights that a file gives others than its owner: where work is shared with a group, these are the
/// group's.
pub fn of_owners(listing: &str) -> String {
    let line = |line: &str| match line.split_once(' ').and_then(|(kind, rest)| Some((kind, rest.split_once(' ')?))) {
        Some((kind @ ("f" | "d" | "l" | "p"), (mode, rest))) => {
            let owner = mode.len().checked_sub(3).map_or("0", |at| &mode[at..=at]);
            format!("{kind} {owner} {rest}\n")
        }
        _ => format!("{line}\n"),
    };
    // Their order was by all rights.
    let mut lines: Vec<String> = listing.lines().map(line).collect();
    lines.sort_unstable();
    lines.concat()
}
