//! Something between the launcher and the engine that understands what they say to each other: it numbers every request
//! and lets a chosen one go wrong.

mod message;

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::watch;

use message::{Framing, Incoming, Message};

use super::engine_socket;

/// How late an answer is that comes late: more than any pause of the launcher's, less than its patience.
const LATE: Duration = Duration::from_millis(300);

/// A way for one request to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The answer comes late.
    Delay,
    /// The engine never gets the request.
    CutBefore,
    /// The engine does what the request asks for, to its end, and the answer is lost.
    CutAfter,
    /// The engine does it, and half of what it answers arrives: half of the body where there is one, else of the head.
    Truncate,
    /// The engine does it, and all that arrives is that it answers.
    Behead,
    /// The engine never gets the request, and says in its own way that it failed.
    Refuse,
    /// The engine never gets the request, and nobody says anything.
    Stall,
}

/// What goes wrong with which requests.
#[derive(Clone, Copy, Debug)]
enum Plan {
    Nothing,
    At(usize, Wrong),
    GoneFrom(usize),
}

/// Listens on a socket and passes on what is said there; ends with the test.
pub struct FaultProxy {
    address: String,
    wire: Arc<Wire>,
    // Its end ends the thread that listens, and every conversation with it.
    _running: watch::Sender<()>,
}

struct Wire {
    plan: Plan,
    requests: Mutex<Vec<String>>,
    struck: AtomicBool,
    since: Instant,
    /// When the request came that was to go wrong.
    came: OnceLock<Duration>,
}

impl FaultProxy {
    /// Everything goes well and is counted.
    pub fn watching(folder: &Path) -> Self {
        Self::start(folder, Plan::Nothing)
    }

    /// The request of this number, counted from one, goes wrong.
    pub fn with(folder: &Path, wrong: Wrong, number: usize) -> Self {
        Self::start(folder, Plan::At(number, wrong))
    }

    /// The engine is gone from the request of this number on: every connection is cut.
    pub fn gone_from(folder: &Path, number: usize) -> Self {
        Self::start(folder, Plan::GoneFrom(number))
    }

    /// What to set `DOCKER_HOST` to.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The requests so far, in their order: method and path, without the query.
    pub fn requests(&self) -> Vec<String> {
        self.wire.requests().clone()
    }

    /// Whether anything has gone wrong. It has not when the launcher never came to that request, nor when what was to
    /// be lost of an answer was nothing.
    pub fn struck(&self) -> bool {
        self.wire.struck.load(Ordering::SeqCst)
    }

    /// Whether it went wrong within this time: what comes after a command's time limit is its undoing.
    pub fn struck_within(&self, limit: Duration) -> bool {
        self.struck() && self.wire.came.get().is_some_and(|came| *came < limit)
    }

    fn start(folder: &Path, plan: Plan) -> Self {
        let path = tempfile::Builder::new().suffix(".sock").tempfile_in(folder).expect("a name").path().to_owned();
        let listener = UnixListener::bind(&path).expect("a socket");
        listener.set_nonblocking(true).expect("a listener");
        let wire = Arc::new(Wire {
            plan,
            requests: Mutex::default(),
            struck: AtomicBool::new(false),
            since: Instant::now(),
            came: OnceLock::new(),
        });
        let (running, mut ended) = watch::channel(());
        let counting = Arc::clone(&wire);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::UnixListener::from_std(listener).expect("a listener");
                let serve = async {
                    while let Ok((client, _)) = listener.accept().await {
                        tokio::spawn(converse(client, Arc::clone(&counting)));
                    }
                };
                tokio::select! {
                    () = serve => {}
                    _ = ended.changed() => {}
                }
            });
        });
        Self { address: format!("unix://{}", path.display()), wire, _running: running }
    }
}

impl Wire {
    fn requests(&self) -> MutexGuard<'_, Vec<String>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request and says what is to go wrong with it.
    fn note(&self, request: &Message) -> Option<Wrong> {
        let mut requests = self.requests();
        requests.push(request.line());
        let wrong = match self.plan {
            Plan::At(at, wrong) if at == requests.len() => Some(wrong),
            Plan::GoneFrom(from) if from <= requests.len() => Some(Wrong::CutBefore),
            _ => None,
        };
        if wrong.is_some() {
            let _ = self.came.set(self.since.elapsed());
        }
        // What may have nothing to lose is seen later.
        if wrong.is_some_and(|wrong| !matches!(wrong, Wrong::Behead | Wrong::Truncate)) {
            self.struck.store(true, Ordering::SeqCst);
        }
        wrong
    }
}

