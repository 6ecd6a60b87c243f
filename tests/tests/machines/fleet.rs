//! Many commands on several VMs at once, one of which is lost and comes back: what is remembered and what is there stay the
//! same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use agent_workspace_tests::live::{Machine, Machines, until};
use agent_workspace_tests::{Document, Ran};
use serde_json::{Value, json};

/// The VMs, the last of which gets lost.
const VMS: [&str; 3] = ["east", "north", "west"];
/// A command that has a VM to itself takes a few seconds. The rest is for forty of them on few processors, which also
/// take turns.
const DEADLINE: Duration = Duration::from_secs(60);
/// Ten seconds for a look, ten more for a connection, thirty for its turn, and as much again for a busy machine.
const LOST: Duration = Duration::from_secs(60);
/// Ten seconds for a VM that is lost, however many are, and the list itself.
const LIST: Duration = Duration::from_secs(19);
/// The folder of workspaces.
const ROOT: &str = "/srv/agent-workspace/workspaces";

/// The machines, in the order of [`VMS`].
struct World {
    machines: Machines,
    there: Vec<Machine>,
}

/// One command of many.
struct Call<'a> {
    line: &'a str,
    ran: Ran,
    took: Duration,
}

/// What a machine has of workspaces and agents, or what it is to have.
#[derive(Debug, Default, PartialEq)]
struct Holdings {
    workspaces: BTreeSet<String>,
    folders: BTreeSet<String>,
    agents: BTreeSet<String>,
    homes: BTreeSet<String>,
    /// Who is in the group of which workspace.
    members: BTreeMap<String, BTreeSet<String>>,
    /// Groups of ours without a user.
    strays: BTreeSet<String>,
}

impl World {
    /// The machines, all taken in at the same time.
    fn new(names: &[&str]) -> Self {
        let machines = Machines::new();
        let there = std::thread::scope(|scope| {
            let machines = &machines;
            let start = |name| scope.spawn(move || machines.start_with_disk(name));
            let started: Vec<_> = names.iter().copied().map(start).collect();
            started.into_iter().map(|machine| machine.join().expect("it starts")).collect()
        });
        let world = Self { machines, there };
        let create = |(name, machine): (&&str, &Machine)| {
            format!("vm create {name} --host {} --accept-new-host-key", machine.address)
        };
        let _ = world.all_ok(&names.iter().zip(&world.there).map(create).collect::<Vec<_>>());
        world
    }

    fn ok(&self, line: &str) -> Document {
        self.machines.launcher(line).run().expect(0).document()
    }

    /// Runs them all at once, each in its own time.
    fn at_once<'a>(&self, lines: &'a [String]) -> Vec<Call<'a>> {
        std::thread::scope(|scope| {
            let start = |line: &'a String| {
                let launcher = self.machines.launcher(line);
                scope.spawn(move || {
                    let since = Instant::now();
                    let ran = launcher.run();
                    Call { line, ran, took: since.elapsed() }
                })
            };
            let running: Vec<_> = lines.iter().map(start).collect();
            running.into_iter().map(|call| call.join().expect("it ends")).collect()
        })
    }

    /// Runs them all at once, to a good end in time.
    fn all_ok<L: AsRef<str>>(&self, lines: &[L]) -> Vec<Document> {
        let lines: Vec<String> = lines.iter().map(|line| line.as_ref().to_owned()).collect();
        self.at_once(&lines).iter().map(|call| call.ends(0, "")).collect()
    }

    /// What there is on each machine is what documents say, all of it is well, and nothing else is there or runs.
    fn consistent(&self, names: &[&str]) {
        let mut lines = vec!["ls --backend vm".to_owned(), "agent list".to_owned()];
        lines.extend(names.iter().map(|name| format!("vm describe {name}")));
        let mut answers = self.all_ok(&lines);
        let described = answers.split_off(2);
        let agents: Vec<String> = rows(&answers[1], "/agents").map(|row| text(&row["agent"])).collect();
        let list = |agent: &String| format!("workspace-grants list {agent}");
        let grants = self.all_ok(&agents.iter().map(list).collect::<Vec<_>>());
        let well = |row: &Value, states: &[&str]| {
            assert!(states.iter().any(|state| row["status"] == *state) && row["problems"] == json!([]), "{row}");
        };
        rows(&answers[0], "/workspaces").for_each(|row| well(row, &["running", "stopped"]));
        rows(&answers[1], "/agents").for_each(|row| well(row, &["ready"]));
        let listed: BTreeSet<String> = rows(&answers[0], "/workspaces").map(|row| text(&row["workspace"])).collect();
        let on_vms: BTreeSet<String> = described.iter().flat_map(|vm| rows(vm, "/workspaces")).map(text).collect();
        assert_eq!(listed, on_vms, "ls and vm describe say the same");
        for ((name, machine), vm) in names.iter().zip(&self.there).zip(&described) {
            well(vm.at("/vm"), &["running"]);
            let mut wanted = Holdings {
                workspaces: rows(vm, "/workspaces").map(|name| user(&text(name))).collect(),
                folders: rows(vm, "/workspaces").map(text).collect(),
                agents: rows(vm, "/agents").map(|name| format!("agt--{}", text(name))).collect(),
                ..Holdings::default()
            };
            wanted.homes.clone_from(&wanted.agents);
            wanted.members = wanted.workspaces.iter().map(|user| (user.clone(), BTreeSet::new())).collect();
            for (agent, grants) in agents.iter().zip(&grants).filter(|(_, grants)| grants.text("/vm") == *name) {
                for grant in rows(grants, "/grants") {
                    let members = wanted.members.get_mut(&user(&text(&grant["workspace"])));
                    members.expect("a grant is into what is there").insert(format!("agt--{agent}"));
                }
            }
            assert_eq!(Holdings::of(machine), wanted, "VM {name}");
            until("nothing of ours runs there", || working(machine).is_empty());
        }
    }
}

