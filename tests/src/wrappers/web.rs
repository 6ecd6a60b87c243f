//! A web server over HTTPS on this host, for downloads.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

/// What is answered for a path.
#[derive(Clone, Debug)]
pub enum Page {
    /// These bytes.
    Bytes(Vec<u8>),
    /// Half of these bytes, and then the connection is lost.
    Half(Vec<u8>),
    /// It is somewhere else.
    Elsewhere(String),
    /// The head of an answer, and then nothing more.
    Never,
}

/// A server, which answers until the test program ends.
#[derive(Debug)]
pub struct Web {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Web {
    /// A server with these pages on a port of 127.0.0.1.
    ///
    /// # Panics
    /// When no port is free.
    pub fn serve(acceptor: TlsAcceptor, pages: BTreeMap<String, Page>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a listener");
        let port = listener.local_addr().expect("a port").port();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (log, pages) = (Arc::clone(&asked), Arc::new(pages));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                while let Ok((client, _)) = listener.accept().await {
                    let (acceptor, log, pages) = (acceptor.clone(), Arc::clone(&log), Arc::clone(&pages));
                    tokio::spawn(async move {
                        // Who does not trust the certificate goes away.
                        let Ok(mut client) = acceptor.accept(client).await else { return };
                        let mut request = vec![0; 8192];
                        let count = client.read(&mut request).await.unwrap_or(0);
                        let request = String::from_utf8_lossy(&request[..count]).into_owned();
                        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                        log.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
                        let (head, body) = answer(pages.get(&path));
                        let _ = client.write_all(head.as_bytes()).await;
                        let _ = client.write_all(&body).await;
                        let _ = client.flush().await;
                        if matches!(pages.get(&path), Some(Page::Never)) {
                            std::future::pending::<()>().await;
                        }
                        let _ = client.shutdown().await;
                    });
                }
            });
        });
        Self { port, asked }
    }

    /// Its address, without a slash at the end.
    pub fn address(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// What it was asked for.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn answer(page: Option<&Page>) -> (String, Vec<u8>) {
    let head = |status: &str, more: &str, length: usize| {
        format!("HTTP/1.1 {status}\r\n{more}content-length: {length}\r\nconnection: close\r\n\r\n")
    };
    match page {
        None => (head("404 Not Found", "content-type: text/html\r\n", 9), b"<p>no</p>".to_vec()),
        Some(Page::Bytes(bytes)) => (head("200 OK", "", bytes.len()), bytes.clone()),
        Some(Page::Half(bytes)) => (head("200 OK", "", bytes.len()), bytes[..bytes.len() / 2].to_vec()),
        Some(Page::Elsewhere(address)) => (head("302 Found", &format!("location: {address}\r\n"), 0), Vec::new()),
        Some(Page::Never) => (head("200 OK", "", 1 << 20), Vec::new()),
    }
}
