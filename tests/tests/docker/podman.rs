//! Podman's service in place of Docker's, in folders of its own. Skipped, and said so, where podman cannot run.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use agent_workspace_tests::live::{Answer, Image, Live, docker, run_with_input, skip, until};

struct Podman {
    service: Child,
    folder: PathBuf,
}

impl Podman {
    /// `None` where podman is not installed or cannot run a container at all, with the reason on stderr.
    fn start(live: &Live) -> Option<Self> {
        let folder = live.folder().join("podman");
        std::fs::create_dir_all(&folder).expect("a folder");
        let archive = folder.join("image.tar");
        // By itself it raises limits, which not every machine allows.
        let limits = "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n";
        std::fs::write(folder.join("containers.conf"), limits).expect("a file");
        docker(["save", "-o", archive.to_str().expect("UTF-8"), &Image::Busybox.name()]);
        let mut command = podman(&folder);
        let log = std::fs::File::create(folder.join("log")).expect("a file");
        command.args(["system", "service", "--time", "0"]).arg(format!("unix://{}/sock", folder.display()));
        let Ok(service) = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn() else {
            skip("podman is not installed");
            return None;
        };
        let podman = Self { service, folder };
        let loaded = podman.run(&["load", "-q", "-i", archive.to_str().expect("UTF-8")]);
        if loaded.code != 0 {
            skip(&format!("podman cannot load an image here: {}", loaded.stderr));
            return None;
        }
        let tried = podman.run(&["run", "--rm", "--network", "none", &podman.image(), "true"]);
        if tried.code != 0 {
            skip(&format!("podman cannot run a container here: {}", tried.stderr));
            return None;
        }
        let socket = podman.folder.join("sock");
        until("podman's service listens", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
        Some(podman)
    }

    /// Podman's name for the image.
    fn image(&self) -> String {
        format!("localhost/{}", Image::Busybox.name())
    }

    fn run(&self, args: &[&str]) -> agent_workspace_tests::Ran {
        run_with_input(podman(&self.folder).args(args), "")
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let _ = self.run(&["rm", "-f", "-t", "0", "--all"]);
        let _ = self.run(&["volume", "rm", "-f", "--all"]);
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}

/// Podman with everything it writes in a folder.
fn podman(folder: &std::path::Path) -> Command {
    let mut command = Command::new("podman");
    let place = |name: &str| folder.join(name).display().to_string();
    command.args(["--root", &place("root"), "--runroot", &place("run"), "--tmpdir", &place("tmp")]);
    command.args(["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "file"]);
    command.env("CONTAINERS_CONF", folder.join("containers.conf"));
    command
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_workspace_lives_under_podman_too() {
    let live = Live::new();
    let Some(podman) = Podman::start(&live) else { return };
    let address = format!("unix://{}/sock", podman.folder.display());
    let json = |line: &str| Answer::to(&live.launcher(line).env("DOCKER_HOST", address.as_str()));
    let create = format!("create --no-clone --name pod --network none --image {}", podman.image());

    let made = json(&create).ok();
    assert_eq!((made.text("/workspace"), made.at("/created")), (live.full("pod").as_str(), &serde_json::json!(true)));
    assert_eq!(json(&create).ok().at("/created"), false);
    let listed = json("ls").ok();
    assert_eq!(listed.text("/workspaces/0/workspace"), live.full("pod"));
    assert_eq!(listed.text("/workspaces/0/status"), "running");
    assert_eq!(
        podman.run(&["exec", "-u", "agent", &live.full("pod"), "sh", "-c", "echo x >/work/x; id -un"]).stdout,
        "agent\n"
    );

    let stopped = json("stop pod").ok();
    assert_eq!((stopped.at("/changed"), stopped.text("/status")), (&serde_json::json!(true), "stopped"));
    assert_eq!(json("stop pod").ok().at("/changed"), false);
    // Looked into where it stands.
    let refused = json("rm pod").fails(5, "unsaved_work");
    assert_eq!(refused.text("/error/details/unsaved/0/path"), "/work/x", "{}", refused.0);
    assert_eq!(json("describe pod").ok().text("/workspace/status"), "stopped");
    assert_eq!(json("start pod").ok().at("/changed"), true);
    assert_eq!(json("start pod").ok().at("/changed"), false);
    json("rm pod").fails(5, "unsaved_work");
    let removed = json("rm pod --force").ok();
    assert_eq!(removed.at("/removed").as_array().map(Vec::len), Some(3));
    assert_eq!(podman.run(&["volume", "ls", "-q"]).stdout, "");
    json("rm pod").fails(3, "workspace_not_found");
    assert_eq!(json("ls").ok().at("/workspaces"), &serde_json::json!([]));
    json("create --no-clone --name pod --no-pull --image localhost/nosuch").fails(3, "image_not_found");
}