impl Call<'_> {
    /// Says how it was to end, and in time.
    fn ends(&self, exit: i32, code: &str) -> Document {
        let Self { line, ran, took } = self;
        assert_eq!(ran.code, exit, "{line}, after {took:?}\n{}{}", ran.stdout, ran.stderr);
        let document = ran.document();
        assert_eq!(document.error_code(), code, "{line}: {document:?}");
        let limit = if exit == 7 { LOST } else { DEADLINE };
        assert!(*took < limit, "{line} took {took:?}");
        document
    }
}

impl Holdings {
    fn of(machine: &Machine) -> Self {
        let mut there = Self::default();
        let said = machine.run(&format!(
            "getent passwd | sed -n 's/^\\(ws--[^:]*\\|agt--[^:]*\\):.*/user \\1/p'
             getent group | sed -n 's/^\\(ws--[^:]*\\|agt--[^:]*\\):[^:]*:[^:]*:/group \\1 /p'
             for folder in $(ls -A {ROOT}; ls -A /data 2>/dev/null); do echo folder $folder; done
             for home in $(ls -A /home | grep ^agt--); do echo home $home; done"
        ));
        let mut groups = BTreeSet::new();
        for line in said.lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["user", name] if name.starts_with("ws--") => drop(there.workspaces.insert(name.to_owned())),
                ["user", name] => drop(there.agents.insert(name.to_owned())),
                ["folder", name] => drop(there.folders.insert(name.to_owned())),
                ["home", name] => drop(there.homes.insert(name.to_owned())),
                ["group", name, members] => {
                    let members = members.split(',').filter(|member| !member.is_empty()).map(str::to_owned);
                    let members: BTreeSet<String> = members.collect();
                    groups.insert(name.to_owned());
                    if name.starts_with("ws--") || !members.is_empty() {
                        there.members.insert(name.to_owned(), members);
                    }
                }
                _ => panic!("{line}"),
            }
        }
        there.strays = groups.iter().filter(|group| !there.is_user(group)).cloned().collect();
        there
    }

    fn is_user(&self, name: &str) -> bool {
        self.workspaces.contains(name) || self.agents.contains(name)
    }
}

/// What runs there that is neither the machine's own nor this question.
fn working(machine: &Machine) -> String {
    machine.run(
        "for process in /proc/[0-9]*; do
           [ \"${process#/proc/}\" != $$ ] && line=$(tr '\\0' ' ' <$process/cmdline 2>/dev/null) || continue
           user=$(stat -c %U $process 2>/dev/null) || continue
           case $user:$line in
             ws--*|agt--*|*agent-workspace*|*sudo*) echo $user $line ;;
           esac
         done",
    )
}

/// What lasts on a machine: who is there, folders, and what lies where everybody may write.
fn lasting(machine: &Machine) -> String {
    machine.run(
        "cat /etc/passwd /etc/group; cut -d: -f1 /etc/shadow /etc/gshadow; cat /etc/subuid /etc/subgid
         find /srv /home /data /tmp /var/tmp /dev/shm /var/mail /var/spool/cron /run/lock -printf '%p %y %m %u:%g\\n' 2>/dev/null | sort
         find / -xdev \\( -path /proc -o -path /sys \\) -prune -o \\( -nouser -o -nogroup \\) -print",
    )
}

fn rows<'a>(document: &'a Document, at: &str) -> impl Iterator<Item = &'a Value> {
    document.at(at).as_array().expect("rows").iter()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no string: {value}")).to_owned()
}

