//! Where requests go: over TLS to whoever can prove who they are, and never inside.

use crate::endpoint::Endpoint;
use crate::stage::{Stage, cx};
use crate::{endpoint, stage};
use backlot_core::Code;
use backlot_webhooks::contract::webhooks::v1 as proto;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::path::PathBuf;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// An endpoint under TLS, and the file of who vouches for it.
async fn proven(folder: &std::path::Path) -> (Endpoint, PathBuf) {
    let (ca_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], private)
        .unwrap();
    let file = folder.join("authorities.pem");
    std::fs::write(&file, ca_certificate.pem()).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    (endpoint::Endpoint::start(Some(acceptor)).await, file)
}

fn once(request: &mut proto::PutWebhookRequest) {
    request.attempts = 1;
}

#[tokio::test]
async fn an_endpoint_proves_who_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (endpoint, authorities) = proven(folder.path()).await;
    let url = format!("https://localhost:{}/", endpoint.port);
    let allowing = [
        "webhooks.allow=[\"127.0.0.0/8\", \"::1/128\"]".to_owned(),
        format!("webhooks.ports=[{}]", endpoint.port),
    ];
    let stage = Stage::start(&allowing).await;
    stage.put_with("shop", &url, once).await;
    stage.publish([1]).await;
    let letter = stage.letter("shop").await;
    assert!(
        letter.error.contains("nobody who is believed"),
        "{}",
        letter.error
    );
    assert!(endpoint.received("/").is_empty());
    stage.stop().await;

    let believing = format!("webhooks.authorities={}", authorities.display());
    let stage = Stage::start(&[&allowing[..], &[believing]].concat()).await;
    stage.put_with("shop", &url, once).await;
    stage.publish([1]).await;
    endpoint.received_by("/", 1).await;
    // It vouches for this name alone.
    let other = format!("https://127.0.0.1:{}/", endpoint.port);
    stage.put_with("other", &other, once).await;
    stage.publish([2]).await;
    let letter = stage.letter("other").await;
    assert!(
        letter.error.contains("nobody who is believed"),
        "{}",
        letter.error
    );
    stage.stop().await;
}

#[tokio::test]
async fn nothing_is_sent_inside_whatever_its_name_is() {
    let endpoint = Endpoint::start(None).await;
    let stage = Stage::start(&[
        "webhooks.plain=true".to_owned(),
        format!("webhooks.ports=[{}]", endpoint.port),
    ])
    .await;
    for host in [
        "127.0.0.1",
        "2130706433",
        "[::ffff:127.0.0.1]",
        "169.254.169.254",
    ] {
        let url = format!("http://{host}:{}/", endpoint.port);
        let refused = stage
            .client
            .put_webhook(&cx(), stage::asking("inside", &url))
            .await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{url}");
        assert_eq!(refused.violations()[0].field, "url");
    }
    // A name says nothing of where it leads: that is found out when it is resolved.
    let url = format!("http://localhost:{}/", endpoint.port);
    stage.put_with("inside", &url, once).await;
    stage.publish([1]).await;
    let letter = stage.letter("inside").await;
    assert!(
        letter.error.contains("loopback, and not allowed"),
        "{}",
        letter.error
    );
    assert_eq!(endpoint.connections(), 0);
    stage.stop().await;
}
