//! `vm port-forward`: connections to ports of this machine that lead to those of a VM.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use agent_workspace_tests::live::{Machine, Machines, run_with_input, try_docker, until};
use agent_workspace_tests::{Document, Ran};
use serde_json::Value;

/// Counts what it is sent until that ends, then says how much it was.
const COUNTS: &str = "perl -MIO::Socket::INET -e '$SIG{CHLD} = q(IGNORE); \
    my $all = IO::Socket::INET->new(LocalAddr => q(127.0.0.1), LocalPort => 7000, Listen => 64, ReuseAddr => 1) or die; \
    while (my $one = $all->accept) { next if fork; my ($sum, $bytes) = (0); \
    $sum += length $bytes while sysread $one, $bytes, 65536; print $one \"$sum\\n\"; exit }' \
    >/dev/null 2>&1 </dev/null &";
/// Says more than anybody reads.
const FLOODS: &str = "perl -MIO::Socket::INET -e '$SIG{CHLD} = q(IGNORE); my $much = q(x) x 65536; \
    my $all = IO::Socket::INET->new(LocalAddr => q(127.0.0.1), LocalPort => 7001, Listen => 64, ReuseAddr => 1) or die; \
    while (my $one = $all->accept) { next if fork; 1 while syswrite $one, $much; exit }' >/dev/null 2>&1 </dev/null &";

/// A launcher that forwards, and what it says meanwhile.
struct Forwarding {
    child: Child,
    events: Arc<Mutex<Vec<Value>>>,
}

impl Forwarding {
    fn start(machines: &Machines, line: &str) -> Self {
        let mut child = machines.launcher(&format!("vm port-forward {line} --log-format json")).spawn();
        let events = Arc::new(Mutex::new(Vec::new()));
        let (stderr, heard) = (child.stderr.take().expect("a pipe"), Arc::clone(&events));
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).expect("an event a line");
                heard.lock().unwrap_or_else(PoisonError::into_inner).push(event);
            }
        });
        Self { child, events }
    }

    fn events(&self, named: &str) -> Vec<Value> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.iter().filter(|event| event["event"] == named).cloned().collect()
    }

    /// The ports of this machine, once all of them are listened on.
    fn ports(&self, count: usize) -> Vec<u16> {
        until("it listens", || self.events("listening").len() == count);
        let port = |event: &Value| event["local"].as_u64().and_then(|port| port.try_into().ok());
        self.events("listening").iter().map(|event| port(event).expect("a port")).collect()
    }

    fn interrupt(&self) {
        let process = self.child.id().to_string();
        assert_eq!(run_with_input(Command::new("kill").args(["-INT", &process]), "").code, 0);
    }

    fn end(self, exit: i32) -> Document {
        Ran::of(self.child).expect(exit).document()
    }
}

fn create(machines: &Machines, machine: &Machine) {
    let line = format!("vm create dev --host {} --accept-new-host-key", machine.address);
    let _ = machines.launcher(&line).run().expect(0);
}

fn connect(address: impl Into<IpAddr>, port: u16) -> TcpStream {
    let stream = TcpStream::connect((address.into(), port)).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(100))).expect("a limit");
    stream
}

