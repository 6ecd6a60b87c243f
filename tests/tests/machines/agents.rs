//! Agents: users of a VM with homes of their own, who enter the workspaces that they are granted and nothing else.

use std::path::Path;

use agent_workspace_tests::live::{Machine, Machines, run_with_input, try_docker, until};
use agent_workspace_tests::{Document, Ran};
use serde_json::{Value, json};

fn ok(machines: &Machines, line: &str) -> Document {
    machines.launcher(line).run().expect(0).document()
}

fn fails(machines: &Machines, line: &str, exit: i32, code: &str) -> Document {
    let document = machines.launcher(line).run().expect(exit).document();
    assert_eq!(document.error_code(), code, "{document:?}");
    document
}

/// A VM, prepared.
fn vm(machines: &Machines, name: &str) -> Machine {
    let machine = machines.start_with_disk(name);
    ok(machines, &format!("vm create {name} --host {} --accept-new-host-key", machine.address));
    machine
}

/// Changes what is remembered, by hand.
fn remember(machines: &Machines, text: &str) {
    let state = rusqlite::Connection::open(machines.state().join("state.db")).expect("a state file");
    state.busy_timeout(std::time::Duration::from_secs(20)).expect("a setting");
    state.execute_batch(&format!("PRAGMA foreign_keys = ON; {text}")).expect("a change");
}

/// A workspace as it is on a VM: its user and group, its folders, and what is remembered of it.
fn workspace(machines: &Machines, vm: &str, machine: &Machine, name: &str) {
    let folder = format!("/srv/agent-workspace/workspaces/agent-ws-{name}");
    machine.run(&format!(
        "set -e; useradd -r -U -M -s /bin/sh -d {folder}/home ws--{name}
         mkdir {folder}; chown root:ws--{name} {folder}; chmod 750 {folder}; setfacl -m u:admin:rx {folder}
         for part in work home tmp; do mkdir {folder}/$part; chown ws--{name}:ws--{name} {folder}/$part; done
         chmod 700 {folder}/home {folder}/tmp; chmod 2770 {folder}/work
         setfacl -m u:admin:rwx -m d:u:admin:rwx,d:g::rwx,d:m::rwx,d:o::--- {folder}/work"
    ));
    remember(
        machines,
        &format!(
            "INSERT INTO workspaces (name, vm, create_id, state, folder, linux_user, spec, created_at) VALUES
             ('agent-ws-{name}', '{vm}', 'test-{name}', 'ready', '{folder}', 'ws--{name}', '{{}}', '2026-01-01T00:00:00Z')"
        ),
    );
}

/// The work folder of a workspace.
fn work(name: &str) -> String {
    format!("/srv/agent-workspace/workspaces/agent-ws-{name}/work")
}

/// Runs a shell's line as a user in a fresh login, to this end.
fn try_as(machine: &Machine, user: &str, line: &str) -> Ran {
    try_docker(["exec", &machine.container, "su", "-s", "/bin/sh", "-", user, "-c", line])
}

fn run_as(machine: &Machine, user: &str, line: &str) -> String {
    try_as(machine, user, line).expect(0).stdout.trim_end().to_owned()
}

fn refused(machine: &Machine, user: &str, line: &str) {
    let ran = try_as(machine, user, line);
    assert_ne!(ran.code, 0, "{user} could {line}: {}", ran.stdout);
}

/// The agents among the members of a workspace's group.
fn members(machine: &Machine, name: &str) -> Vec<String> {
    let line = machine.run(&format!("getent group ws--{name} | cut -d: -f4"));
    let mut members: Vec<_> = line.trim().split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    members.sort();
    members
}

/// The names of the workspaces that an agent may enter, with why.
fn grants(document: &Document) -> Vec<(String, Vec<String>)> {
    let words = |value: &Value| value.as_str().expect("a word").to_owned();
    let grant = |grant: &Value| {
        (words(&grant["workspace"]), grant["kinds"].as_array().expect("kinds").iter().map(words).collect())
    };
    document.at("/grants").as_array().expect("grants").iter().map(grant).collect()
}

fn kinds(pairs: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    pairs.iter().map(|(name, kinds)| ((*name).to_owned(), owned(kinds))).collect()
}

/// Everything that lasts on a machine: names, owners, modes, and of files the sizes and times.
fn everything(machine: &Machine) -> String {
    machine.run(
        "find / /srv/agent-workspace -xdev \\( -path /proc -o -path /sys -o -path /tmp -o -path /run -o -path /dev \\) -prune -o \
         -type d -printf '%p %m %u:%g\\n' -o -printf '%p %y %m %u:%g %s %T@ %l\\n' | sort; \
         getfacl -R /srv/agent-workspace 2>/dev/null; cat /etc/passwd /etc/group",
    )
}

fn same(before: &str, after: &str) {
    for (before, after) in before.lines().zip(after.lines()) {
        assert_eq!(before, after);
    }
    assert_eq!(before, after);
}

