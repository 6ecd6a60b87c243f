//! Something between the launcher and the engine: another way to reach it, or one that breaks.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio_rustls::TlsAcceptor;

use super::engine_socket;

/// Listens and passes everything on to the engine, until the test program ends.
pub struct Forwarder {
    address: String,
    counter: Arc<Counter>,
}

/// Where a connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The engine never gets the request of this number.
    Before(usize),
    /// The engine has done what the request of this number asks for, and its answer is lost.
    After(usize),
}

#[derive(Default)]
struct Counter {
    requests: AtomicUsize,
    cut: Option<Cut>,
}

impl Forwarder {
    /// A socket in a folder.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn unix(folder: &Path) -> Self {
        Self::on_socket(folder, None)
    }

    /// A socket in a folder, over which one request fails.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn cutting(folder: &Path, cut: Cut) -> Self {
        Self::on_socket(folder, Some(cut))
    }

    /// A port on this host.
    ///
    /// # Panics
    /// When none is free.
    pub fn tcp() -> Self {
        Self::on_port(None)
    }

    /// A port on this host that speaks TLS.
    ///
    /// # Panics
    /// When none is free.
    pub fn tls(acceptor: TlsAcceptor) -> Self {
        Self::on_port(Some(acceptor))
    }

    /// What to set `DOCKER_HOST` to.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How many requests came so far.
    pub fn requests(&self) -> usize {
        self.counter.requests.load(Ordering::SeqCst)
    }

    fn on_socket(folder: &Path, cut: Option<Cut>) -> Self {
        let path = tempfile::Builder::new().suffix(".sock").tempfile_in(folder).expect("a name").path().to_owned();
        let listener = UnixListener::bind(&path).expect("a socket");
        listener.set_nonblocking(true).expect("a listener");
        let counter = Arc::new(Counter { cut, ..Counter::default() });
        let counting = Arc::clone(&counter);
        serve(async move {
            let listener = tokio::net::UnixListener::from_std(listener).expect("a listener");
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(converse(client, Arc::clone(&counting)));
            }
        });
        Self { address: format!("unix://{}", path.display()), counter }
    }

    fn on_port(acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a listener");
        let port = listener.local_addr().expect("a port").port();
        let counter = Arc::new(Counter::default());
        let counting = Arc::clone(&counter);
        serve(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, counter) = (acceptor.clone(), Arc::clone(&counting));
                tokio::spawn(async move {
                    match acceptor {
                        None => converse(client, counter).await,
                        Some(acceptor) => {
                            // Whoever shows no certificate of ours goes no further.
                            if let Ok(client) = acceptor.accept(client).await {
                                converse(client, counter).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address: format!("tcp://127.0.0.1:{port}"), counter }
    }
}

fn serve(server: impl Future<Output = ()> + Send + 'static) {
    std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(server);
    });
}

/// Passes bytes both ways until the engine closes its side, or until the cut.
async fn converse<C: AsyncRead + AsyncWrite>(client: C, counter: Arc<Counter>) {
    let Ok(engine) = UnixStream::connect(engine_socket()).await else { return };
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_engine, mut to_engine) = engine.into_split();
    let answer_is_lost = AtomicBool::new(false);
    let up = async {
        let mut bytes = vec![0; 64 << 10];
        loop {
            let count = from_client.read(&mut bytes).await.unwrap_or(0);
            if count == 0 {
                // The client has said all it has to say; the engine has not.
                let _ = to_engine.shutdown().await;
                return std::future::pending().await;
            }
            if begins_request(&bytes[..count]) {
                let number = counter.requests.fetch_add(1, Ordering::SeqCst) + 1;
                match counter.cut {
                    Some(Cut::Before(cut)) if cut == number => return,
                    Some(Cut::After(cut)) if cut == number => answer_is_lost.store(true, Ordering::SeqCst),
                    _ => {}
                }
            }
            if to_engine.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    };
    let down = async {
        let mut bytes = vec![0; 64 << 10];
        loop {
            let count = from_engine.read(&mut bytes).await.unwrap_or(0);
            if answer_is_lost.load(Ordering::SeqCst) {
                return;
            }
            if count == 0 {
                let _ = to_client.shutdown().await;
                return;
            }
            if to_client.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}

/// Requests of one connection follow one another, so that each begins a read of its own.
fn begins_request(bytes: &[u8]) -> bool {
    [&b"GET /"[..], b"POST /", b"DELETE /", b"PUT /", b"HEAD /"].iter().any(|method| bytes.starts_with(method))
}
