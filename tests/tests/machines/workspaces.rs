//! Workspaces on VMs: made, entered, listed, stopped and removed over SSH, each with a user of its own.

use std::process::Command;
use std::time::{Duration, Instant};

use agent_workspace_tests::live::{Machine, Machines, run_with_input, token, try_docker, until};
use agent_workspace_tests::{Document, Launcher, Ran};
use serde_json::{Value, json};

/// A test's machine as VM `dev`.
struct World {
    machines: Machines,
    machine: Machine,
}

impl World {
    fn new() -> Self {
        Self::of("admin")
    }

    /// The same, with this user as who logs in.
    fn of(login: &str) -> Self {
        let machines = Machines::new();
        let machine = machines.start_with_disk("dev");
        let world = Self { machines, machine };
        world.ok(&format!("vm create dev --host {login}@{} --accept-new-host-key", world.machine.address));
        world
    }

    fn launcher(&self, line: &str) -> Launcher {
        self.machines.launcher(line)
    }

    fn ok(&self, line: &str) -> Document {
        self.launcher(line).run().expect(0).document()
    }

    fn fails(&self, line: &str, exit: i32, code: &str) -> Document {
        let document = self.launcher(line).run().expect(exit).document();
        assert_eq!(document.error_code(), code, "{document:?}");
        document
    }

    /// Runs a line by the way in that a document tells, with the system's ssh.
    fn inside(&self, document: &Document, line: &str) -> Ran {
        let words = document.at("/transport/exec").as_array().expect("words").iter();
        let words: Vec<&str> = words.filter_map(Value::as_str).collect();
        let mut command = Command::new(self.machines.folder().join("bin").join(words[0]));
        command.args(&words[1..]).arg(format!("sh -c '{}'", line.replace('\'', r"'\''")));
        run_with_input(&mut command, "")
    }

    fn does(&self, document: &Document, line: &str) -> String {
        self.inside(document, line).expect(0).stdout.trim_end().to_owned()
    }

    /// The rows of `ls`: names with their states.
    fn rows(&self) -> Vec<(String, String)> {
        let listed = self.ok("ls --backend vm");
        let rows = listed.at("/workspaces").as_array().expect("rows").iter();
        rows.map(|row| (text(&row["name"]), text(&row["status"]))).collect()
    }

