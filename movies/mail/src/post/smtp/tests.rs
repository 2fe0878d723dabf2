use super::*;
use backlot::config::Secret;
use backlot::messaging::consume::Class;
use backlot_testkit::smtp::MailServer;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

fn mail() -> MailDue {
    MailDue {
        id: "w1".into(),
        to: "ann@example.com".into(),
        subject: "Willkommen, Änne".into(),
        text: "Hello\n.\nand a line of a dot\n".into(),
        html: "<p>Hello</p>".into(),
        leave: "http://127.0.0.1:8080/mail/leave/0f".into(),
    }
}

fn config(server: &MailServer, security: Security) -> SmtpConfig {
    let port = server.address().rsplit_once(':').unwrap().1.to_owned();
    SmtpConfig {
        server: format!("localhost:{port}"),
        security,
        timeout: Duration::from_secs(10),
        ..SmtpConfig::default()
    }
}

fn smtp(config: SmtpConfig) -> Smtp {
    Smtp::new(config, "Movies <movies@example.org>", &Env::real()).unwrap()
}

/// A server's end of TLS, and the file of the certificate that it is believed by.
fn identity() -> (TlsAcceptor, tempfile::NamedTempFile) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), made.cert.pem()).unwrap();
    (TlsAcceptor::from(Arc::new(config)), file)
}

#[tokio::test]
async fn a_message_arrives_whole_with_its_id_and_the_way_to_be_rid_of_more() {
    let server = MailServer::start().await;
    smtp(config(&server, Security::Plain))
        .send(&mail(), 1)
        .await
        .unwrap();
    let letters = server.letters();
    let [letter] = &letters[..] else {
        panic!("{letters:?}")
    };
    assert_eq!(
        (letter.from.as_str(), &*letter.to),
        ("movies@example.org", &["ann@example.com".to_owned()][..])
    );
    assert_eq!(letter.header("Message-ID"), "<w1@example.org>");
    assert_eq!(letter.header("From"), "Movies <movies@example.org>");
    assert_eq!(
        letter.header("List-Unsubscribe"),
        "<http://127.0.0.1:8080/mail/leave/0f>"
    );
    assert_eq!(
        letter.header("List-Unsubscribe-Post"),
        "List-Unsubscribe=One-Click"
    );
    assert!(
        letter
            .header("Content-Type")
            .starts_with("multipart/alternative")
    );
    assert!(
        letter.header("Subject").contains("=?utf-8?"),
        "{}",
        letter.header("Subject")
    );
    assert!(
        letter.data.contains("\r\n.\r\nand a line of a dot"),
        "{}",
        letter.data
    );
    assert!(letter.data.contains("<p>Hello</p>"));
}

#[tokio::test]
async fn a_password_goes_over_an_encrypted_line_alone() {
    for (security, from_the_beginning) in [(Security::Starttls, false), (Security::Tls, true)] {
        let (acceptor, authority) = identity();
        let server = MailServer::secured(acceptor, from_the_beginning).await;
        let with = |password: &str| SmtpConfig {
            user: "movies".into(),
            password: Secret::new(password),
            authorities: Some(authority.path().into()),
            ..config(&server, security)
        };
        smtp(with("secret")).send(&mail(), 1).await.unwrap();
        let letter = &server.letters()[0];
        assert!(letter.is_secured);
        assert_eq!(letter.login, Some(("movies".into(), "secret".into())));
        // Nothing is wrong with the message: it waits until somebody has mended the password.
        let failure = smtp(with("wrong")).send(&mail(), 1).await.unwrap_err();
        assert_eq!(
            (failure.class(), failure.code()),
            (Class::Transient, Code::Unavailable)
        );
        // A server whom nobody vouches for gets neither password nor message.
        let stranger = SmtpConfig {
            authorities: None,
            ..with("secret")
        };
        smtp(stranger).send(&mail(), 1).await.unwrap_err();
        assert_eq!(server.letters().len(), 1);
    }
    let server = MailServer::start().await;
    let failure = smtp(config(&server, Security::Starttls))
        .send(&mail(), 1)
        .await;
    assert!(failure.unwrap_err().message().contains("STARTTLS"));
    assert!(
        server.letters().is_empty(),
        "one that cannot encrypt is refused"
    );
}

#[tokio::test]
async fn what_a_server_says_is_what_becomes_of_the_message() {
    let mut server = MailServer::start().await;
    let smtp = smtp(config(&server, Security::Plain));
    server.refuse(Some("550 no such user here"));
    let failure = smtp.send(&mail(), 1).await.unwrap_err();
    assert_eq!(failure.class(), Class::Permanent);
    assert!(failure.message().contains("no such user here"), "{failure}");
    server.refuse(Some("451 come back later"));
    let failure = smtp.send(&mail(), 1).await.unwrap_err();
    assert_eq!(failure.class(), Class::Transient);
    assert!(failure.message().contains("come back later"), "{failure}");
    server.refuse(Some("421 closing"));
    assert_eq!(
        smtp.send(&mail(), 1).await.unwrap_err().class(),
        Class::Transient
    );
    server.refuse(None);
    server.close().await;
    let failure = smtp.send(&mail(), 1).await.unwrap_err();
    assert!(failure.message().contains("is away"), "{failure}");
    // While it is away nobody knocks again and again: the next one waits first.
    server.open().await;
    let began = Instant::now();
    smtp.send(&mail(), 1).await.unwrap();
    assert!(Instant::now() - began > AWAY / 2);
    assert_eq!(server.letters().len(), 1);
    let nobody = MailDue {
        to: "nobody".into(),
        ..mail()
    };
    assert_eq!(
        smtp.send(&nobody, 1).await.unwrap_err().class(),
        Class::Permanent
    );
}