/// One connection of the launcher's, with one of its own to the engine. `None` is the end of either.
async fn converse(client: UnixStream, wire: Arc<Wire>) -> Option<()> {
    let engine = UnixStream::connect(engine_socket()).await.ok()?;
    let (client, mut to_client) = client.into_split();
    let (engine, mut to_engine) = engine.into_split();
    let (mut client, mut engine) = (Incoming::of(client), Incoming::of(engine));
    loop {
        let request = client.message(None).await?;
        let wrong = wire.note(&request);
        match wrong {
            Some(Wrong::CutBefore) => return None,
            Some(Wrong::Stall) => {
                client.ends().await;
                return None;
            }
            Some(Wrong::Refuse) => {
                to_client.write_all(REFUSAL.as_bytes()).await.ok()?;
                continue;
            }
            _ => {}
        }
        to_engine.write_all(&request.head).await.ok()?;
        to_engine.write_all(&request.body).await.ok()?;
        let mut answer = tokio::select! {
            answer = engine.message(Some(&request)) => answer?,
            // An engine notices that nobody waits any more, and so it must here.
            () = client.ends() => return None,
        };
        match wrong {
            None if answer.framing != Framing::Stream => {}
            None => return pass_on(answer.head, client, to_client, engine, to_engine).await,
            Some(Wrong::Delay) => {
                tokio::time::sleep(LATE).await;
                if answer.framing == Framing::Stream {
                    return pass_on(answer.head, client, to_client, engine, to_engine).await;
                }
            }
            Some(wrong) => {
                if answer.framing == Framing::Stream && wrong != Wrong::CutAfter {
                    return lose(wrong, answer, client, to_client, engine, to_engine, &wire).await;
                }
                if answer.framing == Framing::Stream {
                    // A command that reads gets nothing to read, and comes to its end.
                    let _ = to_engine.shutdown().await;
                    answer.body = engine.rest().await;
                }
                let arrives = answer.what_arrives(wrong);
                let lost = arrives.len() < answer.head.len() + answer.body.len();
                if lost || answer.framing == Framing::Stream {
                    wire.struck.fetch_or(lost, Ordering::SeqCst);
                    to_client.write_all(&arrives).await.ok()?;
                    return None;
                }
            }
        }
        to_client.write_all(&answer.head).await.ok()?;
        to_client.write_all(&answer.body).await.ok()?;
    }
}

/// An engine's refusal, as one of the version under test writes it.
const REFUSAL: &str = "HTTP/1.1 500 Internal Server Error\r\nApi-Version: 1.41\r\nContent-Type: application/json\r\n\
                       Server: Docker/20.10.24 (linux)\r\nContent-Length: 45\r\n\r\n\
                       {\"message\":\"the fault proxy says no to this\"}";

/// A raw stream, which both sides have until one ends.
async fn pass_on(
    head: Vec<u8>,
    client: Incoming,
    mut to_client: OwnedWriteHalf,
    engine: Incoming,
    mut to_engine: OwnedWriteHalf,
) -> Option<()> {
    to_client.write_all(&head).await.ok()?;
    let up = async {
        copy(client, &mut to_engine).await;
        // The client has said all it has to say; the engine has not.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = up => {}
        () = copy(engine, &mut to_client) => {}
    }
    None
}

/// A raw stream of which the engine's side does not all arrive. The command inside gets what it is to read.
async fn lose(
    wrong: Wrong,
    mut answer: Message,
    client: Incoming,
    mut to_client: OwnedWriteHalf,
    mut engine: Incoming,
    mut to_engine: OwnedWriteHalf,
    wire: &Wire,
) -> Option<()> {
    to_client.write_all(&answer.head).await.ok()?;
    let up = async {
        copy(client, &mut to_engine).await;
        std::future::pending::<Vec<u8>>().await
    };
    answer.body = tokio::select! {
        body = up => body,
        body = engine.rest() => body,
    };
    let whole = answer.body.len();
    answer.body.truncate(if wrong == Wrong::Truncate { whole / 2 } else { 0 });
    wire.struck.fetch_or(answer.body.len() < whole, Ordering::SeqCst);
    to_client.write_all(&answer.body).await.ok()
}

async fn copy(mut from: Incoming, to: &mut OwnedWriteHalf) {
    let _ = to.write_all(&from.read).await;
    let _ = tokio::io::copy(&mut from.stream, to).await;
    let _ = to.shutdown().await;
}
