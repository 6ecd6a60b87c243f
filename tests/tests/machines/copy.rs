//! `copy` between this machine and VMs: the same work everywhere, shared where a VM shares it.

use agent_workspace_tests::live::{Machines, run_with_input, skip};
use agent_workspace_tests::{Document, Ran, work};

/// Runs a line as a way in tells, with the system's ssh where it is one.
fn inside(machines: &Machines, document: &Document, script: &str) -> Ran {
    let words = document.at("/transport/exec").as_array().expect("words").iter();
    let words: Vec<&str> = words.map(|word| word.as_str().expect("a word")).collect();
    let program = if words[0] == "ssh" { machines.folder().join("bin/ssh") } else { words[0].into() };
    let mut command = std::process::Command::new(program);
    command.args(&words[1..]);
    match document.text("/transport/quoting") {
        "shell" => command.arg(format!("sh -c '{}'", script.replace('\'', r"'\''"))),
        _ => command.args(["sh", "-c", script]),
    };
    run_with_input(&mut command, "")
}

#[test]
#[ignore = "drives real machines: run ./dev test"]
fn work_goes_from_this_machine_to_vms_and_back_and_is_the_same() {
    let machines = Machines::new();
    let machine = machines.start("dev");
    let ok = |line: &str| machines.launcher(line).run().expect(0).document();
    ok(&format!("vm create dev --host admin@{} --accept-new-host-key", machine.address));
    let made = ok("create acme/hello --no-clone --name from --backend host");
    if made.text("/isolation") != "process" {
        return skip("copies between this machine and VMs, because nothing walls workspaces off here");
    }
    // The disk of a machine that is a container makes no pipes in folders with access lists.
    let _ = inside(&machines, &made, &format!("{}\nrm /work/pipe", work::FILL)).expect(0);
    let there = work::of_owners(&work::listing(&made));
    let listing = |document: &Document| {
        let script = format!("cd '{}' && {}", document.text("/path"), work::LISTING);
        work::of_owners(&inside(&machines, document, &script).expect(0).stdout)
    };

    let out = ok("copy from --name out --source-backend host --vm dev");
    assert_eq!((out.text("/backend"), out.text("/repo")), ("vm", "acme/hello"));
    assert_eq!(listing(&out), there);
    // Whoever is let in may work on all of it, and nobody else may read any.
    let shared = "find . -mindepth 1 ! -type l -perm /007; find . -mindepth 1 -type d ! -perm -2000; \
                  find . -type f -perm -200 ! -perm -020";
    assert_eq!(inside(&machines, &out, shared).expect(0).stdout, "");

    let again = ok("copy out --name again --backend vm --source-backend vm --vm dev");
    assert_eq!(listing(&again), there);
    ok("stop out --backend vm");
    let back = ok("copy out --name back --source-backend vm --backend host");
    assert_eq!(listing(&back), there);
    assert_eq!(ok("describe out --backend vm").text("/workspace/status"), "stopped");
    for (name, backend) in [("from", "host"), ("back", "host"), ("out", "vm"), ("again", "vm")] {
        ok(&format!("rm --force {name} --backend {backend}"));
    }
}