/// The user of a workspace, by its full name.
fn user(name: &str) -> String {
    format!("ws--{}", name.strip_prefix("agent-ws-").unwrap_or_else(|| panic!("{name} is ours")))
}

/// Workspaces of a list with their states and the codes of their problems, those on VMs alone.
fn states(list: &Document) -> BTreeMap<String, (String, Vec<String>)> {
    let of_vms = rows(list, "/workspaces").filter(|row| row["backend"] == "vm");
    let problems =
        |row: &Value| row["problems"].as_array().expect("problems").iter().map(|p| text(&p["code"])).collect();
    of_vms.map(|row| (text(&row["name"]), (text(&row["status"]), problems(row)))).collect()
}

/// What a list shows while the last VM is lost: its workspaces are nowhere to be seen, all others as they are.
fn shows_who_is_lost(list: &Document, is_lost: impl Fn(&str) -> bool) {
    for (name, (status, problems)) in states(list) {
        if is_lost(&name) {
            assert_eq!(
                (status.as_str(), &problems[..]),
                ("unreachable", &["host_unreachable".to_owned()][..]),
                "{name}"
            );
        } else {
            // Those that are being made or removed at that moment are shown too.
            assert_ne!(status, "unreachable", "{name}");
            assert!(!problems.contains(&"host_unreachable".to_owned()), "{name}: {problems:?}");
        }
    }
}

#[test]
#[ignore = "drives real machines: run ./dev test"]
fn a_fleet_stays_whole_while_one_vm_is_lost_and_comes_back() {
    let world = World::new(&VMS);
    let [east, north, west] = &world.there[..] else { panic!("three machines") };
    std::thread::scope(|scope| {
        for machine in &world.there {
            scope.spawn(|| {
                machine.reach_git_server();
                machine.run("mkdir -m 0711 /data");
                machine.log_sessions();
            });
        }
    });
    let _ = world.all_ok(&VMS.map(|vm| format!("vm reinit {vm}")));
    let before: Vec<String> = world.there.iter().map(lasting).collect();

    // Everything is made at once.
    let make = |vm: &str| {
        let empty = |count| format!("create --vm {vm} --no-clone --name {vm}-{count}");
        let mut lines: Vec<String> = (2..=4).map(empty).collect();
        lines.push(format!("create acme/hello --host git.test --vm {vm} --name {vm}-1"));
        lines.push(format!("agent create {vm}-some --vm {vm}"));
        lines.push(format!("agent create {vm}-all --vm {vm} --grant-all"));
        lines
    };
    let _ = world.all_ok(&VMS.iter().flat_map(|vm| make(vm)).collect::<Vec<_>>());
    let grant = |vm: &&str| format!("workspace-grants grant {vm}-some {vm}-1 {vm}-4");
    let _ = world.all_ok(&VMS.iter().map(grant).collect::<Vec<_>>());
    world.consistent(&VMS);

    // A machine that starts anew has what it had.
    north.restart();
    world.consistent(&VMS);
    assert_eq!(states(&world.ok("ls")).len(), 12);

    world.ok("stop --backend vm north-3");
    north.run(&format!("echo unsaved >{ROOT}/agent-ws-north-2/work/file"));
    west.freeze();
    let sessions = || [east.sessions(), north.sessions()];
    let asked = sessions();
    let since = Instant::now();
    let list = world.ok("ls");
    assert!(since.elapsed() < LIST, "{:?}", since.elapsed());
    assert_eq!(sessions(), asked.map(|count| count + 1), "one command a VM");
    assert_eq!(states(&list).len(), 12);
    shows_who_is_lost(&list, |name| name.starts_with("west-"));

    // One that is off the network is waited for at the same time.
    world.machines.unplug(north);
    let since = Instant::now();
    let list = world.ok("ls");
    assert!(since.elapsed() < LIST, "{:?}", since.elapsed());
    world.machines.plug_in(north);
    assert_eq!(states(&list).len(), 12);
    shows_who_is_lost(&list, |name| !name.starts_with("east-"));

    everything_at_once(&world);
    west.thaw();
    world.consistent(&VMS);
    let now: BTreeSet<String> = states(&world.ok("ls")).into_keys().collect();
    let wanted =
        "copied east-1 east-3 east-4 east-5 north-1 north-2 north-3 north-4 north-5 west-1 west-2 west-3 west-4";
    assert_eq!(now, wanted.split(' ').map(str::to_owned).collect());

    // There is nothing to mend.
    let mut lines: Vec<String> = now.iter().map(|name| format!("repair --backend vm {name}")).collect();
    let agents = world.ok("agent list");
    lines.extend(rows(&agents, "/agents").map(|row| format!("agent reinit {}", text(&row["agent"]))));
    for (line, mended) in lines.iter().zip(world.all_ok(&lines)) {
        assert_eq!(mended.at("/changed"), false, "{line}: {mended:?}");
    }
    for prepared in world.all_ok(&VMS.map(|vm| format!("vm reinit {vm}"))) {
        assert_eq!(prepared.at("/changed"), false, "{prepared:?}");
    }
    world.consistent(&VMS);

    // Everything goes at once, and nothing is left.
    let mut lines: Vec<String> = now.iter().map(|name| format!("rm --backend vm --force {name}")).collect();
    lines.extend(rows(&agents, "/agents").map(|row| format!("agent delete --force {}", text(&row["agent"]))));
    let _ = world.all_ok(&lines);
    world.consistent(&VMS);
    for ((vm, machine), before) in VMS.iter().zip(&world.there).zip(&before) {
        assert_eq!(&lasting(machine), before, "VM {vm}");
    }
    let _ = world.all_ok(&VMS.map(|vm| format!("vm delete {vm}")));
}

