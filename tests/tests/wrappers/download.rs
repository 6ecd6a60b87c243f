//! Downloads of a pinned release, over HTTPS from a server of the test.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use agent_workspace_tests::Ran;
use agent_workspace_tests::live::{Certificates, run_with_input, skip, until};
use agent_workspace_tests::wrappers::{Outcome, Page, Sandbox, Scenario, Shell, Tree, Variant, Web};

macro_rules! downloads {
    ($($test:ident)*) => {
        mod bash { $(#[test] fn $test() { super::$test(&super::Shell::Bash); })* }
        mod powershell {
            $(#[test] fn $test() {
                if super::Shell::PowerShell.program().is_none() {
                    let name = stringify!($test).replace('_', " ");
                    return super::skip(&format!("PowerShell: {name}, because it is not installed"));
                }
                super::$test(&super::Shell::PowerShell);
            })*
        }
        mod zsh { $(#[test] fn $test() { super::$test(&super::Shell::Zsh); })* }
    };
}

downloads! {
    what_is_pinned_is_downloaded_once_and_used
    what_has_another_digest_is_not_kept
    what_is_not_there_is_not_kept
    a_page_instead_of_an_archive_is_not_kept
    half_an_archive_is_not_kept
    a_way_over_http_is_not_taken
    a_stranger_is_not_trusted
    a_link_in_an_archive_is_no_launcher
    two_at_once_are_both_served
    what_is_interrupted_leaves_nothing
}

/// A release as `./dev release` makes it: the folder with its archives.
fn release() -> &'static Path {
    static RELEASE: OnceLock<PathBuf> = OnceLock::new();
    RELEASE.get_or_init(|| {
        // Beside what all tests of this run share, and with it removed by a later one.
        let folder = Tree::shared().checkout().join("release");
        std::fs::create_dir(&folder).expect("a folder");
        // It records like the others; what it is called by is all that the recorder looks at.
        let recorder = agent_workspace_tests::Launcher::binary().with_file_name("recording_launcher");
        let script = format!(
            "#!/bin/sh\nif [ \"$*\" = --version ] && [ -z \"$AGENT_WORKSPACE_TEST_WORLD\" ]; then echo 0.2.0; exit; fi\nexec '{}' \"$@\"\n",
            recorder.display()
        );
        let binary = folder.join("agent-workspace");
        std::fs::write(&binary, script).expect("a file");
        std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755)).expect("a program");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project");
        let mut command = Command::new(root.join("dev"));
        command.args(["release", "--url", "https://releases.test/", "--out"]).arg(folder.join("out"));
        command.arg("--binary").arg(&binary).env("CARGO_TARGET_DIR", folder.join("target"));
        let _ = run_with_input(&mut command, "").expect(0);
        folder
    })
}

fn archives() -> PathBuf {
    release().join("out")
}

/// The pins of the release, and the file that is for this machine.
fn pins() -> (String, String) {
    let mut tar = Command::new("sh");
    tar.args(["-c", "tar -xzOf agent-workspace-wrappers-*.tar.gz wrappers/share/pins"]).current_dir(archives());
    let pins = run_with_input(&mut tar, "").expect(0).stdout;
    let file = pins.lines().find_map(|line| line.strip_prefix("linux-")).expect("a pin of this machine");
    let file = file.rsplit(' ').next().expect("a file").to_owned();
    (pins, file)
}

fn archive() -> Vec<u8> {
    std::fs::read(archives().join(pins().1)).expect("the archive")
}

/// A world without a launcher, with pins, and a server.
struct Case {
    sandbox: Sandbox,
    scenario: Scenario,
    web: Web,
    file: String,
}

