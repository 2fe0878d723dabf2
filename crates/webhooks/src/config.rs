//! What can be set.

use crate::guard::Guard;
use backlot_app::{StartError, StoreConfig};
use backlot_core::Error;
use backlot_service::config::{Problems, Validate};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

/// Configuration of the webhooks service.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where endpoints are kept.
    pub store: StoreConfig,
    /// Ranges inside of networks that may be called all the same, as in `10.1.0.0/16`.
    pub allow: Vec<IpNet>,
    /// Ports that may be called.
    pub ports: Vec<u16>,
    /// Whether http is allowed, which anybody on the way reads.
    pub plain: bool,
    /// A file of certificates (PEM) that are believed besides those that browsers believe.
    pub authorities: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            store: StoreConfig::default(),
            allow: Vec::new(),
            ports: vec![443, 8443],
            plain: false,
            authorities: None,
        }
    }
}

impl Validate for Config {
    fn validate(&self, at: &str, problems: &mut Problems) {
        self.store.validate(&format!("{at}.store"), problems);
        if self.ports.is_empty() {
            problems.push(at, "ports", "is empty", "leave it out for 443 and 8443");
        }
    }
}

impl Config {
    pub(crate) fn guard(&self) -> Guard {
        Guard::new(self.allow.clone(), self.ports.clone(), self.plain)
    }

    /// Whose certificates are believed.
    pub(crate) fn authorities(&self) -> Result<RootCertStore, StartError> {
        let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let Some(path) = &self.authorities else {
            return Ok(roots);
        };
        let wrong = |problem: String| {
            let path = path.display();
            Error::invalid_argument(format!(
                "webhooks.authorities: {path} cannot be used: {problem}; name a file of certificates in PEM"
            ))
        };
        let read = CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
        let mut count = 0;
        for certificate in read {
            let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
            let added = roots.add(certificate);
            added.map_err(|error| wrong(error.to_string()))?;
            count += 1;
        }
        if count == 0 {
            return Err(wrong("it has no certificate".to_owned()).into());
        }
        Ok(roots)
    }
}
