//! Watches this machine for a text that must be nowhere: every process, those in containers too, and the engine's log.

use std::collections::{BTreeSet, HashMap};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::run_with_input;
use crate::Launcher;

/// Looks at the arguments and the environment of every process, again and again, until it is asked what it saw.
#[derive(Debug)]
pub struct Watch {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Where the text was: the process, and whether in its arguments or its environment.
    pub places: BTreeSet<String>,
    /// Programs that ran, by the first word of their command line.
    pub programs: BTreeSet<String>,
}

impl Watch {
    /// Begins. The environment of the launcher is where the text comes from and does not count, nor does anything in
    /// the containers of these ids.
    ///
    /// # Panics
    /// When the launcher has no path.
    pub fn for_text(text: &str, except: &[String]) -> Self {
        let launcher = Launcher::binary().canonicalize().expect("the launcher has a path");
        Self::begin(text, except, Some(launcher))
    }

    /// Begins. The environment of the launcher counts like any other.
    pub fn for_text_that_nobody_is_given(text: &str, except: &[String]) -> Self {
        Self::begin(text, except, None)
    }

    /// `launcher` is the program whose environment does not count.
    fn begin(text: &str, except: &[String], launcher: Option<PathBuf>) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (stop, text, except) = (Arc::clone(&over), text.to_owned(), except.to_vec());
        let thread = std::thread::spawn(move || {
            let (mut seen, mut known) = (Seen::default(), HashMap::new());
            while !stop.load(Ordering::Relaxed) {
                let since = Instant::now();
                look(&mut seen, &mut known, text.as_bytes(), &except, launcher.as_deref());
                // Half a processor is left to what is watched.
                std::thread::sleep(since.elapsed().max(Duration::from_millis(1)));
            }
            seen
        });
        Self { over, thread }
    }

    /// Ends it.
    ///
    /// # Panics
    /// When watching failed.
    pub fn seen(self) -> Seen {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().expect("watching goes on")
    }
}

/// `known` is what processes have shown that had nothing of the text: searching is what takes the time, and most are as
/// they were.
fn look(
    seen: &mut Seen,
    known: &mut HashMap<PathBuf, [Vec<u8>; 2]>,
    text: &[u8],
    except: &[String],
    launcher: Option<&Path>,
) {
    let holds = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let folder = process.path();
        // A process may end while it is looked at.
        let Ok(words) = std::fs::read(folder.join("cmdline")) else { continue };
        let environment = std::fs::read(folder.join("environ")).unwrap_or_default();
        let shown = [words, environment];
        if known.get(&folder) == Some(&shown) {
            continue;
        }
        let [words, environment] = &shown;
        let program = String::from_utf8_lossy(words.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned();
        let places = [("arguments", holds(words)), ("environment", holds(environment))];
        let is_clean = places.iter().all(|(_, found)| !found);
        for (place, _) in places.into_iter().filter(|(_, found)| *found) {
            // One that has ended meanwhile cannot be told from one that does not count; others like it are seen longer.
            let Ok(groups) = std::fs::read_to_string(folder.join("cgroup")) else { continue };
            let exe = || std::fs::read_link(folder.join("exe"));
            let may_have_it = || launcher.is_some_and(|launcher| exe().map_or(true, |exe| exe == launcher));
            if except.iter().any(|id| groups.contains(id)) || (place == "environment" && may_have_it()) {
                continue;
            }
            seen.places.insert(format!("{place} of {program} ({})", folder.display()));
        }
        seen.programs.insert(program);
        if is_clean {
            known.insert(folder, shown);
        }
    }
}

/// What the engine writes down about itself, from now on.
#[derive(Debug)]
pub struct EngineLog {
    files: Vec<(PathBuf, u64)>,
    since: Option<String>,
}

impl EngineLog {
    /// Finds it: the files that the engine's process writes to, or the system's journal. `None` when there is neither.
    ///
    /// # Panics
    /// When the system has no clock.
    pub fn find() -> Option<Self> {
        let mut files = Vec::new();
        for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let folder = process.path();
            if !std::fs::read_to_string(folder.join("comm")).is_ok_and(|name| name.trim_end() == "dockerd") {
                continue;
            }
            for stream in ["fd/1", "fd/2"] {
                let Ok(file) = std::fs::read_link(folder.join(stream)) else { continue };
                if let Ok(facts) = std::fs::metadata(&file)
                    && facts.is_file()
                {
                    files.push((file, facts.len()));
                }
            }
        }
        let now = run_with_input(Command::new("date").arg("+%Y-%m-%d %H:%M:%S"), "").stdout.trim().to_owned();
        let journal = |since: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", "journalctl -q -u docker -n 1 && test -n \"$0\"", since]);
            run_with_input(&mut command, "")
        };
        if files.is_empty() {
            let said = journal(&now);
            return (said.code == 0 && !said.stdout.is_empty()).then_some(Self { files, since: Some(now) });
        }
        Some(Self { files, since: None })
    }

    /// What it has written since it was found.
    ///
    /// # Panics
    /// When it cannot be read any more.
    pub fn text(&self) -> String {
        if let Some(since) = &self.since {
            return run_with_input(Command::new("journalctl").args(["-q", "-u", "docker", "--since", since]), "")
                .stdout;
        }
        let mut text = Vec::new();
        for (file, length) in &self.files {
            let mut file = std::fs::File::open(file).expect("the engine's log is there");
            file.seek(SeekFrom::Start(*length)).and_then(|_| file.read_to_end(&mut text)).expect("it can be read");
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}
