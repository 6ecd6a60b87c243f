//! A certificate authority of one test, and what an engine and its clients show each other.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::run_with_input;

/// A folder with `ca.pem`, `cert.pem` and `key.pem` for clients, and the server's own beside them.
pub struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// Makes them for 127.0.0.1.
    ///
    /// # Panics
    /// When openssl fails.
    pub fn make(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).expect("a folder");
        let script = r"set -eu
key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2'
openssl req -x509 $key -subj '/CN=test authority' -keyout ca-key.pem -out ca.pem
sign() { openssl req $key -subj /CN=$1 -keyout $2-key.pem -out $2.csr
         printf '%s\n' basicConstraints=CA:FALSE $3 >$2.ext
         openssl x509 -req -in $2.csr -days 2 -extfile $2.ext -CA ca.pem -CAkey ca-key.pem -CAcreateserial -out $2.pem; }
sign localhost server 'subjectAltName=IP:127.0.0.1
extendedKeyUsage=serverAuth'
sign client client extendedKeyUsage=clientAuth
cp client.pem cert.pem
cp client-key.pem key.pem
";
        let ran = run_with_input(Command::new("sh").args(["-c", script]).current_dir(folder), "");
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        Self { folder: folder.to_owned() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A server that shows its certificate and wants one.
    ///
    /// # Panics
    /// When the files cannot be used.
    pub fn acceptor(&self) -> TlsAcceptor {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate("ca.pem")).expect("an authority");
        let provider = Arc::new(ring::default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        self.accepting(clients.build().expect("a verifier"))
    }

    /// A server that shows its certificate and takes everybody.
    ///
    /// # Panics
    /// When the files cannot be used.
    pub fn open_acceptor(&self) -> TlsAcceptor {
        self.accepting(WebPkiClientVerifier::no_client_auth())
    }

    fn certificate(&self, name: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.folder.join(name)).expect("a certificate")
    }

    fn accepting(&self, clients: Arc<dyn ClientCertVerifier>) -> TlsAcceptor {
        let key = PrivateKeyDer::from_pem_file(self.folder.join("server-key.pem")).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![self.certificate("server.pem")], key)
            .expect("a certificate and its key");
        TlsAcceptor::from(Arc::new(config))
    }
}
