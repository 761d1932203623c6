//! The TLS handshake of a probe: verified, and finished even when the certificate is wrong.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{BoxStream, SharedRoots};
use crate::domain::text::Text;

/// Which roots are trusted, and the provider that all requests share.
pub(super) struct Trust {
    roots: OnceCell<Roots>,
}

/// Loaded roots.
#[derive(Clone)]
pub(super) struct Roots {
    provider: Arc<CryptoProvider>,
    /// `None` when this machine has none.
    store: Option<SharedRoots>,
}

/// What was seen of the server's certificate.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Its notAfter.
    pub(super) ends: Option<Timestamp>,
    /// Why it is not valid for the name, if it is not.
    pub(super) error: Option<Text>,
}

impl Trust {
    /// The operating system's, loaded when first needed.
    pub(super) fn native() -> Self {
        Self { roots: OnceCell::new() }
    }

    /// These and no others.
    pub(super) fn given(store: RootCertStore) -> Self {
        Self { roots: OnceCell::new_with(Some(Roots::new(store))) }
    }

    pub(super) async fn roots(&self) -> Roots {
        let load = || async {
            tokio::task::spawn_blocking(|| {
                let mut store = RootCertStore::empty();
                store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                Roots::new(store)
            })
            .await
            .unwrap_or_else(|_| Roots::new(RootCertStore::empty()))
        };
        self.roots.get_or_init(load).await.clone()
    }
}

impl Roots {
    fn new(store: RootCertStore) -> Self {
        let store = (!store.is_empty()).then(|| Arc::new(store));
        Self { provider: Arc::new(ring::default_provider()), store }
    }
}

/// Shakes hands as a client of `host`. The server proves that it holds the certificate's key in any case;
/// whether the certificate is worth anything is told in [`Seen`].
pub(super) async fn handshake(
    stream: BoxStream,
    host: &str,
    roots: Roots,
) -> std::io::Result<(TlsStream<BoxStream>, Seen)> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidInput, format!("{host}: {error}")))?;
    let verifier = Arc::new(Recording {
        judge: roots.store.as_ref().and_then(|store| {
            WebPkiServerVerifier::builder_with_provider(store.clone(), roots.provider.clone()).build().ok()
        }),
        provider: roots.provider.clone(),
        error: Mutex::default(),
    });
    // One configuration a request: no session is resumed, so that the time is that of a new user.
    let mut config = ClientConfig::builder_with_provider(roots.provider)
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(verifier.clone())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let leaf = stream.get_ref().1.peer_certificates().and_then(<[CertificateDer<'_>]>::first);
    let error = verifier.error.lock().unwrap_or_else(PoisonError::into_inner).take();
    let seen = Seen { ends: leaf.and_then(ends), error: error.map(Text::from) };
    Ok((stream, seen))
}

fn ends(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Timestamp::from_second(parsed.validity().not_after.timestamp()).ok()
}

/// Judges as any client would, remembers the verdict and goes on.
#[derive(Debug)]
struct Recording {
    judge: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
    error: Mutex<Option<String>>,
}

impl ServerCertVerifier for Recording {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verdict = match &self.judge {
            Some(judge) => judge
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
                .map_err(|error| explained(&error, server_name)),
            None => Err("not verified: this machine has no trusted root certificates".to_owned()),
        };
        if let Err(reason) = verdict {
            *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn explained(error: &rustls::Error, name: &ServerName<'_>) -> String {
    let rustls::Error::InvalidCertificate(reason) = error else { return error.to_string() };
    match reason {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".into(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet".into()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("it is not valid for {}", name.to_str())
        }
        CertificateError::UnknownIssuer => "its issuer is not trusted here".into(),
        CertificateError::Revoked => "it has been revoked".into(),
        other => other.to_string(),
    }
}
