//! VMs: Debian machines in containers that are taken in, prepared, looked at and forgotten.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use agent_workspace_tests::live::{Machine, Machines, run_with_input, try_docker, until};
use agent_workspace_tests::{Document, Ran};
use serde_json::json;

fn ok(machines: &Machines, line: &str) -> Document {
    machines.launcher(line).run().expect(0).document()
}

fn fails(machines: &Machines, line: &str, exit: i32, code: &str) -> Document {
    let document = machines.launcher(line).run().expect(exit).document();
    assert_eq!(document.error_code(), code, "{document:?}");
    document
}

fn create(machines: &Machines, name: &str, machine: &Machine) -> Document {
    ok(machines, &format!("vm create {name} --platform ssh --host {} --accept-new-host-key", machine.address))
}

fn changed(document: &Document) -> Vec<(String, bool)> {
    let steps = document.at("/steps").as_array().expect("steps").iter();
    let pair = |step: &serde_json::Value| Some((step["step"].as_str()?.to_owned(), step["changed"].as_bool()?));
    steps.map(|step| pair(step).expect("a step")).collect()
}

/// Everything that lasts on a machine: names, owners, modes, and of files the sizes and times.
fn everything(machine: &Machine) -> String {
    machine.run(
        "find / -xdev \\( -path /proc -o -path /sys -o -path /tmp -o -path /run -o -path /dev \\) -prune -o \
         -type d -printf '%p %m %u:%g\\n' -o -printf '%p %y %m %u:%g %s %T@ %l\\n' | sort; getfacl -R /srv/agent-workspace 2>/dev/null; cat /etc/passwd /etc/group",
    )
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_machine_becomes_a_vm_and_is_forgotten_as_it_is() {
    let machines = Machines::new();
    let machine = machines.start("dev");
    fails(&machines, &format!("vm create dev --host {}", machine.address), 6, "host_key_unknown");
    assert_eq!(ok(&machines, "vm list").at("/vms").as_array().map(Vec::len), Some(0), "nothing is left of that");

    let made = create(&machines, "dev", &machine);
    assert_eq!(made.at("/created"), true);
    assert_eq!((made.text("/host_key/host"), made.text("/host_key/believed")), (machine.address.as_str(), "accepted"));
    let warned = made.at("/warnings").as_array().expect("warnings").iter();
    let warned: Vec<_> = warned.filter(|warning| warning["code"] == "host_key_accepted").collect();
    let fingerprint = made.text("/host_key/fingerprint");
    assert!(
        warned.len() == 1 && warned[0]["message"].as_str().is_some_and(|said| said.contains(fingerprint)),
        "{made:?}"
    );
    assert_eq!((made.text("/vm/architecture").len(), made.text("/vm/admin_user")), (5, "admin"));
    assert!(made.text("/vm/os").starts_with("Debian GNU/Linux 12"), "{made:?}");
    let expected = [("packages", true), ("folders", true), ("access_lists", false)];
    assert_eq!(changed(&made), expected.map(|(step, changed)| (step.to_owned(), changed)));
    machine.run("command -v tmux && command -v setfacl");
    assert_eq!(machine.run("stat -c %a:%U /srv/agent-workspace/workspaces"), "711:root");

    // Again it is there, and preparing it once more changes nothing on it.
    assert_eq!(create(&machines, "dev", &machine).at("/created"), false);
    let before = everything(&machine);
    let again = ok(&machines, "vm reinit dev");
    assert_eq!(again.at("/changed"), false);
    assert!(changed(&again).iter().all(|(_, changed)| !changed));
    let after = everything(&machine);
    for (before, after) in before.lines().zip(after.lines()) {
        assert_eq!(before, after);
    }
    assert_eq!(before, after);

    // What was taken away comes back.
    machine.run("chmod 777 /srv/agent-workspace/workspaces && apt-get -qq purge -y acl 2>/dev/null");
    let mended = ok(&machines, "vm reinit dev");
    assert_eq!(changed(&mended), expected.map(|(step, changed)| (step.to_owned(), changed)));
    assert_eq!(machine.run("stat -c %a:%U /srv/agent-workspace/workspaces"), "711:root");

    let described = ok(&machines, "vm describe dev");
    assert_eq!(described.text("/vm/status"), "running");
    for value in ["cpus", "memory_total_bytes", "memory_available_bytes", "disk_total_bytes", "uptime_ms"] {
        assert!(described.at(&format!("/live/{value}")).as_u64() > Some(0), "{value}: {described:?}");
    }
    let events = described.at("/events").as_array().expect("events");
    let events: Vec<_> = events.iter().rev().filter_map(|event| event["event"].as_str()).collect();
    let expected =
        ["provisioning_started", "provisioning_complete", "initialization_started", "initialization_complete"];
    assert_eq!(events[..4], expected, "{events:?}");

    // The way in, as data.
    let words = described.at("/transport/exec").as_array().expect("words").iter();
    let words: Vec<&str> = words.filter_map(|word| word.as_str()).collect();
    let mut command = std::process::Command::new(machines.folder().join("bin").join(words[0]));
    command.args(&words[1..]).arg("sh -c 'id -un; pwd; echo \"it'\\''s\"'");
    assert_eq!(run_with_input(&mut command, "").expect(0).stdout, "admin\n/home/admin\nit's\n");

    assert_eq!(ok(&machines, "vm start dev").at("/changed"), false);
    fails(&machines, "vm stop dev", 9, "unsupported");
    let deleted = ok(&machines, "vm delete dev");
    assert_eq!((deleted.at("/changed"), deleted.at("/machine_deleted")), (&true.into(), &false.into()));
    machine.run("test -d /srv/agent-workspace/workspaces");
    fails(&machines, "vm describe dev", 3, "vm_not_found");
    let left: Vec<_> = std::fs::read_dir(machines.state()).expect("the state").collect();
    assert_eq!(left.len(), 1, "only the state file: {left:?}");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn who_logs_in_may_be_root_or_talkative_and_must_be_able_to_become_root() {
    let machines = Machines::new();
    let machine = machines.start("dev");
    let at = |user: &str| format!("vm create dev --host {user}@{} --accept-new-host-key", machine.address);
    let refused = fails(&machines, &at("nobody-special"), 9, "vm_unsuitable");
    assert_eq!(refused.at("/error/details/undone/0"), "the record of VM dev");
    fails(&machines, &at("stranger"), 6, "ssh_auth_failed");
    assert_eq!(ok(&machines, "vm list").at("/vms").as_array().map(Vec::len), Some(0));
    for user in ["talkative", "root"] {
        let made = ok(&machines, &at(user));
        assert_eq!((made.at("/created"), made.text("/vm/admin_user")), (&true.into(), user));
        assert_eq!(ok(&machines, "vm describe dev").text("/vm/status"), "running");
        ok(&machines, "vm delete dev");
    }
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn one_machine_is_one_vm_and_one_name_one_machine() {
    let machines = Machines::new();
    let (one, two) = (machines.start("one"), machines.start("two"));
    create(&machines, "one", &one);
    let refused = fails(&machines, &format!("vm create again --host root@{}", one.address), 4, "vm_exists");
    assert_eq!(refused.text("/error/details/vm"), "one");
    fails(&machines, &format!("vm create one --host {}", two.address), 4, "vm_exists");
    assert_eq!(ok(&machines, "vm list").at("/vms").as_array().map(Vec::len), Some(1));

    // By the name of a VM host.
    ok(&machines, &format!("vm-host add box {} --accept-new-host-key", two.address));
    ok(&machines, "vm create two --host box");
    assert_eq!(ok(&machines, "vm-host list").text("/vm_hosts/0/vms/0"), "two");
    fails(&machines, "vm-host remove box", 4, "vm_host_in_use");
    assert_eq!(ok(&machines, "vm-host remove box --force").text("/detached_vms/0"), "two");
    assert!(ok(&machines, "vm describe two").at("/vm/vm_host").is_null());
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_machine_that_hangs_holds_up_nobody_who_is_asked_beside_it() {
    let machines = Machines::new();
    let all = ["one", "two", "three"].map(|name| (name, machines.start(name)));
    let making: Vec<_> = all
        .iter()
        .map(|(name, machine)| {
            let line = format!("vm create {name} --host {} --accept-new-host-key", machine.address);
            machines.launcher(&line).spawn()
        })
        .collect();
    for child in making {
        assert_eq!(Ran::of(child).expect(0).document().at("/created"), true);
    }
    assert_eq!(try_docker(["pause", &all[1].1.container]).code, 0);
    let since = Instant::now();
    let listed = ok(&machines, "vm list --live");
    assert!(since.elapsed() < Duration::from_secs(25), "{:?}", since.elapsed());
    let rows = listed.at("/vms").as_array().expect("rows");
    let states: Vec<_> = rows.iter().filter_map(|row| Some((row["vm"].as_str()?, row["status"].as_str()?))).collect();
    assert_eq!(states, [("one", "running"), ("three", "running"), ("two", "unreachable")]);
    assert_eq!(listed.text("/vms/2/problems/0/code"), "host_unreachable", "and it says why");
    let described = ok(&machines, "vm describe two");
    assert!(described.at("/live").is_null() && described.text("/vm/status") == "unreachable");
    fails(&machines, "vm reinit two", 7, "host_unreachable");
    fails(&machines, "vm start two", 9, "unsupported");
    assert_eq!(try_docker(["unpause", &all[1].1.container]).code, 0);
    assert_eq!(ok(&machines, "vm reinit two").at("/changed"), false);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_step_that_fails_leaves_a_vm_that_can_be_mended() {
    let machines = Machines::new();
    let machine = machines.start("dev");
    machine.run("touch /srv/agent-workspace");
    let line = format!("vm create dev --host {} --accept-new-host-key", machine.address);
    let failed = fails(&machines, &line, 1, "guest_failed");
    assert_eq!((failed.text("/error/details/step"), failed.text("/error/details/vm")), ("folders", "dev"));
    let listed = ok(&machines, "vm list");
    assert_eq!(listed.text("/vms/0/initialization"), "failed");
    assert_eq!(listed.text("/vms/0/problems/0/code"), "not_initialized");
    let logs = ok(&machines, "vm logs dev");
    let logs = logs.at("/logs").as_array().expect("logs");
    let steps: Vec<_> = logs.iter().filter_map(|log| Some((log["part"].as_str()?, log["step"].as_str()?))).collect();
    let expected = [
        ("provisioning", "facts"),
        ("provisioning", "mark"),
        ("initialization", "packages"),
        ("initialization", "folders"),
    ];
    assert_eq!(steps, expected);
    assert_eq!(logs[3]["text"], "/srv/agent-workspace is there and is no folder\n");
    assert!(logs[2]["text"].as_str().is_some_and(|said| said.contains("tmux")), "what apt said: {logs:?}");
    let last = ok(&machines, "vm logs dev --lines 1");
    assert_eq!(last.at("/logs").as_array().map(Vec::len), Some(1));
    machine.run("rm /srv/agent-workspace");
    assert_eq!(ok(&machines, &line).at("/created"), false);
    assert_eq!(ok(&machines, "vm list").text("/vms/0/initialization"), "complete");
    let newest = ok(&machines, "vm logs dev");
    assert!(newest.at("/logs").as_array().is_some_and(|logs| logs.iter().all(|log| log["part"] == "initialization")));
    assert_eq!(ok(&machines, "vm logs dev --all").at("/logs").as_array().map(Vec::len), Some(4 + 3));

    // Another machine at the address is not taken for it.
    assert_eq!(ok(&machines, "vm describe dev").at("/vm/problems").as_array().map(Vec::len), Some(0));
    for other in ["echo another >/etc/agent-workspace/machine-id", "rm /etc/agent-workspace/machine-id"] {
        machine.run(other);
        let described = ok(&machines, "vm describe dev");
        assert_eq!((described.text("/vm/status"), described.text("/vm/problems/0/code")), ("running", "other_machine"));
    }
    ok(&machines, "vm delete dev");
    fails(&machines, "vm logs dev", 3, "vm_not_found");
}

/// Makes the first step hang where it looks.
const HANG: &str =
    "printf '#!/bin/sh\\nsleep 600\\n' >/usr/local/sbin/dpkg-query && chmod +x /usr/local/sbin/dpkg-query";

/// Whether somebody is preparing the first VM.
fn is_prepared(machines: &Machines) -> bool {
    let listed = ok(machines, "vm list");
    let at_work = |row: &serde_json::Value| row["initialization"] == "in_progress" && row["problems"] == json!([]);
    listed.at("/vms").as_array().is_some_and(|rows| rows.iter().any(at_work))
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_machine_that_falls_silent_in_the_middle_is_given_up_and_gone_on_with() {
    let machines = Machines::new();
    let machine = machines.start("dev");
    machine.run(HANG);
    let line = format!("vm create dev --host {} --accept-new-host-key", machine.address);
    let child = machines.launcher(&line).spawn();
    until("it is at work", || is_prepared(&machines));
    assert_eq!(try_docker(["pause", &machine.container]).code, 0);
    let since = Instant::now();
    let ended = Ran::of(child).expect(7).document();
    assert_eq!((ended.error_code(), ended.at("/error/retryable")), ("host_unreachable", &true.into()));
    assert!(since.elapsed() < Duration::from_secs(90), "{:?}", since.elapsed());
    assert_eq!(ok(&machines, "vm list").text("/vms/0/problems/0/code"), "not_initialized");
    assert_eq!(try_docker(["unpause", &machine.container]).code, 0);
    // What was begun there may still run; what it waits for does not.
    machine.run("rm /usr/local/sbin/dpkg-query");
    assert_eq!(ok(&machines, &line).text("/vm/initialization"), "complete");
    assert_eq!(try_docker(["restart", "-t", "1", &machine.container]).code, 0);
    until("it is back", || machines.launcher("vm reinit dev").run().code == 0);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_preparation_that_is_cut_off_is_gone_on_with() {
    let machines = Machines::new();
    let machine = machines.start("dev");
    let line = format!("vm create dev --host {} --accept-new-host-key", machine.address);
    let prepared = || is_prepared(&machines);
    machine.run(HANG);
    let child = machines.launcher(&line).spawn();
    until("it is at work", prepared);
    let process = child.id().to_string();
    assert_eq!(run_with_input(std::process::Command::new("kill").args(["-TERM", &process]), "").code, 0);
    let ended = Ran::of(child).expect(143).document();
    assert_eq!(ended.text("/error/details/phase"), "initialize");
    assert_eq!(ok(&machines, "vm list").text("/vms/0/problems/0/code"), "not_initialized");

    let mut child = machines.launcher("vm reinit dev").spawn();
    until("it is at work", prepared);
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let listed = ok(&machines, "vm list");
    assert_eq!(listed.text("/vms/0/problems/0/code"), "cut_off");
    assert!(listed.text("/vms/0/problems/0/hint").contains("vm reinit dev"), "{listed:?}");

    machine.run("rm /usr/local/sbin/dpkg-query");
    let made = ok(&machines, &line);
    assert_eq!((made.at("/created"), made.text("/vm/initialization")), (&false.into(), "complete"));
    assert_eq!(made.at("/vm/problems").as_array().map(Vec::len), Some(0));
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_create_that_is_killed_leaves_a_row_that_says_so_and_one_that_is_asked_to_end_leaves_none() {
    let machines = Machines::new();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let line = format!("vm create dev --host 127.0.0.1:{}", silent.local_addr().expect("an address").port());
    let in_progress = || {
        let listed = ok(&machines, "vm list");
        listed.at("/vms").as_array().is_some_and(|rows| rows.iter().any(|row| row["provisioning"] == "in_progress"))
    };

    let mut child = machines.launcher(&line).spawn();
    until("it is written down", in_progress);
    assert_eq!(ok(&machines, "vm list").at("/vms/0/problems").as_array().map(Vec::len), Some(0), "it is at work");
    fails(&machines, &line, 4, "vm_busy");
    fails(&machines, "vm delete dev", 4, "vm_busy");
    fails(&machines, "vm start dev", 4, "vm_busy");
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    assert_eq!(ok(&machines, "vm list").text("/vms/0/problems/0/code"), "cut_off");
    fails(&machines, "vm reinit dev", 4, "vm_not_ready");
    assert_eq!(ok(&machines, "vm describe dev").text("/vm/status"), "unknown");
    // Going on with it fails for a reason, which stays.
    fails(&machines, &line, 7, "host_unreachable");
    assert_eq!(ok(&machines, "vm list").text("/vms/0/provisioning"), "failed");
    assert_eq!(ok(&machines, "vm delete dev").at("/changed"), true);

    let child = machines.launcher(&line).spawn();
    until("it is written down", in_progress);
    let process = child.id().to_string();
    assert_eq!(run_with_input(std::process::Command::new("kill").args(["-TERM", &process]), "").code, 0);
    let ended = Ran::of(child).expect(143).document();
    assert_eq!(ended.at("/error/details/undone/0"), "the record of VM dev");
    assert_eq!(ok(&machines, "vm list").at("/vms").as_array().map(Vec::len), Some(0));
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_vm_is_prepared_by_its_template_as_that_is_then() {
    let machines = Machines::new();
    let machine = machines.start("dev");
    let config = machines.folder().join("config.toml");
    let says = |apt: &str| {
        let text = format!("[vm_templates.base]\napt = [\"{apt}\"]\n[vm_templates.big]\ninherits = [\"base\"]\n");
        std::fs::write(&config, text).expect("a file");
    };
    let run = |line: &str| machines.launcher(line).env("AGENT_WORKSPACE_CONFIG", &config).run();
    says("no-such-package-anywhere");
    let create = format!("vm create dev --host {} --accept-new-host-key", machine.address);
    let absent = run(&format!("{create} --template nosuch")).expect(3).document();
    assert_eq!(absent.error_code(), "template_not_found");
    assert_eq!(run("vm list").expect(0).document().at("/vms"), &json!([]), "and nothing is left of that");
    let failed = run(&format!("{create} --template big")).expect(1).document();
    assert_eq!((failed.error_code(), failed.text("/error/details/step")), ("guest_failed", "packages"));
    assert_eq!(run("vm describe dev").expect(0).document().text("/vm/template"), "big");

    // What is in it now is what counts, and it need not be said again.
    says("bash");
    let mended = run("vm reinit dev").expect(0).document();
    assert_eq!((mended.text("/vm/template"), mended.at("/changed")), ("big", &true.into()));
    assert_eq!(run(&create).expect(0).document().at("/created"), false);
    let other = run(&format!("{create} --template default")).expect(4).document();
    assert!(other.text("/error/hint").contains("vm reinit dev --template default"), "{other:?}");
    assert_eq!(
        run("vm reinit dev --template default").expect(0).document().at("/vm/template"),
        &serde_json::Value::Null
    );

    run("vm reinit dev --template base").expect(0).document();
    std::fs::write(&config, "").expect("a file");
    let gone = run("vm reinit dev").expect(3).document();
    assert_eq!(gone.error_code(), "template_not_found");
}