    /// Everything that workspaces leave on a machine: users, groups, folders, files, processes.
    fn left(&self) -> String {
        self.machine.run(
            "getent passwd | grep ^ws--; getent group | grep ws--; ls -A /srv/agent-workspace/workspaces; \
             find / /srv/agent-workspace -xdev \\( -path /proc -o -path /sys \\) -prune -o \\( -nouser -o -nogroup \\) -print; \
             stat -c %U /proc/[0-9]* 2>/dev/null | grep ws-- || true",
        )
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn row(name: &str, status: &str) -> (String, String) {
    (name.to_owned(), status.to_owned())
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_workspace_on_a_vm_is_made_entered_stopped_started_and_removed() {
    for login in ["admin", "root"] {
        let world = World::of(login);
        if login == "root" {
            // Who is root already needs none.
            world.machine.run("rm /usr/bin/sudo; ! command -v sudo");
        }
        let made = world.ok("create --vm dev --no-clone --name My-Task");
        assert_eq!(made.text("/workspace"), "agent-ws-my-task");
        assert_eq!((made.text("/backend"), made.text("/isolation"), made.text("/status")), ("vm", "user", "running"));
        let folder = "/srv/agent-workspace/workspaces/agent-ws-my-task";
        assert_eq!(made.text("/path"), format!("{folder}/work"));
        assert_eq!(made.text("/transport/quoting"), "shell");
        let said = world.does(&made, "id -un; pwd; printf %s \"$HOME\"");
        assert_eq!(said, format!("ws--my-task\n{folder}/work\n{folder}/home"));
        assert_eq!(
            world.machine.run(&format!("cd {folder} && stat -c '%n %a %U:%G' . work home tmp environment record")),
            ". 750 root:ws--my-task\nwork 2770 ws--my-task:ws--my-task\nhome 700 ws--my-task:ws--my-task\n\
             tmp 700 ws--my-task:ws--my-task\nenvironment 600 ws--my-task:ws--my-task\nrecord 644 root:root"
        );

        // Again it is the same one, also without saying where.
        let again = world.ok("create --backend vm --no-clone --name my-task");
        assert_eq!((again.at("/created"), again.at("/transport")), (&json!(false), made.at("/transport")));
        world.fails("create --vm dev --no-clone --name my-task --if-exists fail", 4, "workspace_exists");
        assert_eq!(world.rows(), [row("my-task", "running")]);
        let described = world.ok("describe --backend vm my-task");
        assert_eq!(described.at("/transport"), made.at("/transport"));

        world.does(&made, "sleep 600 >/dev/null 2>&1 & echo kept >~/kept");
        assert_eq!(world.ok("stop --backend vm my-task").at("/changed"), true);
        assert_eq!(world.ok("stop --backend vm my-task").at("/changed"), false);
        assert_eq!(world.rows(), [row("my-task", "stopped")]);
        assert_eq!(world.machine.run("grep -l sleep /proc/[0-9]*/comm || echo none"), "none");
        assert_eq!(world.ok("start --backend vm my-task").at("/changed"), true);
        assert_eq!(world.ok("start --backend vm my-task").at("/changed"), false);

        let refused = world.fails("rm --backend vm my-task", 5, "unsaved_work");
        assert_eq!(refused.text("/error/details/unsaved/0/path"), format!("{folder}/home/kept"));
        let rescue = world.machines.folder().join("rescued");
        let line = format!("rm --backend vm my-task --rescue {}", rescue.display());
        let rescued = world.ok(&line);
        assert_eq!(rescued.at("/rescued/items").as_array().map(Vec::len), Some(1), "{rescued:?}");
        assert_eq!(world.left(), "");
        world.fails("rm --backend vm my-task", 3, "workspace_not_found");
        assert_eq!(world.rows(), []);
    }
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_workspace_is_made_in_few_commands_and_a_list_takes_one_a_vm() {
    let world = World::new();
    world.machine.log_sessions();
    let create = |name: &str| world.ok(&format!("create --vm dev --no-clone --name {name}"));
    let of = |act: &dyn Fn()| {
        let before = world.machine.sessions();
        act();
        world.machine.sessions() - before
    };
    assert_eq!(of(&|| drop(create("one"))), 1);
    assert_eq!(of(&|| drop(create("two"))), 1);
    assert_eq!(of(&|| assert_eq!(world.rows().len(), 2)), 1);
    let again = of(&|| assert_eq!(create("one").at("/created"), false));
    assert!(again <= 5, "{again}");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_private_repository_is_cloned_with_a_token_that_nobody_else_sees() {
    let world = World::new();
    world.machine.reach_git_server();
    let token = token();
    // Looks at every process there again and again, while everything is done.
    world.machine.run(&format!(
        "printf %s '{token}' >/root/canary; cat >/root/watch.sh <<'END'\n\
         while [ ! -e /root/stop ]; do\n\
         cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | grep -aqFf /root/canary && touch /root/seen\n\
         touch /root/looked\n\
         done\nEND\n\
         nohup sh /root/watch.sh >/dev/null 2>&1 &"
    ));
    until("the watch looks", || world.machine.run("test -e /root/looked && echo yes || true") == "yes");
    let create = "create acme/private --host git.test --vm dev --name private --setup-git";
    let made = world.launcher(create).env("GH_TOKEN", &token).run().expect(0).document();
    assert_eq!(made.text("/repo"), "acme/private");
    let log = world.does(&made, "pwd; git log -1 --format=%s >/dev/null && git ls-remote origin HEAD | wc -l");
    assert_eq!(log, format!("{}\n1", made.text("/path")), "git finds its credentials");
    // Coming back clones nothing anew, and keeps what is there.
    let again = world.launcher(create).env("GH_TOKEN", &token).run().expect(0).document();
    assert_eq!((again.at("/created"), again.text("/repo")), (&json!(false), "acme/private"));
    world.machine.run("touch /root/stop");
    assert_eq!(world.machine.run("test ! -e /root/seen && echo unseen"), "unseen");
    let files = world
        .machine
        .run("grep -rlaFf /root/canary / --exclude-dir=proc --exclude-dir=sys --exclude=canary 2>/dev/null || true");
    let home = "/srv/agent-workspace/workspaces/agent-ws-private/home/";
    assert!(!files.is_empty() && files.lines().all(|file| file.starts_with(home)), "{files}");
    assert_eq!(world.ok("rm --backend vm private").at("/changed"), true, "nothing is lost with a clone");
    assert_eq!(world.left(), "");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn what_was_given_as_environment_is_inside_and_nowhere_else_to_be_read() {
    let world = World::new();
    let file = world.machines.folder().join("env");
    std::fs::write(&file, "SECRET_WORD=it's \"here\" $(id)\n").expect("a file");
    let line = format!("create --vm dev --no-clone --name env --env-file {}", file.display());
    let made = world.ok(&line);
    assert_eq!(world.does(&made, "printf %s \"$SECRET_WORD\""), "it's \"here\" $(id)");
    let found = world.machine.run("grep -rlF SECRET_WORD= /srv /etc /home /tmp /var 2>/dev/null || true");
    assert_eq!(found, "/srv/agent-workspace/workspaces/agent-ws-env/environment");
    // A stranger on the machine sees nothing of it: no file, no name.
    let stranger = |line: &str| {
        let mut command = Command::new("docker");
        command.args(["exec", "-u", "nobody-special", &world.machine.container, "sh", "-c", line]);
        run_with_input(&mut command, "")
    };
    let folder = "/srv/agent-workspace/workspaces";
    for line in [
        format!("ls {folder}"),
        format!("ls {folder}/agent-ws-env"),
        format!("cat {folder}/agent-ws-env/record"),
        format!("cat {folder}/agent-ws-env/environment"),
        format!("ls {folder}/agent-ws-env/work"),
        format!("touch {folder}/x"),
        "sudo -n true".to_owned(),
    ] {
        assert_ne!(stranger(&line).code, 0, "{line}");
    }
    // Nor does another workspace.
    let other = world.ok("create --vm dev --no-clone --name other");
    assert_ne!(
        world.inside(&other, &format!("ls {folder}/agent-ws-env/work || cat {folder}/agent-ws-env/record")).code,
        0
    );
    assert_ne!(world.inside(&other, "sudo -n true").code, 0);
    // The admin reads and writes the work, of whatever mode.
    world.does(&made, "umask 077; echo mine >file; mkdir folder");
    let admin = |line: &str| {
        let mut command = Command::new("docker");
        command.args(["exec", "-u", "admin", &world.machine.container, "sh", "-c", line]);
        run_with_input(&mut command, "")
    };
    let _ = admin(&format!("echo more >>{folder}/agent-ws-env/work/new")).expect(0);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn of_two_creates_of_one_name_one_makes_it_and_the_other_comes_back() {
    let world = World::new();
    let children: Vec<_> = (0..2).map(|_| world.launcher("create --vm dev --no-clone --name both").spawn()).collect();
    let mut made: Vec<_> =
        children.into_iter().map(|child| Ran::of(child).expect(0).document().at("/created").clone()).collect();
    made.sort_by_key(|made| made.as_bool());
    assert_eq!(made, [json!(false), json!(true)]);
    assert_eq!(world.rows(), [row("both", "running")]);
    let children: Vec<_> = (0..2).map(|_| world.launcher("rm --backend vm both --if-exists").spawn()).collect();
    for child in children {
        let _ = Ran::of(child).expect(0);
    }
    assert_eq!(world.left(), "");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_vm_that_is_silent_is_listed_so_and_holds_up_nobody() {
    let world = World::new();
    world.ok("create --vm dev --no-clone --name task");
    let second = world.machines.start("second");
    world.ok(&format!("vm create second --host {} --accept-new-host-key", second.address));
    world.ok("create --vm second --no-clone --name other");
    let several = world.fails("create --backend vm --no-clone --name x", 2, "input_required");
    assert_eq!(several.at("/error/details/vms"), &json!(["dev", "second"]));

    assert_eq!(try_docker(["pause", &world.machine.container]).code, 0);
    let since = Instant::now();
    let mut rows = world.rows();
    rows.sort();
    assert_eq!(rows, [row("other", "running"), row("task", "unreachable")]);
    assert!(since.elapsed() < Duration::from_secs(20), "{:?}", since.elapsed());
    for line in [
        "rm --backend vm task",
        "rm --backend vm --force task",
        "start --backend vm task",
        "create --vm dev --no-clone --name y",
    ] {
        let since = Instant::now();
        world.fails(line, 7, "host_unreachable");
        assert!(since.elapsed() < Duration::from_secs(60), "{line}: {:?}", since.elapsed());
    }
    assert_eq!(try_docker(["unpause", &world.machine.container]).code, 0);
    let mut rows = world.rows();
    rows.sort();
    assert_eq!(rows, [row("other", "running"), row("task", "running")], "nothing was made or lost meanwhile");
}

/// Makes the making of users hang.
const HANG: &str = "dpkg-divert --local --rename --add /usr/sbin/useradd >/dev/null && \
                    printf '#!/bin/sh\\nwhile [ ! -e /go ]; do sleep 0.1; done\\n[ ! -e /no ] || exit 1\\nexec /usr/sbin/useradd.distrib \"$@\"\\n' \
                    >/usr/sbin/useradd && chmod 755 /usr/sbin/useradd";

fn signalled(child: &std::process::Child, signal: &str) {
    let process = child.id().to_string();
    assert_eq!(run_with_input(Command::new("kill").args([signal, &process]), "").code, 0);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_create_that_is_killed_in_the_middle_is_listed_and_removed_or_made_anew() {
    let world = World::new();
    world.machine.run(HANG);
    let create = "create --vm dev --no-clone --name task";
    let at_work = || !world.machine.run("grep -lx useradd /proc/[0-9]*/comm 2>/dev/null || true").is_empty();
    for (go_on_first, then) in [(false, "rm --backend vm task"), (true, "rm --backend vm task"), (true, create)] {
        let mut child = world.launcher(create).spawn();
        until("the user is being made", || world.rows() == [row("task", "creating")] && at_work());
        assert_eq!(world.ok("ls --backend vm").at("/workspaces/0/problems"), &json!([]), "it is at work");
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        let listed = world.ok("ls --backend vm");
        assert_eq!(listed.text("/workspaces/0/problems/0/code"), "cut_off");
        world.fails("start --backend vm task", 4, "wrong_state");
        if go_on_first {
            world.machine.run("touch /go");
            world.ok(then);
        } else {
            // What is at work there is waited for.
            let child = world.launcher(then).spawn();
            std::thread::sleep(Duration::from_secs(2));
            world.machine.run("touch /go");
            let _ = Ran::of(child).expect(0);
        }
        if then != create {
            assert_eq!(world.left(), "");
            world.machine.run("rm /go");
        }
    }
    assert_eq!(world.rows(), [row("task", "running")]);
    world.ok("rm --backend vm task");
    assert_eq!(world.left(), "");

    // One that is asked to end takes everything back.
    world.machine.run("rm /go");
    let child = world.launcher(create).spawn();
    until("the user is being made", || world.rows() == [row("task", "creating")] && at_work());
    signalled(&child, "-INT");
    world.machine.run("sleep 1; touch /go");
    let ended = Ran::of(child).expect(130).document();
    assert_eq!(ended.at("/error/details").get("left_behind"), None, "{ended:?}");
    assert_eq!(world.rows(), []);
    assert_eq!(world.left(), "");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn what_is_kept_is_made_anew_from_and_nothing_is_made_where_something_is() {
    let world = World::new();
    let made = world.ok("create --vm dev --no-clone --name task");
    world.does(&made, "echo work >file");
    let removed = world.ok("rm --backend vm --keep-volumes task");
    assert_eq!(removed.text("/kept/0/id"), "agent-ws-task");
    assert_eq!(world.rows(), []);
    world.fails("rm --backend vm task", 5, "unsaved_work");
    let again = world.ok("create --vm dev --no-clone --name task");
    assert_eq!((again.at("/created"), world.does(&again, "cat file").as_str()), (&json!(true), "work"));
    world.ok("rm --backend vm --keep-volumes task");
    let pruned = world.ok("prune --backend vm --older-than 0");
    assert!(pruned.text("/kept/0/why").contains("exists nowhere else"), "{pruned:?}");
    assert_eq!(world.ok("prune --backend vm --older-than 0 --force").text("/removed/0/id"), "agent-ws-task");
    assert_eq!(world.left(), "");

    world.machine.run(
        "mkdir /srv/agent-workspace/workspaces/agent-ws-taken; touch /srv/agent-workspace/workspaces/agent-ws-taken/x",
    );
    world.fails("create --vm dev --no-clone --name taken", 4, "name_taken");
    world.machine.run("test -e /srv/agent-workspace/workspaces/agent-ws-taken/x");
    world.machine.run("rm -r /srv/agent-workspace/workspaces/agent-ws-taken; useradd ws--taken");
    world.fails("create --vm dev --no-clone --name taken", 4, "name_taken");
    assert_eq!(
        world.machine.run("getent passwd ws--taken | wc -l; userdel ws--taken; ls -A /srv/agent-workspace/workspaces"),
        "1"
    );
    assert_eq!(world.rows(), []);
    world.machine.run("rmdir /srv/agent-workspace/workspaces");
    let unprepared = world.fails("create --vm dev --no-clone --name task", 4, "vm_not_ready");
    assert!(unprepared.text("/error/hint").contains("vm reinit dev"), "{unprepared:?}");
    assert_eq!(world.rows(), []);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn doctor_tells_of_every_vm_and_what_means_nothing_on_one_is_refused() {
    let world = World::new();
    assert_eq!(world.ok("doctor --backend vm").at("/healthy"), true);
    for flag in [
        "--image=x",
        "--no-pull",
        "--cpus=1",
        "--memory=1g",
        "--network=x",
        "--label=a=b",
        "--user=1",
        "--isolation=strict",
        "--isolation=require",
        "--secrets-dir=/tmp",
    ] {
        let line = format!("create --vm dev --no-clone --name x {flag}");
        let refused = world.fails(&line, 9, "unsupported");
        assert!(refused.text("/error/message").contains(flag.split('=').next().unwrap_or(flag)), "{refused:?}");
    }
    world.fails("create --vm dev --backend docker --no-clone --name x", 2, "usage");
    world.fails("create --vm none --no-clone --name x", 3, "vm_not_found");
    let alone = Machines::new();
    let none = alone.launcher("create --backend vm --no-clone --name x").run().expect(3).document();
    assert!(none.text("/error/hint").contains("agent-workspace vm create"), "{none:?}");
}

fn changed(document: &Document) -> Vec<String> {
    let steps = document.at("/steps").as_array().expect("steps").iter();
    steps.filter(|step| step["changed"] == true).map(|step| text(&step["step"])).collect()
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn what_was_broken_of_a_workspace_is_restored_and_a_second_look_changes_nothing() {
    let world = World::new();
    let made = world.ok("create --vm dev --no-clone --name task");
    world.does(&made, "mkdir -p a/b && echo x >a/b/file && echo y >~/kept && ln -s /etc/passwd a/link");
    let whole = world.ok("repair --backend vm task");
    assert_eq!((whole.at("/changed"), whole.at("/gone")), (&json!(false), &json!(false)), "{whole:?}");
    let names: Vec<_> = whole.at("/steps").as_array().expect("steps").iter().map(|step| text(&step["step"])).collect();
    assert_eq!(
        names,
        [
            "move",
            "group",
            "user",
            "folders",
            "owner",
            "modes",
            "setgid",
            "access_lists",
            "members",
            "environment",
            "record"
        ]
    );

    let folder = "/srv/agent-workspace/workspaces/agent-ws-task";
    let look = || {
        world.machine.run(&format!(
            "cd {folder} && find . -printf '%p %y %m %U:%G %l\\n' | sort && getfacl -cp . work work/a work/a/b && \
             id ws--task && getent group ws--task && cat record && stat -c '%a %U:%G' /etc/passwd /etc/shadow"
        ))
    };
    let before = look();
    for (step, harm) in [
        ("modes", "chmod 777 ."),
        ("owner", "chown -R root:root work/a"),
        ("owner", "chown 4242:4242 home/kept"),
        ("setgid", "chmod g-s work/a work/a/b"),
        ("access_lists", "setfacl -R -b work"),
        ("access_lists", "setfacl -k work/a/b"),
        ("members", "usermod -aG ws--task nobody-special"),
        ("environment", "rm environment"),
        ("record", "rm record"),
        ("user", "userdel ws--task"),
        ("group", "userdel ws--task; groupdel ws--task 2>/dev/null; true"),
    ] {
        world.machine.run(&format!("cd {folder} && {harm}"));
        let mended = world.ok("repair --backend vm task");
        assert!(changed(&mended).iter().any(|changed| changed == step), "{harm}: {mended:?}");
        let again = world.ok("repair --backend vm task");
        assert_eq!(changed(&again), Vec::<String>::new(), "{harm}");
        // A user that is made anew has another number.
        if !matches!(step, "user" | "group") {
            assert_eq!(look(), before, "{harm}");
        }
        assert_eq!(world.does(&made, "cat a/b/file ~/kept"), "x\ny", "{harm}");
        assert_eq!(world.rows(), [row("task", "running")], "{harm}");
    }
    // What nobody can look into is not taken for empty.
    world.machine.run("userdel ws--task");
    assert_eq!(world.rows(), [row("task", "broken")]);
    let refused = world.fails("rm --backend vm task", 5, "unsaved_work");
    assert_eq!(refused.text("/error/details/unsaved/0/kind"), "unchecked");
    world.ok("repair --backend vm task");
    world.machine.run(&format!("rm -r {folder}"));
    assert_eq!(world.rows(), [row("task", "missing")]);
    world.fails("repair --backend vm task", 4, "wrong_state");
    world.ok("rm --backend vm task");
    assert_eq!(world.left(), "");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_create_that_was_cut_off_is_finished_or_cleared_by_a_repair() {
    let world = World::new();
    world.machine.run(HANG);
    let create = "create --vm dev --no-clone --name task";
    for finished in [true, false] {
        let mut child = world.launcher(create).spawn();
        until("the user is being made", || world.rows() == [row("task", "creating")]);
        until("it hangs there", || {
            !world.machine.run("grep -lx useradd /proc/[0-9]*/comm 2>/dev/null || true").is_empty()
        });
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        if finished {
            world.machine.run("touch /go");
            until("it is whole", || world.machine.run("ls /srv/agent-workspace/workspaces") == "agent-ws-task");
        } else {
            // What was at work there has failed too.
            world.machine.run("touch /no /go; sleep 1");
        }
        let mended = world.ok("repair --backend vm task");
        assert_eq!(mended.at("/gone"), &json!(!finished), "{mended:?}");
        if finished {
            assert_eq!(world.rows(), [row("task", "running")]);
            world.ok("rm --backend vm task");
            world.machine.run("rm /go");
        }
        assert_eq!(world.rows(), []);
        assert_eq!(world.left(), "");
    }
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_workspace_moves_to_another_folder_whole_or_stays_where_it_is() {
    let world = World::new();
    let file = world.machines.folder().join("env");
    std::fs::write(&file, "WORD=kept\n").expect("a file");
    let made = world.ok(&format!("create --vm dev --no-clone --name task --env-file {}", file.display()));
    world.does(&made, "mkdir -p a && umask 077 && echo x >a/file && ln a/file a/same && echo y >~/kept");
    world.machine.run("mkdir -m 0711 /data && mkdir /data/there && mkdir -m 0777 /open");
    let from = "/srv/agent-workspace/workspaces/agent-ws-task";
    for (to, exit, code) in [
        ("relative", 2, "usage"),
        ("/home/admin/ws", 2, "usage"),
        ("/data/there", 4, "path_occupied"),
        (&format!("{from}/below"), 4, "path_occupied"),
        ("/srv/agent-workspace", 4, "path_occupied"),
        ("/none/ws", 9, "unsupported"),
        ("/open/ws", 9, "unsupported"),
    ] {
        world.fails(&format!("rehome --backend vm task --to {to}"), exit, code);
    }
    assert_eq!(world.ok(&format!("rehome --backend vm task --to {from}")).at("/changed"), false);
    world.does(&made, "sleep 600 >/dev/null 2>&1 &");
    let busy = world.fails("rehome --backend vm task --to /data/task", 4, "wrong_state");
    assert!(busy.text("/error/hint").contains("agent-workspace stop"), "{busy:?}");
    world.ok("stop --backend vm task");

    let moved = world.ok("rehome --backend vm task --to /data/task");
    assert_eq!(
        (moved.at("/changed"), moved.text("/from"), moved.text("/path")),
        (&json!(true), from, "/data/task/work")
    );
    assert_eq!(world.machine.run("ls -A /srv/agent-workspace/workspaces; ls -A /data"), "task\nthere");
    world.ok("start --backend vm task");
    let described = world.ok("describe --backend vm task");
    assert_eq!(described.text("/workspace/path"), "/data/task/work");
    let said = world.does(
        &described,
        "pwd; cat a/file ~/kept; stat -c %h a/file; echo $HOME $TMPDIR $WORD; echo ~ws--task; which sh",
    );
    assert_eq!(said, "/data/task/work\nx\ny\n2\n/data/task/home /data/task/tmp kept\n/data/task/home\n/usr/bin/sh");
    assert_eq!(world.ok("repair --backend vm task").at("/changed"), false);

    // One that is killed in the middle leaves it where it was, and the rest goes with the next command.
    world.machine.run(
        "dpkg-divert --local --rename --add /usr/bin/sha256sum >/dev/null && \
         printf '#!/bin/sh\nwhile [ ! -e /go ]; do sleep 0.1; done\nexec /usr/bin/sha256sum.distrib\n' \
         >/usr/bin/sha256sum && chmod 755 /usr/bin/sha256sum",
    );
    let mut child = world.launcher("rehome --backend vm task --to /data/other").spawn();
    until("it is copied", || world.machine.run("ls -A /data").contains(".agent-workspace-"));
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    world.machine.run("touch /go");
    until("the copy is whole", || world.machine.run("ls -A /data").contains("other"));
    assert_eq!(world.does(&world.ok("describe --backend vm task"), "cat a/file"), "x");
    assert_eq!(changed(&world.ok("repair --backend vm task")), ["move"]);
    assert_eq!(world.machine.run("ls -A /data"), "task\nthere");

    // One that is asked to end takes the copy back.
    world.machine.run("rm /go");
    let child = world.launcher("rehome --backend vm task --to /data/other").spawn();
    until("it is copied", || world.machine.run("ls -A /data").contains(".agent-workspace-"));
    signalled(&child, "-INT");
    std::thread::sleep(Duration::from_secs(1));
    world.machine.run("touch /go");
    let _ = Ran::of(child).expect(130);
    assert_eq!(world.machine.run("ls -A /data"), "task\nthere");
    assert_eq!(world.does(&world.ok("describe --backend vm task"), "cat a/file"), "x");
    world.ok("rm --backend vm --force task");
    assert_eq!(world.machine.run("ls -A /data"), "there");
    assert_eq!(world.left(), "");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn vs_code_gets_a_file_that_goes_with_the_workspace_and_ssh_gets_in_by_its_name() {
    let world = World::new();
    let folder = world.machines.folder().join("code");
    let file = folder.join("agent-ws-task.code-workspace");
    let create = format!("create --vm dev --no-clone --name task --code-workspace {}", folder.display());
    let refused = world.fails(&create.replace("--vm dev", "--backend host"), 9, "unsupported");
    assert_eq!(refused.text("/error/details/flag"), "--code-workspace");
    let made = world.ok(&create);
    assert_eq!(made.text("/code_workspace"), file.display().to_string());
    let uri = || {
        let text = std::fs::read_to_string(&file).expect("a file");
        text_of(&serde_json::from_str::<Value>(&text).expect("JSON"), "/folders/0/uri")
    };
    let begins = "vscode-remote://ssh-remote+awvm--dev";
    assert_eq!(uri(), format!("{begins}/srv/agent-workspace/workspaces/agent-ws-task/work"));

    // By that name the user's own ssh gets in, and may write there; what it has for other hosts stays.
    let config = world.machines.folder().join("config.toml");
    let configured = |line: &str| world.launcher(line).env("AGENT_WORKSPACE_CONFIG", &config).run().expect(0);
    let usual = std::fs::read_to_string(world.machines.folder().join("ssh_config")).expect("a file");
    let names = world.machines.folder().join("names");
    std::fs::write(&names, &usual).expect("a file");
    let ssh = |words: &[&str]| run_with_input(Command::new("ssh").arg("-F").arg(&names).args(words), "").expect(0);
    for beside in [false, true] {
        let says = format!("[operator]\nssh_config = {names:?}\nssh_config_dir = {beside}\n");
        std::fs::write(&config, says).expect("a file");
        let _ = configured("vm ssh-config --install");
        let _ = ssh(&["awvm--dev", "touch", &format!("{}/{beside}", made.text("/path"))]);
        assert!(ssh(&["-G", "another.example.org"]).stdout.contains("\nuser admin\n"), "{beside}");
    }
    let _ = configured("vm ssh-config --uninstall");
    assert_eq!(std::fs::read_to_string(&names).expect("a file"), usual);

    world.machine.run("mkdir -m 0711 /data");
    world.ok("rehome --backend vm task --to /data/task");
    assert_eq!(uri(), format!("{begins}/data/task/work"));

    // A move that is killed once it was written down is brought to its end by a repair, with the file.
    assert_eq!(world.ok("repair --backend vm task").at("/changed"), false);
    world.machine.run(&HANG.replace("useradd", "usermod"));
    let at_work = || !world.machine.run("grep -lx usermod /proc/[0-9]*/comm 2>/dev/null || true").is_empty();
    let mut child = world.launcher("rehome --backend vm task --to /data/other").spawn();
    until("the user's home is being moved", at_work);
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    assert_eq!(uri(), format!("{begins}/data/task/work"));
    world.machine.run("touch /go");
    until("the user's home was moved", || !at_work());
    let mended = changed(&world.ok("repair --backend vm task"));
    assert_eq!(
        (mended.last().map(String::as_str), uri()),
        (Some("code_workspace"), format!("{begins}/data/other/work"))
    );
    assert_eq!(world.ok("repair --backend vm task").at("/changed"), false);
    world.ok("rm --backend vm --force task");
    assert!(!file.exists());

    // What is somebody else's stays, and is no failure.
    std::fs::write(&file, "mine").expect("a file");
    let made = world.ok(&create);
    assert_eq!((made.warnings(), made.at("/code_workspace")), (vec!["code_workspace_failed"], &Value::Null));
    world.ok("rm --backend vm --force task");
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), "mine");

    // The configuration says the folder and what the names begin with, and the path is said to people too.
    std::fs::remove_file(&file).expect("a file");
    let says =
        format!("[operator]\nssh_host_prefix = \"my-\"\n\n[paths]\nvscode_workspaces = \"{}\"\n", folder.display());
    std::fs::write(&config, says).expect("a file");
    let made = configured("create --vm dev --no-clone --name task");
    assert!(made.stderr.contains(&format!("code workspace: {}\n", file.display())), "{}", made.stderr);
    assert_eq!(made.document().text("/code_workspace"), file.display().to_string());
    assert!(uri().starts_with("vscode-remote://ssh-remote+my-dev/srv/"), "{}", uri());
    assert_eq!(configured("vm ssh-config").document().text("/hosts/0/alias"), "my-dev");
    let _ = configured("rm --backend vm --force task");
    assert!(!file.exists());

    // It goes with the VM too.
    let _ = configured("create --vm dev --no-clone --name task");
    assert!(file.exists());
    let _ = configured("vm delete --force dev");
    assert!(!file.exists());
}

fn text_of(value: &Value, at: &str) -> String {
    value.pointer(at).map(text).unwrap_or_default()
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_vm_that_falls_silent_in_the_middle_of_a_create_is_given_up_and_the_rest_is_known() {
    let world = World::new();
    world.machine.run(HANG);
    let child = world.launcher("create --vm dev --no-clone --name task").spawn();
    until("the user is being made", || {
        !world.machine.run("grep -lx useradd /proc/[0-9]*/comm 2>/dev/null || true").is_empty()
    });
    assert_eq!(try_docker(["pause", &world.machine.container]).code, 0);
    let since = Instant::now();
    let ended = Ran::of(child).expect(7).document();
    assert_eq!((ended.error_code(), ended.at("/error/retryable")), ("host_unreachable", &json!(true)));
    assert!(since.elapsed() < Duration::from_secs(120), "{:?}", since.elapsed());
    assert_eq!(
        ended.text("/error/details/left_behind/0").split(':').next(),
        Some("what was made for workspace agent-ws-task")
    );
    let listed = world.ok("ls --backend vm");
    assert_eq!(listed.text("/workspaces/0/problems/0/code"), "cut_off");
    assert_eq!(try_docker(["unpause", &world.machine.container]).code, 0);
    world.machine.run("touch /go");
    world.ok("rm --backend vm task");
    assert_eq!(world.rows(), []);
    assert_eq!(world.left(), "");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_workspace_of_another_launcher_keeps_its_user_wherever_it_was_moved_to() {
    let world = World::new();
    let theirs = world.machines.folder().join("theirs");
    let other = |line: &str| world.launcher(line).env("AGENT_WORKSPACE_STATE_DIR", &theirs).run();
    let _ = other(&format!("vm create dev --host admin@{} --accept-new-host-key", world.machine.address)).expect(0);
    // One of the other's is lost, and one of ours comes to have its name.
    let _ = other("create --vm dev --no-clone --name task").expect(0);
    let folder = "/srv/agent-workspace/workspaces/agent-ws-task";
    world.machine.run(&format!("rm -r {folder}; userdel ws--task; mkdir -m 0711 /data"));
    world.ok("create --vm dev --no-clone --name task");
    let moved = world.ok("rehome --backend vm task --to /data/task");
    world.does(&world.ok("describe --backend vm task"), "echo mine >file; sleep 600 >/dev/null 2>&1 &");
    assert_eq!(moved.text("/path"), "/data/task/work");
    let whole = || {
        let there = "getent passwd ws--task | cut -d : -f 5-6; cat /data/task/work/file; grep -lx sleep /proc/[0-9]*/comm | wc -l";
        assert!(world.machine.run(there).ends_with(":/data/task/home\nmine\n1"), "{}", world.machine.run(there));
    };
    whole();
    let _ = other("stop --backend vm task").expect(1);
    whole();
    let _ = other("rm --backend vm --force task").expect(0);
    whole();
    assert_eq!(other("create --vm dev --no-clone --name task").expect(4).document().error_code(), "name_taken");
    whole();
    assert_eq!(other("ls --backend vm").expect(0).document().at("/workspaces"), &json!([]));
    world.machine.run(&format!("test ! -e {folder}"));
    assert_eq!(world.rows(), [row("task", "running")]);
    world.ok("rm --backend vm --force task");
    assert_eq!(world.left(), "");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn what_nothing_uses_on_a_vm_is_pruned_and_nothing_of_others_or_that_lives() {
    let world = World::new();
    let state = |text: &str| {
        let state = rusqlite::Connection::open(world.machines.state().join("state.db")).expect("a state file");
        state.execute_batch(text).expect("a change");
    };
    let made = world.ok("create --vm dev --no-clone --name lives");
    world.does(&made, "sleep 600 >/dev/null 2>&1 &");
    world.ok("create --vm dev --no-clone --name lost");
    world.does(&world.ok("create --vm dev --no-clone --name work"), "echo work >file");
    world.ok("create --vm dev --no-clone --name half");
    state(
        "DELETE FROM workspaces WHERE name IN ('agent-ws-lost', 'agent-ws-work'); \
           UPDATE workspaces SET state = 'creating' WHERE name = 'agent-ws-half';",
    );
    // Of a create that was killed, whose user another one has by now; and a workspace of another launcher.
    world.machine.run(
        "cd /srv/agent-workspace/workspaces && mkdir .new-0123456789abcdef && \
         sed 's/^create_id=.*/create_id=0123456789abcdef/' agent-ws-lives/record >.new-0123456789abcdef/record && \
         cp -a agent-ws-lost agent-ws-others && sed -i 's/^owner=.*/owner=another/' agent-ws-others/record",
    );
    let lives = || {
        let there = "ls -A /srv/agent-workspace/workspaces; grep -lx sleep /proc/[0-9]*/comm | wc -l";
        world.machine.run(there).replace('\n', " ")
    };
    let dry = world.ok("prune --backend vm --older-than 0 --dry-run");
    assert!(lives().contains(".new-0123456789abcdef"), "{dry:?}");
    let pruned = world.ok("prune --backend vm --older-than 0");
    assert_eq!(lives(), "agent-ws-lives agent-ws-others agent-ws-work 1", "{pruned:?}");
    assert!(pruned.text("/kept/0/why").contains("exists nowhere else"), "{pruned:?}");
    world.ok("prune --backend vm --older-than 0 --force");
    assert_eq!(lives(), "agent-ws-lives agent-ws-others 1");
    assert_eq!(world.machine.run("getent passwd | grep -c ^ws--"), "1");
    assert_eq!(world.rows(), [row("lives", "running")]);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn creates_at_once_on_one_vm_wait_for_one_another() {
    let world = World::new();
    let create = |number: usize| world.launcher(&format!("create --vm dev --no-clone --name w{number}")).spawn();
    let children: Vec<_> = (0..8).map(create).collect();
    for child in children {
        assert_eq!(Ran::of(child).expect(0).document().at("/created"), true);
    }
    assert_eq!(world.rows().len(), 8);
    let modes = world.machine.run("stat -c %a /srv/agent-workspace/workspaces/*/work | sort -u");
    assert_eq!(modes, "2770");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn who_is_denied_while_a_workspace_is_made_is_not_let_in() {
    let world = World::new();
    world.ok("agent create x --vm dev --grant-all");
    world.machine.run(HANG);
    let create = world.launcher("create --vm dev --no-clone --name task").spawn();
    until("the user is being made", || {
        !world.machine.run("grep -lx useradd /proc/[0-9]*/comm 2>/dev/null || true").is_empty()
    });
    let deny = world.launcher("workspace-grants deny x --all").spawn();
    std::thread::sleep(Duration::from_secs(3));
    world.machine.run("touch /go");
    let _ = Ran::of(create).expect(0);
    let _ = Ran::of(deny).expect(0);
    assert_eq!(world.machine.run("getent group ws--task | cut -d : -f 4"), "");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_tunnel_is_its_workspaces_own_and_ends_with_it() {
    let world = World::new();
    let standin = include_str!("../../fixtures/agent-image/code-standin");
    let mut put = Command::new("docker");
    put.args(["exec", "-i", &world.machine.container, "sh", "-c", "install -m 755 /dev/stdin /usr/local/bin/code"]);
    let _ = run_with_input(&mut put, standin).expect(0);
    for name in ["one", "two"] {
        world.ok(&format!("create --no-clone --name {name} --vm dev"));
    }
    let opened = world.ok("tunnel one --detach");
    assert_eq!((opened.text("/tunnel_name"), opened.at("/already_running")), ("one", &json!(false)));
    assert_eq!(opened.text("/login/code"), "1234-ABCD");
    assert!(opened.text("/log_path").starts_with("/srv/agent-workspace/workspaces/agent-ws-one/home/"), "{opened:?}");
    assert_eq!(world.ok("tunnel one --detach").at("/already_running"), true);
    assert_eq!(world.ok("tunnel two --detach").at("/already_running"), false, "that of another is not its own");

    let tunnels = || world.machine.run("ps -eo user:32,args | grep '[c]ode tunnel' | cut -d ' ' -f 1 | sort -u");
    assert_eq!(tunnels(), "ws--one\nws--two");
    world.ok("stop one");
    assert_eq!(tunnels(), "ws--two");
    world.ok("rm two --force");
    assert_eq!(tunnels(), "");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn who_was_let_into_a_workspace_that_is_gone_gets_into_no_later_one() {
    let world = World::new();
    world.ok("agent create claude --vm dev");
    let as_agent = |line: &str| {
        let mut command = Command::new("docker");
        command.args(["exec", &world.machine.container, "setpriv", "--reuid", "agt--claude", "--regid", "agt--claude"]);
        run_with_input(command.args(["--init-groups", "sh", "-c", line]), "")
    };
    let number = |group: &str| world.machine.run(&format!("getent group {group} | cut -d : -f 3"));
    let groups_of_all = || world.machine.run("cat /proc/[0-9]*/status 2>/dev/null | grep ^Groups: | tr '\\t ' '\\n'");
    world.ok("create --vm dev --no-clone --name first");
    world.ok("workspace-grants grant claude first");
    // A process that goes on, and a program that gives the group to whoever runs it.
    let key = "/home/agt--claude/key";
    let take = |group: &str| {
        let line = format!(
            "cp /bin/dash {key}; chgrp {group} {key} && chmod 2755 {key} || exit 1; sleep 600 >/dev/null 2>&1 &"
        );
        let _ = as_agent(&line).expect(0);
    };
    let try_second =
        || as_agent(&format!("{key} -p -c 'ls /srv/agent-workspace/workspaces/agent-ws-second/work'")).code;
    take("ws--first");
    let first = number("ws--first");
    assert!(groups_of_all().lines().any(|group| group == first), "the process has the group");
    // What would be the next one's who gets the number.
    world.machine.run(
        "mkdir -p /var/spool/cron/atjobs; cd /var/spool/cron/atjobs; echo id >job; chown ws--first job; \
         setpriv --reuid ws--first --regid ws--first --clear-groups sh -c \
         'echo x >/run/lock/first; ipcmk -M 100 >/dev/null; cp /bin/dash /tmp/as-first; chmod 4755 /tmp/as-first'; \
         mv /tmp/as-first /home/agt--claude/",
    );
    world.ok("rm --force first");
    assert_eq!(world.left(), "");
    let traces = "ls -d /var/spool/cron/atjobs/job /run/lock/first 2>/dev/null; sed 1d /proc/sysvipc/shm; \
                  find /home -perm /6000; true";
    assert_eq!(world.machine.run(traces), "");

    world.ok("create --vm dev --no-clone --name second");
    let second = number("ws--second");
    assert!(!groups_of_all().lines().any(|group| group == second), "nobody has the number of the new one");
    assert_eq!(try_second(), 2);

    // Nor into one that was kept, once it is made anew.
    world.ok("workspace-grants grant claude second");
    take("ws--second");
    assert_eq!(try_second(), 0);
    world
        .machine
        .run("cd /srv/agent-workspace/workspaces/agent-ws-second/work && echo x >file && chown ws--second: file");
    world.ok("rm --keep-volumes --force second");
    let again = world.ok("create --vm dev --no-clone --name second");
    assert_eq!(try_second(), 2);
    let now = number("ws--second");
    assert!(!groups_of_all().lines().any(|group| group == now), "{second} {now}");
    assert_eq!(world.does(&again, "cat file; stat -c %G file .; id -g"), format!("x\nws--second\nws--second\n{now}"));
    world.ok("rm --force second");
    assert_eq!(world.left(), "");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_workspace_is_removed_while_somebody_works_in_it() {
    let world = World::new();
    let made = world.ok("create --vm dev --no-clone --name busy");
    let work = made.text("/path");
    world.ok("agent create claude --vm dev");
    world.ok("workspace-grants grant claude busy");
    let busy = format!(
        "for n in 1 2 3 4; do setpriv --reuid agt--claude --regid agt--claude --init-groups sh -c \
         'n=0; while [ ! -e /tmp/stop ]; do n=$((n + 1)); : >{work}/$$.$n; done' >/dev/null 2>&1 & done"
    );
    world.machine.run(&busy);
    until("they work", || world.machine.run(&format!("ls {work} | head -n 9 | wc -l")) == "9");
    world.ok("rm --force busy");
    world.machine.run("touch /tmp/stop");
    assert_eq!(world.left(), "");
    assert_eq!(world.rows(), []);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn an_order_that_is_carried_out_late_makes_nothing_that_was_taken_back() {
    let world = World::new();
    // Somebody else's turn lasts long.
    let turn = "nohup flock /srv/agent-workspace/workspaces sleep 600 >/dev/null 2>&1 &";
    world.machine.run(turn);
    let process = |words: &str| world.machine.run(&format!("pgrep -f '^{words}' || true"));
    until("it is their turn", || !process("sleep 600").is_empty());
    let child = world.launcher("create --vm dev --no-clone --name late").spawn();
    until("the order waits", || !process("flock -w 60 9").is_empty());
    // It hangs there, and is faster nowhere.
    let waiting = process("flock -w 60 9");
    world.machine.run(&format!("kill -STOP {waiting} && pkill -f '^sleep 600'"));
    signalled(&child, "-INT");
    let ended = Ran::of(child).expect(130).document();
    assert_eq!(ended.text("/error/details/undone/0"), "what was made for workspace agent-ws-late");
    world.machine.run(&format!("kill -CONT {waiting}"));
    until("the order has ended", || process("flock -w 60 9").is_empty());
    until("nothing is at work", || world.machine.run("pgrep -f '[t]ake_turns' || true").is_empty());
    assert_eq!(world.left(), "");
    assert_eq!(world.rows(), []);
    assert_eq!(world.ok("create --vm dev --no-clone --name late").at("/created"), true);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn what_was_taken_back_on_a_vm_is_called_what_it_is_there() {
    let world = World::new();
    let made = world.ok("create --vm dev --no-clone --name odd");
    world.does(&made, "git init -q \"$(printf 'a\\nb')\"");
    let rescue = world.machines.folder().join("rescued");
    let refused = world.fails(&format!("rm odd --rescue {}", rescue.display()), 1, "rescue_failed");
    assert_eq!(refused.at("/error/details/undone"), &json!(["the look into agent-ws-odd"]));
}