/// What a machine has of an agent.
fn traces(machine: &Machine, name: &str) -> String {
    machine.run(&format!(
        "grep -h agt--{name} /etc/passwd /etc/group /etc/shadow /etc/gshadow /etc/subuid /etc/subgid;
         find / -xdev \\( -path /proc -o -path /sys \\) -prune -o -name '*agt--{name}*' -print; true"
    ))
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn an_agent_is_a_user_with_a_home_of_its_own_and_no_way_to_more() {
    let machines = Machines::new();
    let machine = vm(&machines, "dev");
    let made = ok(&machines, "agent create claude");
    assert_eq!((made.at("/created"), made.text("/agent/vm")), (&true.into(), "dev"));
    assert_eq!((made.text("/agent/user"), made.text("/agent/status")), ("agt--claude", "ready"));
    assert_eq!(made.text("/agent/shell"), "/bin/bash");
    assert_eq!(machine.run("stat -c '%a %U %G' /home/agt--claude"), "700 agt--claude agt--claude");
    assert_eq!(run_as(&machine, "agt--claude", "id -Gn"), "agt--claude");
    assert_eq!(run_as(&machine, "agt--claude", "ls -A ~ | grep -c bashrc"), "1", "with the skeleton");
    machine.run("getent shadow agt--claude | cut -d: -f2 | grep -q '^!'");
    refused(&machine, "agt--claude", "sudo -n true");
    for user in ["agt--claude", "nobody-special"] {
        refused(&machine, user, "ls /srv/agent-workspace/workspaces");
    }
    ok(&machines, "agent create other");
    run_as(&machine, "agt--claude", "echo mine >~/file");
    for user in ["agt--other", "nobody-special"] {
        refused(&machine, user, "cat /home/agt--claude/file");
        refused(&machine, user, "ls /home/agt--claude");
    }

    // Again it is there, and what is asked for otherwise is said.
    let again = ok(&machines, "agent create claude --shell dash --grant-all");
    assert_eq!((again.at("/created"), again.warnings()), (&false.into(), vec!["agent_differs", "agent_differs"]));
    let listed = ok(&machines, "agent list");
    let names: Vec<_> = listed.at("/agents").as_array().expect("agents").iter().map(|row| &row["agent"]).collect();
    assert_eq!(names, ["claude", "other"]);
    assert_eq!(ok(&machines, "agent list --vm dev").at("/agents").as_array().map(Vec::len), Some(2));
    fails(&machines, "agent list --vm nosuch", 3, "vm_not_found");
    assert_eq!(ok(&machines, "agent describe claude").text("/agent/created_at"), made.text("/agent/created_at"));
    fails(&machines, "agent describe nosuch", 3, "agent_not_found");

    // A VM with agents is not forgotten by accident.
    let listed = ok(&machines, "vm list");
    assert_eq!((listed.at("/vms/0/agents"), listed.at("/vms/0/workspaces")), (&2.into(), &0.into()));
    assert_eq!(ok(&machines, "vm describe dev").at("/agents"), &json!(["claude", "other"]));
    let in_use = fails(&machines, "vm delete dev", 4, "vm_in_use");
    assert_eq!(in_use.at("/error/details/agents"), &json!(["claude", "other"]));
    let first = "agent-workspace agent delete claude; agent-workspace agent delete other; or ";
    assert!(in_use.text("/error/hint").contains(first), "{in_use:?}");
    let deleted = ok(&machines, "vm delete dev --force");
    assert_eq!(deleted.at("/forgotten_agents"), &json!(["claude", "other"]));
    machine.run("id agt--claude");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn where_an_agent_goes_must_be_clear_and_what_is_not_ours_is_left_alone() {
    let machines = Machines::new();
    fails(&machines, "agent create a", 3, "vm_not_found");
    let one = vm(&machines, "one");
    let two = vm(&machines, "two");
    let several = fails(&machines, "agent create a", 2, "input_required");
    assert_eq!(several.at("/error/details/vms"), &json!(["one", "two"]));
    fails(&machines, "agent create a --vm three", 3, "vm_not_found");
    fails(&machines, &format!("agent create {} --vm one", "a".repeat(28)), 2, "invalid_name");
    let longest = "a".repeat(27);
    ok(&machines, &format!("agent create {longest} --vm one"));
    one.run(&format!("id agt--{longest}"));
    let elsewhere = fails(&machines, &format!("agent create {longest} --vm two"), 4, "agent_exists");
    assert!(elsewhere.text("/error/message").contains("VM one"));

    // A shell that is not there is told of before anything is made.
    let before = everything(&two);
    let no_shell = fails(&machines, "agent create b --vm two --shell zsh", 3, "shell_not_found");
    assert!(no_shell.text("/error/causes/0").contains("/bin/bash"), "{no_shell:?}");
    same(&before, &everything(&two));
    assert_eq!(ok(&machines, "agent list --vm two").at("/agents"), &json!([]));
    assert_eq!(ok(&machines, "agent create b --vm two --shell dash").text("/agent/shell"), "/bin/dash");

    // Somebody's own user of that name.
    two.run("useradd -m agt--mine; touch /home/agt--mine/file; mkdir /home/agt--folder");
    for name in ["mine", "folder"] {
        let taken = fails(&machines, &format!("agent create {name} --vm two"), 4, "name_taken");
        assert_eq!(taken.at("/error/details/undone/0"), &format!("agent {name}"));
    }
    let row = "('mine', 'two', 'other', 'agt--mine', 'creating', '2026-01-01T00:00:00Z')";
    let columns = "name, vm, create_id, linux_user, state, created_at";
    remember(&machines, &format!("INSERT INTO agents ({columns}) VALUES {row}"));
    let forgotten = ok(&machines, "agent delete mine --force");
    assert_eq!((forgotten.at("/user_deleted"), forgotten.warnings()), (&false.into(), vec!["only_forgotten"]));
    assert_eq!(ok(&machines, "agent list --vm two").at("/agents").as_array().map(Vec::len), Some(1));
    two.run("test -e /home/agt--mine/file && test -d /home/agt--folder");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn who_is_admitted_works_with_the_others_and_nobody_else_reads_anything() {
    let machines = Machines::new();
    let machine = vm(&machines, "dev");
    workspace(&machines, "dev", &machine, "web");
    workspace(&machines, "dev", &machine, "api");
    for name in ["in", "too", "out"] {
        ok(&machines, &format!("agent create {name}"));
    }
    for name in ["in", "too"] {
        let granted = ok(&machines, &format!("workspace-grants grant {name} web"));
        assert_eq!(granted.at("/changed"), true);
        assert_eq!(grants(&granted), kinds(&[("agent-ws-web", &["explicit"])]));
    }
    assert_eq!(ok(&machines, "workspace-grants grant in web agent-ws-web").at("/changed"), false);
    assert_eq!(members(&machine, "web"), ["agt--in", "agt--too"]);

    let web = work("web");
    let (one, other, stranger) = ("agt--in", "agt--too", "nobody-special");
    run_as(&machine, one, &format!("cd {web}; mkdir d; echo 1 >d/file; echo secret >s"));
    run_as(&machine, other, &format!("cd {web}; echo 2 >>d/file; echo new >d/.t; mv d/.t d/atomic"));
    run_as(&machine, one, &format!("cd {web}; echo 3 >>d/atomic; echo x >t; mv t d/file"));
    assert_eq!(run_as(&machine, other, &format!("cat {web}/d/file {web}/d/atomic")), "x\nnew\n3");
    run_as(&machine, "ws--web", &format!("rm {web}/d/file; cat {web}/s"));
    run_as(&machine, "admin", &format!("cat {web}/d/atomic"));
    for user in ["agt--out", stranger, "ws--api"] {
        for line in [format!("cat {web}/s"), format!("ls {web}"), format!("ls {}", web.replace("/work", ""))] {
            refused(&machine, user, &line);
        }
    }
    refused(&machine, one, &format!("ls {}", work("api")));

    // Git trusts what others made there.
    run_as(
        &machine,
        other,
        &format!(
            "git init -q {web}/o/r && cd {web}/o/r && git -c user.name=x -c user.email=x@x commit -q --allow-empty -m one"
        ),
    );
    // But nothing elsewhere that a name there could make it trust.
    let planted =
        format!("end=$(printf '\\nx'); end=${{end%x}}; mkdir -p \"{web}/x$end/*/.git\" \"{web}/y$end/tmp/z/.git\"");
    run_as(&machine, other, &planted);
    assert_eq!(ok(&machines, "agent reinit in").at("/changed"), true);
    assert_eq!(run_as(&machine, one, &format!("git -C {web}/o/r log --format=%s")), "one");
    let trusted = run_as(&machine, one, "git config --get-all safe.directory");
    assert!(trusted.lines().all(|folder| folder.starts_with(&web)), "{trusted}");

    // What is taken back is gone, also through programs that would give the group back.
    run_as(
        &machine,
        one,
        &format!(
            "cp /bin/dash {web}/tool; chmod 2755 {web}/tool; ln {web}/tool ~/way-back || cp -p {web}/tool ~/way-back"
        ),
    );
    let denied = ok(&machines, "workspace-grants deny in web");
    assert_eq!((denied.at("/changed"), denied.at("/running_processes")), (&true.into(), &0.into()));
    assert_eq!(grants(&denied), []);
    assert_eq!(members(&machine, "web"), ["agt--too"]);
    refused(&machine, one, &format!("cat {web}/s"));
    refused(&machine, one, &format!("~/way-back -c 'cat {web}/s'"));
    assert_eq!(ok(&machines, "workspace-grants deny in web").at("/changed"), false);
    assert_eq!(run_as(&machine, one, "git config --get-all safe.directory | wc -l"), "0");

    // What runs keeps what it has until it ends.
    ok(&machines, "workspace-grants grant in web");
    let sleeping = "setsid sh -c 'sleep 600 & sleep 600' >/dev/null 2>&1 </dev/null &";
    run_as(&machine, one, sleeping);
    let running = || machine.run("ps -u agt--in -o comm= 2>/dev/null | grep -c sleep || true") == "2";
    until("they run", running);
    let denied = ok(&machines, "workspace-grants deny in web");
    assert_eq!(denied.warnings(), ["still_inside"]);
    assert!(denied.at("/running_processes").as_u64() >= Some(2), "{denied:?}");
    ok(&machines, "workspace-grants grant in web");
    run_as(&machine, one, sleeping);
    let denied = ok(&machines, "workspace-grants deny in --all --end-processes");
    assert_eq!((denied.at("/running_processes"), denied.warnings().len()), (&0.into(), 0));
    assert!(denied.at("/ended_processes").as_u64() >= Some(2), "{denied:?}");
    assert_eq!(machine.run("ps -u agt--in -o comm= | wc -l"), "0");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn grants_are_checked_whole_before_anything_changes_and_stay_on_one_vm() {
    let machines = Machines::new();
    let (one, two) = (vm(&machines, "one"), vm(&machines, "two"));
    workspace(&machines, "one", &one, "a");
    workspace(&machines, "one", &one, "b");
    workspace(&machines, "two", &two, "far");
    ok(&machines, "agent create x --vm one");
    fails(&machines, "workspace-grants grant x a nosuch", 3, "workspace_not_found");
    let elsewhere = fails(&machines, "workspace-grants grant x a far", 4, "grant_elsewhere");
    assert_eq!(elsewhere.text("/error/details/vm"), "two");
    fails(&machines, "workspace-grants grant nosuch a", 3, "agent_not_found");
    fails(&machines, "workspace-grants grant x", 2, "usage");
    fails(&machines, "workspace-grants deny x a --all", 2, "usage");
    assert_eq!((grants(&ok(&machines, "workspace-grants list x")), members(&one, "a")), (Vec::new(), Vec::new()));

    // Everything, what is to come included.
    let all = ok(&machines, "workspace-grants grant x --all");
    assert_eq!(grants(&all), kinds(&[("agent-ws-a", &["all"]), ("agent-ws-b", &["all"])]));
    assert_eq!((members(&one, "a"), members(&two, "far")), (vec!["agt--x".to_owned()], Vec::new()));
    workspace(&machines, "one", &one, "later");
    assert_eq!(grants(&ok(&machines, "agent describe x")).len(), 3, "it is admitted there, whoever makes it");
    assert_eq!(ok(&machines, "agent reinit x").at("/changed"), true);
    assert_eq!(members(&one, "later"), ["agt--x"]);

    // What else admits it stays, and is said.
    ok(&machines, "workspace-grants grant x a");
    let denied = ok(&machines, "workspace-grants deny x a");
    assert_eq!((denied.at("/changed"), denied.warnings()), (&true.into(), vec!["still_admitted"]));
    remember(&machines, "INSERT INTO grants VALUES ('x', 'agent-ws-b', 'implicit', 's1', '2026-01-01T00:00:00Z')");
    ok(&machines, "workspace-grants grant x b");
    let denied = ok(&machines, "workspace-grants deny x --all");
    assert_eq!(denied.warnings(), ["still_admitted"]);
    assert_eq!(grants(&denied), kinds(&[("agent-ws-b", &["implicit"])]));
    assert_eq!(denied.at("/grant_all"), false);
    assert_eq!((members(&one, "a"), members(&one, "later")), (Vec::new(), Vec::new()), "the memberships went too");
    assert_eq!(members(&one, "b"), ["agt--x"]);

    // What somebody changed by hand is as it is remembered again.
    one.run("gpasswd -d agt--x ws--b; gpasswd -a agt--x ws--a");
    assert_eq!(ok(&machines, "agent reinit x").at("/changed"), true);
    assert_eq!((members(&one, "a"), members(&one, "b")), (Vec::new(), vec!["agt--x".to_owned()]));
    one.run("groupadd nothing; gpasswd -d agt--x ws--b; groupmod -n ws--moved ws--b");
    assert_eq!(ok(&machines, "agent reinit x").warnings(), ["group_missing"]);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn commands_at_once_on_one_vm_lose_nothing() {
    let machines = Machines::new();
    let machine = vm(&machines, "dev");
    let names: Vec<String> = (0..10).map(|number| format!("w{number}")).collect();
    for name in &names {
        workspace(&machines, "dev", &machine, name);
    }
    ok(&machines, "agent create x");
    let at_once: Vec<_> =
        names.iter().map(|name| machines.launcher(&format!("workspace-grants grant x {name}")).spawn()).collect();
    for child in at_once {
        assert_eq!(Ran::of(child).expect(0).document().at("/changed"), true);
    }
    assert_eq!(grants(&ok(&machines, "workspace-grants list x")).len(), 10);
    for name in &names {
        assert_eq!(members(&machine, name), ["agt--x"], "{name}");
    }
    let verbs = |number: usize| if number.is_multiple_of(2) { "deny" } else { "grant" };
    let numbered = names.iter().enumerate();
    let at_once: Vec<_> = numbered
        .map(|(number, name)| machines.launcher(&format!("workspace-grants {} x {name}", verbs(number))).spawn())
        .collect();
    at_once.into_iter().for_each(|child| drop(Ran::of(child).expect(0)));
    for (number, name) in names.iter().enumerate() {
        assert_eq!(members(&machine, name).is_empty(), number.is_multiple_of(2), "{name}");
    }
    assert_eq!(ok(&machines, "agent reinit x").at("/changed"), false, "members are as remembered");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn preparing_an_agent_again_changes_nothing_that_is_as_it_should_be() {
    let machines = Machines::new();
    let machine = vm(&machines, "dev");
    workspace(&machines, "dev", &machine, "web");
    ok(&machines, "agent create x --grant-all");
    assert_eq!(members(&machine, "web"), ["agt--x"]);
    run_as(&machine, "agt--x", "echo mine >>~/.bashrc; git config --global user.name me; echo work >~/file");
    let before = everything(&machine);
    for _ in 0..2 {
        assert_eq!(ok(&machines, "agent reinit x").at("/changed"), false);
        same(&before, &everything(&machine));
    }
    assert_eq!(
        run_as(&machine, "agt--x", "git config --global --get-all include.path | wc -l; git config user.name"),
        "1\nme"
    );

    // What was taken away comes back, and what is the agent's stays.
    machine.run(
        "chmod 755 /home/agt--x; usermod -s /bin/sh -G '' agt--x; passwd -d agt--x; rm -r /home/agt--x/.agents-env",
    );
    assert_eq!(ok(&machines, "agent reinit x").at("/changed"), true);
    assert_eq!(run_as(&machine, "agt--x", "tail -n 1 ~/.bashrc; cat ~/file"), "mine\nwork");
    assert_eq!(machine.run("stat -c %a /home/agt--x; getent passwd agt--x | cut -d: -f7"), "700\n/bin/bash");
    machine.run("getent shadow agt--x | cut -d: -f2 | grep -q '^!'");
    assert_eq!(members(&machine, "web"), ["agt--x"]);
    assert_eq!(ok(&machines, "agent reinit x --shell dash").text("/agent/shell"), "/bin/dash");
    assert_eq!(ok(&machines, "agent reinit x").text("/agent/shell"), "/bin/dash", "and it stays so");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn deleting_leaves_nothing_and_loses_nothing_without_force() {
    let machines = Machines::new();
    let machine = vm(&machines, "dev");
    workspace(&machines, "dev", &machine, "web");
    let (before, groups) = (traces(&machine, "x"), machine.run("cat /etc/group"));
    assert_eq!(before, "");
    ok(&machines, "agent create x --grant-all");
    ok(&machines, "agent delete x");
    assert_eq!((traces(&machine, "x"), machine.run("cat /etc/group")), (String::new(), groups.clone()));
    fails(&machines, "agent delete x", 3, "agent_not_found");
    assert_eq!(ok(&machines, "agent delete x --if-exists").at("/changed"), false);

    ok(&machines, "agent create x --grant-all");
    run_as(&machine, "agt--x", "echo work >~/file");
    let refused = fails(&machines, "agent delete x", 5, "unsaved_work");
    assert_eq!(refused.at("/error/details/unsaved/0/path"), "/home/agt--x/file");
    run_as(
        &machine,
        "agt--x",
        "rm ~/file; setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' >/dev/null 2>&1 </dev/null &",
    );
    let busy = fails(&machines, "agent delete x", 4, "agent_busy");
    assert!(busy.at("/error/details/running_processes").as_u64() >= Some(1));
    assert_eq!(ok(&machines, "agent describe x").text("/agent/status"), "ready");

    // Files in folders that everybody writes to, and in a workspace.
    run_as(
        &machine,
        "agt--x",
        &format!(
            "mkdir -p /tmp/d/e /var/tmp/f; echo 1 >/tmp/d/e/g; ln -s /etc/passwd /tmp/l; echo kept >{}/made",
            work("web")
        ),
    );
    machine.run("mkdir -p /var/spool/cron/crontabs; echo '* * * * * true' >/var/spool/cron/crontabs/agt--x");
    let uid = machine.run("id -u agt--x");
    let deleted = ok(&machines, "agent delete x --force");
    assert_eq!(deleted.at("/user_deleted"), true);
    assert!(deleted.at("/ended_processes").as_u64() >= Some(1), "{deleted:?}");
    assert_eq!((traces(&machine, "x"), machine.run("cat /etc/group")), (String::new(), groups));
    assert_eq!(machine.run(&format!("find / -xdev -path /proc -prune -o -uid {uid} -print")), "");
    assert_eq!(
        machine.run(&format!("cat {0}/made; stat -c %U {0}/made; wc -l </etc/passwd | grep -c .", work("web"))),
        "kept\nws--web\n1"
    );
    assert_eq!(ok(&machines, "agent list").at("/agents"), &json!([]));

    // A machine that does not answer keeps the agent remembered, until it is said to be gone.
    ok(&machines, "agent create x");
    assert_eq!(try_docker(["pause", &machine.container]).code, 0);
    fails(&machines, "agent delete x --force", 7, "host_unreachable");
    fails(&machines, "workspace-grants grant x web", 7, "host_unreachable");
    assert_eq!(grants(&ok(&machines, "workspace-grants list x")), [], "nothing is remembered of what was not begun");
    let forgotten = ok(&machines, "agent delete x --forget");
    assert_eq!((forgotten.at("/user_deleted"), forgotten.warnings()), (&false.into(), vec!["only_forgotten"]));
    assert_eq!(try_docker(["unpause", &machine.container]).code, 0);
    machine.run("id agt--x");
}

/// Makes the making of a user hang in the middle.
const HANG: &str = "printf '#!/bin/sh\\n/usr/sbin/useradd \"$@\"; touch /tmp/reached; sleep 600\\n' \
                    >/usr/local/sbin/useradd && chmod +x /usr/local/sbin/useradd";

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_create_that_does_not_come_to_its_end_leaves_nothing_and_one_that_is_killed_is_gone_on_with() {
    let machines = Machines::new();
    let machine = vm(&machines, "dev");
    let before = everything(&machine);
    let reached = || machine.run("if test -e /tmp/reached; then echo yes; fi") == "yes";
    machine.run(HANG);
    let child = machines.launcher("agent create x").spawn();
    until("the user is being made", reached);
    assert_eq!(ok(&machines, "agent list").at("/agents/0/problems"), &json!([]), "somebody is at work on it");
    // What hangs holds the machine's lock on its users.
    machine.run("rm /usr/local/sbin/useradd");
    let process = child.id().to_string();
    assert_eq!(run_with_input(std::process::Command::new("kill").args(["-INT", &process]), "").code, 0);
    machine.run("kill $(cat /proc/[0-9]*/stat | awk '/\\(sleep\\)/ { print $1 }')");
    let ended = Ran::of(child).expect(130).document();
    assert_eq!(ended.at("/error/details/undone/0"), "agent x");
    assert_eq!(ok(&machines, "agent list").at("/agents"), &json!([]));
    assert_eq!(traces(&machine, "x"), "");
    let system = |text: &str| {
        text.lines()
            .filter(|line| !line.starts_with("/etc/") && !line.starts_with("/var/log"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(system(&before), system(&everything(&machine)));

    for then in ["create", "delete"] {
        machine.run(&format!("rm -f /tmp/reached; {HANG}"));
        let mut child = machines.launcher("agent create x").spawn();
        until("the user is being made", reached);
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        machine.run("rm /usr/local/sbin/useradd; kill $(cat /proc/[0-9]*/stat | awk '/\\(sleep\\)/ { print $1 }')");
        let listed = ok(&machines, "agent list");
        assert_eq!(
            (listed.text("/agents/0/status"), listed.text("/agents/0/problems/0/code")),
            ("creating", "cut_off")
        );
        fails(&machines, "agent reinit x", 4, "agent_exists");
        fails(&machines, "workspace-grants grant x --all", 4, "agent_exists");
        let done = ok(&machines, &format!("agent {then} x"));
        if then == "create" {
            assert_eq!((done.at("/created"), done.text("/agent/status")), (&true.into(), "ready"));
            assert_eq!(machine.run("stat -c '%a %U' /home/agt--x"), "700 agt--x");
            ok(&machines, "agent delete x");
        }
        assert_eq!(
            (traces(&machine, "x"), ok(&machines, "agent list").at("/agents").clone()),
            (String::new(), json!([]))
        );
    }
}

/// Puts a machine on a network with a git server, whose certificate it believes then.
fn meets_git(machine: &Machine, network: &str) {
    assert_eq!(try_docker(["network", "connect", network, &machine.container]).code, 0);
    let authority = "/usr/local/share/ca-certificates/agent-workspace-fixture.crt";
    let shared = agent_workspace_tests::live::network();
    let text = try_docker(["exec", &shared, "cat", authority]).expect(0).stdout;
    let mut command = std::process::Command::new("docker");
    let script = format!("cat >{authority} && update-ca-certificates >/dev/null 2>&1");
    command.args(["exec", "-i", &machine.container, "sh", "-c", &script]);
    assert_eq!(run_with_input(&mut command, &text).code, 0);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn dotfiles_are_cloned_by_the_agent_and_what_fails_there_loses_no_agent() {
    let machines = Machines::new();
    let machine = vm(&machines, "dev");
    meets_git(&machine, &agent_workspace_tests::live::network());
    let dots = "https://git.test/acme/hello";
    let creating = |name: &str, source: &str, install: &str| {
        let line = format!("agent create {name} --dotfiles {source}");
        machines.launcher(&line).arg("--dotfiles-install").arg(install)
    };
    let made = creating("x", dots, "echo \"$(id -un) $PWD\" >>~/.installed").run().expect(0).document();
    assert_eq!(made.at("/agent/problems"), &json!([]), "{made:?}");
    assert_eq!(run_as(&machine, "agt--x", "cat ~/.installed"), "agt--x /home/agt--x/.dotfiles");
    assert_eq!(machine.run("find /home/agt--x ! -user agt--x"), "");
    let before = everything(&machine);
    assert_eq!(ok(&machines, "agent reinit x").at("/changed"), false, "and not once more");
    same(&before, &everything(&machine));

    // A commit, in a folder that was chosen.
    let commit = run_as(&machine, "agt--x", "git -C ~/.dotfiles rev-parse HEAD");
    ok(&machines, &format!("agent create y --dotfiles git::{dots}.git?ref={commit} --dotfiles-destination src/dots"));
    assert_eq!(run_as(&machine, "agt--y", "git -C ~/src/dots rev-parse HEAD"), commit);

    // What fails is a problem, and the agent is there.
    for (name, source, install) in
        [("a", dots, "echo broken >&2; exit 3"), ("b", "https://git.test/acme/nosuch", "true")]
    {
        let made = creating(name, source, install).run().expect(0).document();
        assert_eq!((made.warnings(), made.text("/agent/status")), (vec!["dotfiles_failed"], "ready"));
        let problem = ok(&machines, &format!("agent describe {name}"));
        assert_eq!(problem.text("/agent/problems/0/code"), "dotfiles_failed");
    }
    let mended = machines.launcher(&format!("agent reinit a --dotfiles {dots}")).run().expect(0).document();
    assert_eq!(mended.at("/agent/problems"), &json!([]));

    // Somebody's own clone stays.
    ok(&machines, "agent create z");
    run_as(
        &machine,
        "agt--z",
        "git init -q ~/.dotfiles && git -C ~/.dotfiles remote add origin https://other.test/o/r",
    );
    let kept = ok(&machines, &format!("agent reinit z --dotfiles {dots}"));
    assert_eq!(kept.warnings(), ["dotfiles_failed"]);
    assert_eq!(run_as(&machine, "agt--z", "git -C ~/.dotfiles remote get-url origin"), "https://other.test/o/r");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn an_agent_is_set_up_by_its_template_as_that_is_then_and_by_flags_before_it() {
    let machines = Machines::new();
    let machine = vm(&machines, "dev");
    meets_git(&machine, &agent_workspace_tests::live::network());
    let config = machines.folder().join("config.toml");
    let dots = "https://git.test/acme/hello";
    let says = |install: &str, more: &str| {
        let text = format!(
            "[agent_templates.base]\nshell = \"dash\"\ndotfiles_source = \"git::{dots}\"\n\
             dotfiles_install_cmd = \"{install}\"\n\
             [agent_templates.mine]\ninherits = [\"base\"]\ndotfiles_destination = \"~/src/dots\"\n{more}"
        );
        std::fs::write(&config, text).expect("a file");
    };
    let run = |line: &str| machines.launcher(line).env("AGENT_WORKSPACE_CONFIG", &config).run();
    let done = |line: &str| run(line).expect(0).document();

    // What cannot be is told before anything is touched.
    says("true", "[agent_templates.folder]\ndotfiles_source = \"~/dots\"\n");
    let before = everything(&machine);
    let absent = run("agent create x --template nosuch").expect(3).document();
    assert_eq!(absent.error_code(), "template_not_found");
    let folder = run("agent create x --template folder").expect(2).document();
    assert_eq!(folder.error_code(), "config_invalid");
    assert_eq!(folder.text("/error/details/key"), "agent_templates.folder.dotfiles_source");
    assert_eq!(done("agent list").at("/agents"), &json!([]));
    same(&before, &everything(&machine));

    says("echo one >>~/.installed", "");
    let made = done("agent create x --template mine");
    assert_eq!((made.text("/agent/template"), made.text("/agent/shell")), ("mine", "/bin/dash"));
    assert_eq!(made.at("/agent/problems"), &json!([]), "{made:?}");
    assert_eq!(
        run_as(&machine, "agt--x", "cat ~/.installed && git -C ~/src/dots remote get-url origin"),
        format!("one\n{dots}.git")
    );
    let again = done("agent create x --template base");
    assert_eq!((again.at("/created"), again.warnings()), (&false.into(), vec!["agent_differs"]));
    assert_eq!(done("agent create x").warnings(), [""; 0], "what is not named is no difference");

    // Its present content holds, and need not be named again; so does a commit that it names.
    let commit = run_as(&machine, "agt--x", "git -C ~/src/dots rev-parse HEAD");
    says(
        "echo two >>~/.installed",
        &format!("[agent_templates.at]\ninherits = [\"mine\"]\ndotfiles_source = \"git::{dots}.git?ref={commit}\"\n"),
    );
    let mended = done("agent reinit x");
    assert_eq!((mended.text("/agent/template"), mended.at("/changed")), ("mine", &true.into()));
    assert_eq!(run_as(&machine, "agt--x", "cat ~/.installed"), "one\ntwo");
    assert_eq!(done("agent reinit x").at("/changed"), false);
    done("agent create y --template at");
    assert_eq!(
        run_as(&machine, "agt--y", "git -C ~/src/dots rev-parse HEAD; cat ~/.installed"),
        format!("{commit}\ntwo")
    );

    // A flag comes first, now and later; another template takes its place from then on.
    assert_eq!(done("agent reinit x --shell sh").text("/agent/shell"), "/bin/sh");
    assert_eq!(done("agent reinit x").text("/agent/shell"), "/bin/sh");
    assert_eq!(done("agent reinit y --template default").at("/agent/template"), &Value::Null);
    assert_eq!(done("agent describe y").text("/agent/shell"), "/bin/bash");

    // A template that is gone is told of, and the agent stays as it is.
    std::fs::write(&config, "").expect("a file");
    assert_eq!(run("agent reinit x").expect(3).document().error_code(), "template_not_found");
    assert_eq!(run("agent reinit x --template nosuch").expect(3).document().error_code(), "template_not_found");
    assert_eq!(done("agent describe x").text("/agent/template"), "mine");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_token_is_kept_for_one_agent_and_is_nowhere_else() {
    use agent_workspace_tests::live::{Live, Watch};
    let (machines, live) = (Machines::new(), Live::new());
    let machine = vm(&machines, "dev");
    // One that nobody else has in its environment.
    let token = format!("canary-{}-{}", live.id(), std::process::id());
    let server = live.git_server(&live.network("net"), &["git.test"], &token);
    meets_git(&machine, server.network());
    let watch = Watch::for_text(&token, &[server.id()]);
    let line = "agent create x --setup-git --host git.test --dotfiles https://git.test/acme/private";
    let made = machines.launcher(line).env("GH_TOKEN", &token).run().expect(0);
    assert!(!made.stdout.contains(&token) && !made.stderr.contains(&token));
    assert_eq!(made.document().at("/agent/problems"), &json!([]), "private ones are had with it");
    ok(&machines, "agent create y");
    let kept = |name: &str| {
        let line = format!("agent reinit {name} --setup-git --host git.test --token-stdin");
        machines.launcher(&line).stdin(format!("{token}\n")).run().expect(0).document()
    };
    kept("x");
    kept("y");
    let seen = watch.seen();
    assert!(seen.places.is_empty(), "{:?}", seen.places);
    assert!(seen.programs.iter().any(|program| program.ends_with("git")), "it was looked where it mattered");
    for name in ["x", "y"] {
        let store = format!("/home/agt--{name}/.agents-env/git-credentials");
        assert_eq!(machine.run(&format!("stat -c '%a %U' {store}")), format!("600 agt--{name}"));
        run_as(&machine, &format!("agt--{name}"), "git ls-remote -q https://git.test/acme/private HEAD");
    }
    refused(&machine, "agt--y", "cat /home/agt--x/.agents-env/git-credentials");
    let mut search = std::process::Command::new("docker");
    let script = "grep -rlaFf - --exclude-dir=proc --exclude-dir=sys / 2>/dev/null | sort; true";
    search.args(["exec", "-i", &machine.container, "sh", "-c", script]);
    let files = run_with_input(&mut search, &format!("{token}\n")).stdout;
    let stores = ["x", "y"].map(|name| format!("/home/agt--{name}/.agents-env/git-credentials\n")).concat();
    assert_eq!(files, stores);
    let here = holding(machines.folder(), &token);
    assert_eq!(here, "", "files on this host");
    fails(&machines, "agent create z --setup-git", 6, "git_auth_missing");
    ok(&machines, "agent delete x --force");
    assert_eq!(traces(&machine, "x"), "");
}

fn holding(folder: &Path, text: &str) -> String {
    let mut grep = std::process::Command::new("grep");
    run_with_input(grep.args(["-rlaFf", "-"]).arg(folder), &format!("{text}\n")).stdout
}

/// Who git would be at an address, and with which password; nobody without credentials.
fn git_asks(machine: &Machine, agent: &str, host: &str, path: &str) -> String {
    let line = format!(
        "printf 'protocol=https\\nhost={host}\\npath={path}\\n\\n' |
         GIT_TERMINAL_PROMPT=0 git credential fill 2>/dev/null |
         sed -n 's/^username=//p; s/^password=//p' | paste -sd' ' -"
    );
    run_as(machine, &format!("agt--{agent}"), &line)
}

/// A configuration with credentials for GitHub and for organisations of Azure DevOps, of which agents get these.
fn says_credentials(machines: &Machines, names: &str) -> std::path::PathBuf {
    let config = machines.folder().join("config.toml");
    let text = format!(
        "[agent_templates.default]\ngit_credentials = [{names}]\n\
         [git_credentials.hub]\ntype = \"github\"\n\
         [git_credentials.one]\ntype = \"azdo\"\norg = \"Org-1\"\n\
         [git_credentials.two-b]\ntype = \"azdo\"\norg = \"Org-12\"\n\
         [git_credentials.three]\ntype = \"azdo\"\norg = \"three\"\n"
    );
    std::fs::write(&config, text).expect("a file");
    config
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn an_agent_is_given_the_tokens_of_its_template_each_for_its_own_place() {
    use agent_workspace_tests::live::Watch;
    let machines = Machines::new();
    let machine = vm(&machines, "dev");
    let config = says_credentials(&machines, "\"hub\", \"one\", \"two-b\"");
    let canary = format!("canary-of-templates-{}", std::process::id());
    let token = |name: &str| format!("{canary}-{name}");
    let run = |line: &str, variables: &[(&str, &str)]| {
        let launcher = machines.launcher(line).env("AGENT_WORKSPACE_CONFIG", &config);
        variables.iter().fold(launcher, |launcher, (variable, name)| launcher.env(*variable, token(name))).run()
    };
    let (hub, one, two) =
        (("GIT_CREDENTIALS_HUB", "hub"), ("GIT_CREDENTIALS_ONE", "one"), ("GIT_CREDENTIALS_TWO_B", "two"));

    // What is missing is told before anything is touched.
    let before = everything(&machine);
    let missing = run("agent create x", &[one]).expect(6).document();
    assert_eq!(missing.error_code(), "git_auth_missing");
    assert_eq!(missing.text("/error/hint"), "export GIT_CREDENTIALS_HUB=... GIT_CREDENTIALS_TWO_B=...");
    assert_eq!(ok(&machines, "agent list").at("/agents"), &json!([]));
    same(&before, &everything(&machine));

    let watch = Watch::for_text(&canary, &[]);
    let made = run("agent create x", &[hub, one, two]).expect(0);
    assert!(!made.stdout.contains(&canary) && !made.stderr.contains(&canary));
    let asked = |host: &str, path: &str| git_asks(&machine, "x", host, path);
    let azure = "dev.azure.com";
    assert_eq!(asked("github.com", "acme/private"), format!("x-access-token {}", token("hub")));
    assert_eq!(asked(azure, "Org-1/p/_git/r"), format!("Org-1 {}", token("one")));
    assert_eq!(asked(azure, "Org-12/p/_git/r"), format!("Org-12 {}", token("two")));
    for (host, path) in [(azure, "Org-3/p/_git/r"), (azure, ""), ("git.test", "Org-1/p"), ("not-github.com", "a/b")] {
        assert_eq!(asked(host, path), "", "{host} {path}");
    }
    let store = "/home/agt--x/.agents-env/git-credentials";
    assert_eq!(machine.run(&format!("stat -c '%a %U' {store}")), "600 agt--x");
    assert_eq!(run("agent create x", &[]).expect(0).document().at("/created"), false, "one that is there needs none");

    // What is not given stays; what is given takes the place of that one.
    let again = run("agent reinit x", &[]).expect(0).document();
    assert_eq!((again.at("/changed"), again.warnings()), (&false.into(), vec![]), "{again:?}");
    let same_again = run("agent reinit x", &[hub, one, two]).expect(0).document();
    assert_eq!(same_again.at("/changed"), false, "{same_again:?}");
    let new = run("agent reinit x", &[("GIT_CREDENTIALS_ONE", "new")]).expect(0).document();
    assert_eq!((new.at("/changed"), new.warnings()), (&true.into(), vec![]));
    assert_eq!(asked(azure, "Org-1/p/_git/r"), format!("Org-1 {}", token("new")));
    assert_eq!(asked(azure, "Org-12/p/_git/r"), format!("Org-12 {}", token("two")));

    // One that the template has now and the agent has not.
    says_credentials(&machines, "\"one\", \"three\", \"hub\"");
    let lacks = run("agent reinit x", &[]).expect(0).document();
    assert_eq!(lacks.warnings(), ["credentials_missing"]);
    assert!(lacks.text("/warnings/0/message").contains("GIT_CREDENTIALS_THREE"), "{lacks:?}");

    // Flags come first for their host, also where nothing is set for it.
    let flagged = run("agent create y --setup-git", &[("GH_TOKEN", "flag"), one, ("GIT_CREDENTIALS_THREE", "three")]);
    assert_eq!(flagged.expect(0).document().at("/created"), true);
    assert_eq!(git_asks(&machine, "y", "github.com", "a/b"), format!("x-access-token {}", token("flag")));
    assert_eq!(git_asks(&machine, "y", azure, "three/p/_git/r"), format!("three {}", token("three")));
    assert_eq!(
        run("agent reinit y --setup-git --host dev.azure.com", &[("GH_TOKEN", "whole")])
            .expect(0)
            .document()
            .at("/changed"),
        true
    );
    assert_eq!(git_asks(&machine, "y", azure, "three/p/_git/r"), format!("x-access-token {}", token("whole")));
    assert_eq!(
        run("agent reinit y", &[("GIT_CREDENTIALS_THREE", "back"), one]).expect(0).document().at("/changed"),
        true
    );
    assert_eq!(git_asks(&machine, "y", azure, "three/p/_git/r"), format!("three {}", token("back")));
    assert_eq!(git_asks(&machine, "y", azure, "four/p/_git/r"), "");

    let seen = watch.seen();
    assert!(seen.places.is_empty(), "{:?}", seen.places);
    assert!(seen.programs.iter().any(|program| program.ends_with("git")), "it was looked where it mattered");
    assert_eq!(holding(machines.folder(), &canary), "", "files on this host");
    let files = machine.run("grep -rlF canary-of-templates /home /tmp /root /etc /srv 2>/dev/null; true");
    assert_eq!(files.lines().filter(|file| !file.ends_with("/.agents-env/git-credentials")).count(), 0, "{files}");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn who_may_into_every_workspace_may_into_new_ones_and_copies_and_into_none_that_was_removed() {
    let machines = Machines::new();
    let machine = vm(&machines, "dev");
    ok(&machines, "agent create x --grant-all");
    ok(&machines, "create --vm dev --no-clone --name one");
    assert_eq!(members(&machine, "one"), ["agt--x"]);
    run_as(&machine, "agt--x", &format!("echo x >{}/file", work("one")));
    ok(&machines, "copy one --name two --backend vm --source-backend vm --vm dev");
    assert_eq!(members(&machine, "two"), ["agt--x"]);
    assert_eq!(run_as(&machine, "agt--x", &format!("cat {}/file", work("two"))), "x");
    ok(&machines, "rm --backend vm --keep-volumes two");
    assert_eq!(members(&machine, "two"), [""; 0]);
    ok(&machines, "agent reinit x");
    assert_eq!(members(&machine, "two"), [""; 0]);
    fails(&machines, "workspace-grants grant x two", 3, "workspace_not_found");
    ok(&machines, "create --vm dev --no-clone --name two");
    assert_eq!(members(&machine, "two"), ["agt--x"]);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn what_a_deleted_agent_made_in_a_workspace_that_was_moved_is_nobody_elses() {
    let machines = Machines::new();
    let machine = vm(&machines, "dev");
    ok(&machines, "create --vm dev --no-clone --name moved");
    ok(&machines, "agent create x");
    ok(&machines, "workspace-grants grant x moved");
    machine.run("mkdir -m 0711 /data");
    ok(&machines, "rehome --backend vm moved --to /data/moved");
    run_as(
        &machine,
        "agt--x",
        "cd /data/moved/work && echo x >file && cp /bin/true way && chgrp ws--moved way && chmod 2755 way",
    );
    // What would lead back in is disarmed with the grant, also there.
    ok(&machines, "workspace-grants deny x moved");
    assert_eq!(machine.run("stat -c %a /data/moved/work/way"), "755");
    ok(&machines, "agent delete x --force");
    assert_eq!(machine.run("stat -c %U /data/moved/work/file /data/moved/work/way | sort -u"), "ws--moved");
    assert_eq!(traces(&machine, "x"), "");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn an_agent_without_its_user_is_denied_all_the_same() {
    let machines = Machines::new();
    let machine = vm(&machines, "dev");
    ok(&machines, "create --vm dev --no-clone --name task");
    ok(&machines, "agent create x --grant-all");
    ok(&machines, "workspace-grants grant x task");
    machine.run("userdel -r agt--x 2>/dev/null");
    let refused = fails(&machines, "workspace-grants grant x task", 1, "guest_failed");
    assert_eq!(refused.text("/error/hint"), "make it anew: agent-workspace agent reinit x");
    let denied = ok(&machines, "workspace-grants deny x --all");
    assert_eq!((denied.at("/changed"), grants(&denied)), (&json!(true), Vec::new()));
    ok(&machines, "agent reinit x");
    assert_eq!(members(&machine, "task"), [""; 0]);
}