impl Case {
    fn new(page: Page, pins: &str, without: &[&str]) -> Self {
        let file = self::pins().1;
        let certificates = tempfile::tempdir().expect("a temporary folder");
        let made = Certificates::make(certificates.path());
        let web = Web::serve(made.open_acceptor(), BTreeMap::from([(format!("/r/{file}"), page)]));
        let authority = std::fs::read_to_string(certificates.path().join("ca.pem")).expect("an authority");
        let scenario = Scenario {
            command: "agent-workspace".to_owned(),
            run: vec!["capabilities".to_owned()],
            files: vec![
                ("{WRAPPERS}/share/pins".to_owned(), pins.to_owned()),
                ("{SANDBOX}/ca.pem".to_owned(), authority),
            ],
            env: vec![
                ("AGENT_WORKSPACE_LAUNCHER_URL".to_owned(), format!("{}/r", web.address())),
                ("CURL_CA_BUNDLE".to_owned(), "{SANDBOX}/ca.pem".to_owned()),
                // The same for those that are not curl.
                ("SSL_CERT_FILE".to_owned(), "{SANDBOX}/ca.pem".to_owned()),
            ],
            without: without.iter().map(|tool| (*tool).to_owned()).collect(),
            ..Scenario::default()
        };
        Self { sandbox: Sandbox::new(&scenario), scenario, web, file }
    }

    fn call(&self, shell: &Shell, variant: Variant) -> Outcome {
        self.sandbox.call(shell, variant, &self.scenario)
    }

    /// Fails unless this is said and nothing is kept.
    #[track_caller]
    fn refuses(&self, shell: &Shell, code: i32, sentence: &str) {
        for variant in [Variant::Plain, Variant::Hostile] {
            let outcome = self.call(shell, variant);
            assert_eq!(outcome.code, code, "{outcome:?}");
            assert!(outcome.stderr.contains(sentence), "{sentence}\n{outcome:?}");
            assert_eq!((outcome.stdout.as_str(), &outcome.calls, &outcome.leaves), ("", &vec![], &vec![]));
            self.keeps_nothing();
        }
    }

    #[track_caller]
    fn keeps_nothing(&self) {
        // PowerShell keeps a profile of its own start.
        let mut find = Command::new("find");
        find.arg(self.sandbox.path("home")).args(["-path", "*/powershell/*", "-prune", "-o"]);
        find.args(["(", "-type", "f", "-o", "-name", "*partial*", ")", "-print"]);
        let kept = run_with_input(&mut find, "");
        assert_eq!(kept.stdout, "");
    }
}

const LAUNCHER: &str = "{HOME}/.cache/agent-workspace/launcher/0.2.0/agent-workspace";

fn what_is_pinned_is_downloaded_once_and_used(shell: &Shell) {
    for without in [&["wget"], &["curl"]] {
        for variant in [Variant::Plain, Variant::Hostile] {
            let case = Case::new(Page::Bytes(archive()), &pins().0, without);
            let first = case.call(shell, variant);
            let platform = case.file.trim_start_matches("agent-workspace-0.2.0-").trim_end_matches(".tar.gz");
            assert_eq!(first.code, 0, "{first:?}");
            assert_eq!(first.stdout, "the launcher was told: capabilities\n");
            assert_eq!(
                first.stderr,
                format!("agent-workspace: downloading launcher 0.2.0 for {platform}\n"),
                "without {without:?}"
            );
            assert_eq!(first.leaves, [LAUNCHER]);
            assert_eq!(first.left, "");
            let mode =
                std::fs::metadata(case.sandbox.path("home/.cache/agent-workspace/launcher/0.2.0/agent-workspace"))
                    .expect("the launcher")
                    .permissions()
                    .mode();
            assert_eq!(mode & 0o777, 0o755);
            let second = case.call(shell, variant);
            assert_eq!((second.code, second.stderr.as_str()), (0, ""));
            assert_eq!(case.web.asked().len(), 1, "one download is enough");
        }
    }
}

fn what_has_another_digest_is_not_kept(shell: &Shell) {
    let mut other = archive();
    *other.last_mut().expect("bytes") ^= 1;
    let case = Case::new(Page::Bytes(other), &pins().0, &[]);
    case.refuses(shell, 1, "pinned");
}

fn what_is_not_there_is_not_kept(shell: &Shell) {
    let case = Case::new(Page::Bytes(Vec::new()), &pins().0.replace("agent-workspace-0.2.0", "other-0.2.0"), &[]);
    case.refuses(shell, 1, "could not be downloaded");
}

