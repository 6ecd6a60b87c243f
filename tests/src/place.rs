//! A state folder of one test for workspaces of this machine, and a git host of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use tempfile::TempDir;

use crate::live::{Certificates, run_with_input, skip, until};
use crate::wrappers::{Page, Web};
use crate::{Document, Launcher, Ran};

/// Where the workspaces of one test are. What still runs in them ends with it.
#[derive(Debug)]
pub struct Place {
    folder: TempDir,
}

/// A host with one repository, over HTTPS, and what a workspace needs to trust it.
pub struct GitHost {
    web: Web,
    certificates: Certificates,
}

impl Place {
    /// An empty one, in a folder whose name is not plain.
    ///
    /// # Panics
    /// When there is no room.
    pub fn new() -> Self {
        Self { folder: tempfile::Builder::new().prefix("a workspace's 'place' ").tempdir().expect("a folder") }
    }

    /// The same, where walls can be put up; says that the test is skipped where they cannot.
    pub fn walled(test: &str) -> Option<Self> {
        let place = Self::new();
        let ran = place.launcher(["doctor"]).json().run();
        let document = ran.document();
        let engine = document.at("/checks").as_array().expect("checks");
        let engine = engine.iter().find(|check| check["check"] == "engine").expect("a check of walls").clone();
        if engine["status"] == "ok" {
            return Some(place);
        }
        skip(&format!("{test}, because nothing walls workspaces off here: {}", engine["message"]));
        None
    }

    /// A folder of the test's own.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The state folder.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The folder of a workspace, by its full name.
    pub fn workspace(&self, name: &str) -> PathBuf {
        self.state().join("workspaces").join(name)
    }

    /// Everything that is in the folder of workspaces.
    pub fn entries(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.state().join("workspaces")).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// The launcher with its workspaces here.
    pub fn launcher<const N: usize>(&self, args: [&str; N]) -> Launcher {
        Launcher::new(args).env("AGENT_WORKSPACE_STATE_DIR", self.state()).env("AGENT_WORKSPACE_BACKEND", "host")
    }

    /// Runs it, expects this end, and reads the document.
    ///
    /// # Panics
    /// When it ends otherwise.
    #[track_caller]
    pub fn document<const N: usize>(&self, args: [&str; N], code: i32) -> Document {
        self.launcher(args).json().run().expect(code).document()
    }

    /// Makes an empty workspace and returns its document.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn create(&self, name: &str) -> Document {
        self.document(["create", "--no-clone", "--name", name], 0)
    }

    /// Runs a script in a workspace, by the transport of a document.
    pub fn inside(document: &Document, script: &str) -> Ran {
        let words = document.at("/transport/exec").as_array().expect("words");
        let mut words = words.iter().map(|word| word.as_str().expect("a word"));
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words).args(["sh", "-c", script]).current_dir("/");
        run_with_input(&mut command, "")
    }

    /// The same for a script that has to succeed.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn does(document: &Document, script: &str) {
        let _ = Self::inside(document, script).expect(0);
    }

    /// A command that sleeps for longer than any test, and that no other run of these tests sleeps.
    pub fn sleeper() -> String {
        format!("sleep 9{:07}", std::process::id())
    }

    /// Every process of this machine that carries a text in its words or its environment.
    pub fn processes(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            for what in ["cmdline", "environ"] {
                let said = std::fs::read(entry.path().join(what)).unwrap_or_default();
                let said = String::from_utf8_lossy(&said).replace('\0', " ");
                if said.contains(text) {
                    found.push(format!("{} {what}: {said}", entry.file_name().to_string_lossy()));
                }
            }
        }
        found
    }
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for name in self.entries().iter().filter(|name| !name.starts_with('.')) {
            let _ = self.launcher(["rm", "--force", name]).run();
        }
    }
}

impl GitHost {
    /// A host whose `o/r` has one commit with the file `README`. With `hangs`, it never gives its objects.
    ///
    /// # Panics
    /// When git or openssl fail.
    pub fn new(place: &Place, hangs: bool) -> Self {
        let bare = place.folder().join("r.git");
        let script = r#"set -eu
git init -q -b main work && cd work
echo hello >README && git add README
git -c user.name=t -c user.email=t@t commit -q -m one
cd .. && git clone -q --bare work r.git && rm -rf work
git -C r.git update-server-info"#;
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(place.folder()).env("GIT_CONFIG_GLOBAL", "/dev/null");
        let ran = run_with_input(&mut command, "");
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let mut pages = BTreeMap::new();
        collect(&bare, "/o/r.git", hangs, &mut pages);
        let refs = pages["/o/r.git/info/refs"].clone();
        pages.insert("/o/r.git/info/refs?service=git-upload-pack".to_owned(), refs);
        let certificates = Certificates::make(&place.folder().join("certificates"));
        let trust = place.folder().join("trust");
        std::fs::create_dir(&trust).expect("a folder");
        std::fs::copy(certificates.folder().join("ca.pem"), trust.join("ca.pem")).expect("a file");
        let env_file = "GIT_SSL_CAINFO=/home/agent/codex_secrets/ca.pem\n";
        std::fs::write(place.folder().join("environment"), env_file).expect("a file");
        Self { web: Web::serve(certificates.open_acceptor(), pages), certificates }
    }

    /// The address of its repository.
    pub fn repository(&self) -> String {
        format!("{}/o/r", self.web.address())
    }

    /// Paths it was asked for.
    pub fn asked(&self) -> Vec<String> {
        self.web.asked()
    }

    /// Waits until a create asks for what a host that hangs does not give, after so many requests before.
    ///
    /// # Panics
    /// When the create ends before that, or does not come to it.
    #[track_caller]
    pub fn until_cloning(&self, mut create: Child, before: usize) -> Child {
        let mut ended = false;
        until("the clone is under way", || {
            ended = create.try_wait().expect("a process").is_some();
            ended || self.asked()[before..].iter().any(|path| path.contains("/objects/"))
        });
        if ended {
            let ran = Ran::of(create);
            panic!("it ended before its clone was under way: {}\n{}\n{:?}", ran.stdout, ran.stderr, self.asked());
        }
        create
    }

    /// The flags by which a workspace trusts it.
    pub fn trusted(&self, place: &Place, launcher: Launcher) -> Launcher {
        assert!(self.certificates.folder().exists());
        launcher
            .arg("--secrets-dir")
            .arg(place.folder().join("trust"))
            .arg("--env-file")
            .arg(place.folder().join("environment"))
    }
}

/// Pages of everything in a folder.
fn collect(folder: &Path, at: &str, hangs: bool, pages: &mut BTreeMap<String, Page>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let at = format!("{at}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            collect(&entry.path(), &at, hangs, pages);
        } else {
            let bytes = std::fs::read(entry.path()).expect("a file");
            let page = if hangs && at.contains("/objects/") { Page::Never } else { Page::Bytes(bytes) };
            pages.insert(at, page);
        }
    }
}
