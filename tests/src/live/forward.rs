//! Another way from the launcher to the engine.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio_rustls::TlsAcceptor;

use super::engine_socket;

/// Listens and passes everything on to the engine, until the test program ends.
pub struct Forwarder {
    address: String,
    requests: Arc<AtomicUsize>,
}

impl Forwarder {
    /// A socket in a folder.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn unix(folder: &Path) -> Self {
        let path = tempfile::Builder::new().suffix(".sock").tempfile_in(folder).expect("a name").path().to_owned();
        let listener = UnixListener::bind(&path).expect("a socket");
        listener.set_nonblocking(true).expect("a listener");
        let requests = Arc::default();
        let counting = Arc::clone(&requests);
        serve(async move {
            let listener = tokio::net::UnixListener::from_std(listener).expect("a listener");
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(converse(client, Arc::clone(&counting)));
            }
        });
        Self { address: format!("unix://{}", path.display()), requests }
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
        self.requests.load(Ordering::SeqCst)
    }

    fn on_port(acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a listener");
        let port = listener.local_addr().expect("a port").port();
        let requests = Arc::default();
        let counting = Arc::clone(&requests);
        serve(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, requests) = (acceptor.clone(), Arc::clone(&counting));
                tokio::spawn(async move {
                    match acceptor {
                        None => converse(client, requests).await,
                        Some(acceptor) => {
                            // Whoever shows no certificate of ours goes no further.
                            if let Ok(client) = acceptor.accept(client).await {
                                converse(client, requests).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address: format!("tcp://127.0.0.1:{port}"), requests }
    }
}

fn serve(server: impl Future<Output = ()> + Send + 'static) {
    std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(server);
    });
}

/// Passes bytes both ways until the engine closes its side.
async fn converse<C: AsyncRead + AsyncWrite>(client: C, requests: Arc<AtomicUsize>) {
    let Ok(engine) = UnixStream::connect(engine_socket()).await else { return };
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_engine, mut to_engine) = engine.into_split();
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
                requests.fetch_add(1, Ordering::SeqCst);
            }
            if to_engine.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    };
    let down = async {
        let _ = tokio::io::copy(&mut from_engine, &mut to_client).await;
        let _ = to_client.shutdown().await;
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