fn a_page_instead_of_an_archive_is_not_kept(shell: &Shell) {
    let page = b"<!doctype html><p>Sign in to continue</p>\n".to_vec();
    let case = Case::new(Page::Bytes(page.clone()), &pins().0, &[]);
    case.refuses(shell, 1, "pinned");
    // Neither is one that somebody has pinned.
    let digest = run_with_input(&mut Command::new("sha256sum"), std::str::from_utf8(&page).expect("a text")).stdout;
    let (pins, file) = pins();
    let pins: Vec<String> = pins
        .lines()
        .map(|line| match line.strip_suffix(&file) {
            Some(before) => format!("{} {} {file}", before.split(' ').next().expect("a platform"), &digest[..64]),
            None => line.to_owned(),
        })
        .collect();
    let case = Case::new(Page::Bytes(page), &(pins.join("\n") + "\n"), &[]);
    case.refuses(shell, 1, "there is no launcher in");
}

fn half_an_archive_is_not_kept(shell: &Shell) {
    let case = Case::new(Page::Half(archive()), &pins().0, &[]);
    for _ in 0..2 {
        let outcome = case.call(shell, Variant::Plain);
        assert_eq!((outcome.code, &outcome.leaves), (1, &vec![]), "{outcome:?}");
        case.keeps_nothing();
    }
}

fn a_way_over_http_is_not_taken(shell: &Shell) {
    for without in [&["wget"], &["curl"]] {
        let plain = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        plain.set_nonblocking(true).expect("a listener");
        let address = format!("http://{}/x.tar.gz", plain.local_addr().expect("a port"));
        let case = Case::new(Page::Elsewhere(address), &pins().0, without);
        case.refuses(shell, 1, "could not be downloaded");
        assert!(plain.accept().is_err(), "it was asked, without {without:?}");
    }
}

fn a_stranger_is_not_trusted(shell: &Shell) {
    let mut case = Case::new(Page::Bytes(archive()), &pins().0, &[]);
    case.scenario.env.retain(|(name, _)| name != "CURL_CA_BUNDLE" && name != "SSL_CERT_FILE");
    let web = case.web.asked();
    case.sandbox = Sandbox::new(&case.scenario);
    case.refuses(shell, 1, "could not be downloaded");
    assert_eq!(web, [""; 0]);
}

fn a_link_in_an_archive_is_no_launcher(shell: &Shell) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script =
        "ln -s /bin/sh agent-workspace && tar -czf archive agent-workspace && sha256sum archive | cut -d' ' -f1";
    let digest =
        run_with_input(Command::new("sh").args(["-ec", script]).current_dir(folder.path()), "").expect(0).stdout;
    let (pins, file) = pins();
    let platform = file.trim_start_matches("agent-workspace-0.2.0-").trim_end_matches(".tar.gz");
    let (head, _) = pins.split_once(&format!("{platform} ")).expect("a pin");
    let case = Case::new(
        Page::Bytes(std::fs::read(folder.path().join("archive")).expect("an archive")),
        &format!("{head}{platform} {} {file}\n", digest.trim()),
        &[],
    );
    case.refuses(shell, 1, "there is no launcher in");
}

fn two_at_once_are_both_served(shell: &Shell) {
    let case = Case::new(Page::Bytes(archive()), &pins().0, &[]);
    let words = ["agent-workspace".to_owned(), "capabilities".to_owned()];
    let start = || {
        let mut command = case.sandbox.command(shell, Variant::Hostile, &words);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
    };
    let both = [start(), start()];
    for child in both {
        let _ = Ran::of(child).expect(0);
    }
    assert_eq!(case.sandbox.files(), [LAUNCHER]);
}

fn what_is_interrupted_leaves_nothing(shell: &Shell) {
    for (signal, name) in [(rustix::process::Signal::INT, "INT"), (rustix::process::Signal::TERM, "TERM")] {
        let case = Case::new(Page::Never, &pins().0, &[]);
        let words = ["agent-workspace".to_owned(), "capabilities".to_owned()];
        let mut command = case.sandbox.command(shell, Variant::Plain, &words);
        // To the whole group, as a terminal sends it.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        until("the download has begun", || !case.web.asked().is_empty());
        let group = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process_group(group, signal).expect("it runs");
        let ran = Ran::of(child);
        assert_ne!(ran.code, 0, "SIG{name}: {ran:?}");
        until("what was downloaded is gone", || case.sandbox.files().is_empty());
        case.keeps_nothing();
    }
}