/// Every kind of command at the same time, while VM `west` is lost.
fn everything_at_once(world: &World) {
    let good = [
        "ls",
        "ls",
        "ls",
        "ls --backend vm",
        "vm list",
        "vm list --live",
        "vm describe east",
        "vm describe west",
        "describe --backend vm east-1",
        "describe north-4",
        "create --vm east --no-clone --name east-5",
        "create acme/hello --host git.test --vm north --name north-5",
        "rm --backend vm --force east-2",
        "stop east-3",
        "start north-3",
        "workspace-grants grant east-some east-3",
        "workspace-grants deny north-some north-4",
        "workspace-grants list west-some",
        "agent create east-new --vm east",
        "agent describe north-some",
        "agent delete north-all",
        "agent list",
        "repair --backend vm north-1",
        "rehome --backend vm east-4 --to /data/agent-ws-east-4",
        "copy north-1 --name copied --vm east",
    ];
    let lost = [
        "create --vm west --no-clone --name west-5",
        "copy west-1 --name far --vm east",
        "copy east-1 --name far --vm west",
        "rm --force west-1",
        "stop west-2",
        "repair west-3",
        "rehome west-4 --to /data/agent-ws-west-4",
        "workspace-grants grant west-some west-3",
        "workspace-grants deny west-some --all",
        "agent create west-new --vm west",
        "agent delete west-some --force",
        "agent reinit west-all",
        "vm reinit west",
    ];
    let unsaved = "rm --backend vm north-2";
    let lines: Vec<String> = good.iter().chain([&unsaved]).chain(&lost).map(|line| (*line).to_owned()).collect();
    for call in world.at_once(&lines) {
        let line = call.line;
        if line == unsaved {
            call.ends(5, "unsaved_work");
            continue;
        }
        if lost.contains(&line) {
            call.ends(7, "host_unreachable");
            continue;
        }
        let document = call.ends(0, "");
        if line.starts_with("ls") {
            let west = states(&document).into_keys().filter(|name| name.starts_with("west-"));
            assert!(west.count() >= 4, "{document:?}");
            shows_who_is_lost(&document, |name| name.starts_with("west-"));
        }
        match line {
            "vm describe west" => assert_eq!(document.text("/vm/problems/0/code"), "host_unreachable"),
            "vm list --live" => {
                let vms = rows(&document, "/vms").map(|row| (text(&row["vm"]), text(&row["status"])));
                let wanted = [("east", "running"), ("north", "running"), ("west", "unreachable")];
                let wanted = wanted.map(|(vm, status)| (vm.to_owned(), status.to_owned()));
                assert_eq!(vms.collect::<Vec<_>>(), wanted);
            }
            _ => {}
        }
    }
}

#[test]
#[ignore = "drives real machines: run ./dev test"]
fn who_is_let_in_while_workspaces_are_made_is_who_is_remembered() {
    let world = World::new(&["dev"]);
    let first = ["agent create all --grant-all", "agent create some", "create --vm dev --no-clone --name first"];
    let _ = world.all_ok(&first);
    for round in 1..=2 {
        let mut lines: Vec<String> =
            (1..=6).map(|n| format!("create --vm dev --no-clone --name w{round}-{n}")).collect();
        for _ in 0..3 {
            lines.push("workspace-grants deny all --all".to_owned());
            lines.push("workspace-grants grant all --all".to_owned());
        }
        for verb in ["grant", "deny", "grant"] {
            lines.push(format!("workspace-grants {verb} some first"));
        }
        lines.push("workspace-grants grant some --all".to_owned());
        let _ = world.all_ok(&lines);
        world.consistent(&["dev"]);
        let _ = world.ok("workspace-grants grant all --all");
        let _ = world.ok("workspace-grants deny some --all");
    }
    world.consistent(&["dev"]);
}