/// Sends so much, says that this is all, and reads the answer.
fn counted(address: impl Into<IpAddr>, port: u16, bytes: usize) -> String {
    let mut stream = connect(address, port);
    stream.write_all(&vec![b'x'; bytes]).expect("it is taken");
    stream.shutdown(Shutdown::Write).expect("an end");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn ports_lead_there_for_many_at_once_until_ctrl_c() {
    let machines = Machines::new();
    let machine = machines.start("dev");
    create(&machines, &machine);
    machine.run(COUNTS);
    let forwarding = Forwarding::start(&machines, "dev 0:7000 0:22 0:9");
    let ports = forwarding.ports(3);

    // What is said after the client has said all it has to say is heard, by both addresses.
    let sizes: Vec<usize> = (0..30).map(|number| number * 50_000).collect();
    std::thread::scope(|scope| {
        for (number, bytes) in sizes.iter().copied().enumerate() {
            let port = ports[0];
            scope.spawn(move || {
                let answer = match number % 2 {
                    0 => counted(Ipv4Addr::LOCALHOST, port, bytes),
                    _ => counted(Ipv6Addr::LOCALHOST, port, bytes),
                };
                assert_eq!(answer, format!("{bytes}\n"));
            });
        }
    });
    // Who speaks first is heard while the other end is open.
    let mut greeting = [0; 4];
    connect(Ipv4Addr::LOCALHOST, ports[1]).read_exact(&mut greeting).expect("a greeting");
    assert_eq!(&greeting, b"SSH-");
    // What nobody takes there is closed here, and ends nothing else.
    let mut nothing = Vec::new();
    let _ = connect(Ipv4Addr::LOCALHOST, ports[2]).read_to_end(&mut nothing);
    assert!(nothing.is_empty());
    until("it is said", || forwarding.events("refused").iter().any(|event| event["remote"] == 9));
    assert_eq!(counted(Ipv4Addr::LOCALHOST, ports[0], 3), "3\n");

    forwarding.interrupt();
    let ended = forwarding.end(0);
    assert_eq!((ended.text("/vm"), ended.at("/connections")), ("dev", &33.into()));
    assert_eq!((ended.at("/forwards/0/local"), ended.at("/forwards/0/remote")), (&ports[0].into(), &7000.into()));
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, ports[0])).is_err(), "nobody listens any more");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_client_that_does_not_read_holds_up_the_others_for_a_while_and_the_memory_not_at_all() {
    let machines = Machines::new();
    let machine = machines.start("dev");
    create(&machines, &machine);
    machine.run(COUNTS);
    machine.run(FLOODS);
    let forwarding = Forwarding::start(&machines, "dev 0:7000 0:7001");
    let ports = forwarding.ports(2);
    let mut deaf = connect(Ipv4Addr::LOCALHOST, ports[1]);
    deaf.read_exact(&mut [0; 100]).expect("it floods");
    // Alone it is waited for.
    std::thread::sleep(Duration::from_secs(5));
    let status = std::fs::read_to_string(format!("/proc/{}/status", forwarding.child.id())).expect("it runs");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    let kibibytes: u64 = resident.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(kibibytes < 128 << 10, "{kibibytes} KiB");
    assert_eq!(forwarding.events("refused").len(), 0);
    assert_eq!(counted(Ipv4Addr::LOCALHOST, ports[0], 100_000), "100000\n", "the others come to their turn");
    until("it is said", || forwarding.events("refused").iter().any(|event| event["remote"] == 7001));
    forwarding.interrupt();
    forwarding.end(0);
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_taken_port_is_said_before_anything_listens() {
    let machines = Machines::new();
    let machine = machines.start("dev");
    create(&machines, &machine);
    let taken = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let forwarding = Forwarding::start(&machines, &format!("dev 0:22 {port}:22"));
    until("it has ended", || forwarding.events("error").len() == 1);
    assert_eq!(forwarding.events("listening").len() + forwarding.events("connecting").len(), 0);
    let refused = forwarding.end(4);
    assert_eq!((refused.error_code(), refused.at("/error/details/port")), ("port_taken", &port.into()));
    // On the other address it is free.
    let forwarding = Forwarding::start(&machines, &format!("dev {port}:22 --address 127.0.0.1"));
    assert_eq!(forwarding.ports(1), [port]);
    // One that is asked to end by a program has been ended before its time.
    let process = forwarding.child.id().to_string();
    assert_eq!(run_with_input(Command::new("kill").args(["-TERM", &process]), "").code, 0);
    assert_eq!(forwarding.end(143).error_code(), "terminated");
    let unknown = machines.launcher("vm port-forward nosuch 80").run().expect(3).document();
    assert_eq!(unknown.error_code(), "vm_not_found");
    let wrong = machines.launcher("vm port-forward dev 80 70000").run().expect(2).document();
    assert_eq!(wrong.error_code(), "usage");
}

#[test]
#[ignore = "drives a real engine: run ./dev test"]
fn a_vm_that_is_lost_ends_it() {
    let machines = Machines::new();
    let machine = machines.start("dev");
    create(&machines, &machine);
    let forwarding = Forwarding::start(&machines, "dev 0:22");
    let ports = forwarding.ports(1);
    let mut open = connect(Ipv4Addr::LOCALHOST, ports[0]);
    open.read_exact(&mut [0; 4]).expect("a greeting");
    let since = Instant::now();
    // Packets that lead nowhere, without a word from anybody.
    let network = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}";
    let network = try_docker(["container", "inspect", "--format", network, &machine.container]).stdout;
    assert_eq!(try_docker(["network", "disconnect", network.trim(), &machine.container]).code, 0);
    let ended = forwarding.end(7);
    assert_eq!((ended.error_code(), ended.text("/error/details/vm")), ("host_unreachable", "dev"));
    assert!(since.elapsed() < Duration::from_secs(90), "{:?}", since.elapsed());
    let _ = open.read_to_end(&mut Vec::new());
    assert!(since.elapsed() < Duration::from_secs(100), "who was connected is told: {:?}", since.elapsed());
}
