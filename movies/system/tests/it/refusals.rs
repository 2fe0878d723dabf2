//! What cannot work is refused: one clear message that names the thing and the cure, a code that
//! is not 0, and no panic.

use crate::site::{Site, movies, nobody_panicked};
use backlot::core::net::{Network, Tcp};
use backlot_testkit::process::Ended;
use backlot_testkit::wait_until;
use std::net::{Ipv4Addr, TcpListener};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

/// The one message of a refusal, which names all of `words`.
fn refused(ended: &Ended, code: i32, words: &[&str]) -> String {
    let Ended { status, out, err } = ended;
    assert_eq!(status.code(), Some(code), "{out}{err}");
    nobody_panicked(err);
    for word in words {
        assert!(err.contains(word), "{word:?} is not in: {err}");
    }
    let errors = err.lines().filter(|line| line.contains("ERROR")).count();
    assert_eq!(errors, 0, "it is told once, not in the log as well: {err}");
    assert!(!out.contains("Ctrl-C stops."), "{out}");
    err.clone()
}

/// As [`refused`], in one line.
fn refused_in_a_line(ended: &Ended, code: i32, words: &[&str]) {
    let told = refused(ended, code, words);
    assert_eq!(told.trim().lines().count(), 1, "one message: {told}");
}

#[tokio::test]
async fn a_taken_port_is_named_with_its_key() {
    let site = Site::new();
    for (address, key) in [
        (site.address("rating"), "rating.server.listen"),
        (site.admin("movie"), "movie.server.admin"),
    ] {
        let _taken = TcpListener::bind(&*address).unwrap();
        let ended = site.movies(&["--no-sample"]).run().await;
        refused_in_a_line(&ended, 1, &[&address, key, "another program listens there"]);
        let service = key.split('.').next().unwrap();
        let ended = site.movies(&[service]).run().await;
        refused_in_a_line(&ended, 1, &[&address, key]);
    }
    // What had started before the refusal was stopped: nothing is left locked.
    let mut movies = site.embedded().await;
    movies.terminate();
    assert_eq!(movies.exit_code().await, 0);
}

#[tokio::test]
async fn an_address_of_another_machine_is_named_with_its_key() {
    let site = Site::new();
    // The later flag wins.
    let ended = site
        .movies(&["--no-sample"])
        .args(["--set", "auth.server.listen=192.0.2.1:80"])
        .run()
        .await;
    refused_in_a_line(
        &ended,
        1,
        &["192.0.2.1:80", "auth.server.listen", "no such address"],
    );
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let site = Site::new();
    let file = site.file("a-file");
    std::fs::write(&file, "").unwrap();
    for folder in [file.clone(), file.join("below"), "/proc/nowhere".into()] {
        for command in [&["--no-sample"][..], &["metadata"], &["token", "ann"]] {
            let ended = movies()
                .args(command)
                .arg("--data")
                .arg(&folder)
                .args(free(&site))
                .run()
                .await;
            refused_in_a_line(&ended, 1, &[&folder.display().to_string()]);
        }
    }
}

/// The ports of a site as flags, for a data folder of another place.
fn free(site: &Site) -> Vec<String> {
    let mut flags = Vec::new();
    for service in crate::site::SERVICES {
        flags.extend([
            "--set".to_owned(),
            format!("{service}.server.listen={}", site.address(service)),
        ]);
        flags.extend([
            "--set".to_owned(),
            format!("{service}.server.admin={}", site.admin(service)),
        ]);
    }
    flags.extend([
        "--set".to_owned(),
        format!("registry.address={}", site.registry()),
    ]);
    flags
}

#[tokio::test]
async fn a_damaged_database_is_named_and_left_alone() {
    let site = Site::new();
    let mut running = site.embedded().await;
    site.film("m").await;
    running.terminate();
    assert_eq!(running.exit_code().await, 0, "{}", running.said());
    let good = std::fs::read(site.file("metadata.db")).unwrap();
    let mut header = good.clone();
    header[..16].copy_from_slice(b"not a database!!");
    let mut schema = good.clone();
    schema[100..200].fill(0xff);
    let cut = good[..good.len() / 2].to_vec();
    for (what, bytes) in [
        ("text", b"hello".to_vec()),
        ("header", header),
        ("schema", schema),
        ("cut", cut),
    ] {
        std::fs::write(site.file("metadata.db"), &bytes).unwrap();
        let ended = site.movies(&["--no-sample"]).run().await;
        let told = refused(&ended, 1, &["metadata.db", "BL0002"]);
        assert!(told.contains("restore it from a copy"), "{what}: {told}");
        assert_eq!(
            std::fs::read(site.file("metadata.db")).unwrap(),
            bytes,
            "{what}: it was changed"
        );
    }
    std::fs::write(site.file("metadata.db"), good).unwrap();
    let mut running = site.embedded().await;
    assert!(site.details("m").await.is_ok());
    running.kill().await;
}

#[tokio::test]
async fn a_damaged_key_is_named() {
    let site = Site::new();
    for bytes in [&b""[..], b"short", &[7; 33]] {
        std::fs::write(site.file("auth.key"), bytes).unwrap();
        let ended = site.movies(&["--no-sample"]).run().await;
        refused_in_a_line(&ended, 1, &["auth.key", "32 bytes"]);
        let ended = site.movies(&["token", "ann"]).run().await;
        refused_in_a_line(&ended, 1, &["auth.key", "32 bytes"]);
    }
}

#[tokio::test]
async fn a_data_folder_is_one_systems_at_a_time() {
    let (site, other) = (Site::new(), Site::new());
    let mut first = site.embedded().await;
    let ended = movies()
        .arg("--no-sample")
        .arg("--data")
        .arg(site.data())
        .args(free(&other))
        .run()
        .await;
    refused_in_a_line(
        &ended,
        1,
        &["BL0006", "broker.db", "open in another process"],
    );
    let ended = movies()
        .arg("rating")
        .arg("--data")
        .arg(site.data())
        .args(free(&other))
        .run()
        .await;
    refused_in_a_line(&ended, 1, &["BL0006", "rating.db"]);
    assert_eq!(
        site.all_ready().await,
        Ok(()),
        "the first one does not mind"
    );
    // Killed, it leaves nothing behind that has to be cleaned up.
    first.kill().await;
    let mut second = site.embedded().await;
    second.terminate();
    assert_eq!(second.exit_code().await, 0);
}

#[tokio::test]
async fn all_that_is_wrong_with_a_configuration_is_told_at_once() {
    let site = Site::new();
    let file = site.file("movies.toml");
    std::fs::write(&file, "[rating.sotre]\nurl = \"sqlite:\"\n[auth]\nlifetime = \"1 year\"\n[log]\nformat = \"loud\"\n").unwrap();
    let wrong = [
        "--set",
        "rating.server.listen=nonsense",
        "--set",
        "nonsense=1",
        "--set",
        "metadata.store.readers=many",
    ];
    for command in [
        &[][..],
        &["rating"],
        &["fleet"],
        &["token", "ann"],
        &["--check-config"],
    ] {
        let program = movies()
            .args(command)
            .args(wrong)
            .arg("--config")
            .arg(&file)
            .env("MOVIES_RUNTIME__WORKERS", "5000");
        let told = refused(
            &program.run().await,
            2,
            &[
                "rating.sotre",
                "auth.lifetime",
                "log.format",
                "rating.server.listen",
                "nonsense",
                "metadata.store.readers",
                "runtime.workers",
                "movies.toml line",
                "command line",
                "MOVIES_RUNTIME__WORKERS",
            ],
        );
        assert!(told.contains("store"), "the nearest key is named: {told}");
    }
}

#[tokio::test]
async fn a_configuration_that_is_no_configuration_is_told() {
    let site = Site::new();
    let file = site.file("movies.toml");
    for (text, words) in [
        ("[rating", "line 1"),
        ("a = b", "line 1"),
        ("\u{0}", "line 1"),
        ("rating = 1", "rating"),
    ] {
        std::fs::write(&file, text).unwrap();
        refused(
            &movies().arg("--config").arg(&file).run().await,
            2,
            &["movies.toml", words],
        );
    }
    refused(
        &movies().args(["--config", "nowhere.toml"]).run().await,
        2,
        &["nowhere.toml"],
    );
    refused(
        &movies().arg("--config").arg(site.data()).run().await,
        2,
        &[&site.data().display().to_string()],
    );
    for assignment in [
        "nonsense",
        "=1",
        "rating.server.listen",
        "rating=1",
        "..=1",
        "rating..x=1",
        "log.filter=a=b=c,][",
    ] {
        refused(&movies().args(["--set", assignment]).run().await, 2, &[]);
    }
}

#[tokio::test]
async fn what_is_printed_as_configuration_is_one() {
    let site = Site::new();
    let printed = site.movies(&["--print-config"]).run().await;
    assert_eq!(printed.status.code(), Some(0), "{}", printed.err);
    let file = site.file("printed.toml");
    std::fs::write(&file, &printed.out).unwrap();
    let checked = movies()
        .arg("--check-config")
        .arg("--config")
        .arg(&file)
        .run()
        .await;
    assert_eq!(checked.status.code(), Some(0), "{}", checked.err);
    let again = movies()
        .arg("--print-config")
        .arg("--config")
        .arg(&file)
        .run()
        .await;
    assert_eq!(again.out, printed.out);
}

#[tokio::test]
async fn words_that_mean_nothing_are_refused() {
    for arguments in [
        &["nonsense"][..],
        &["--nonsense"],
        &["fleet", "--replicas", "0"],
        &["fleet", "--replicas", "x"],
        &["rating", "x"],
        &["--set"],
        &["token"],
        &["call"],
    ] {
        let ended = movies().args(arguments).run().await;
        assert_eq!(
            ended.status.code(),
            Some(2),
            "{arguments:?}: {}{}",
            ended.out,
            ended.err
        );
        nobody_panicked(&ended.err);
        assert!(
            ended.err.contains("Usage: movies") || ended.err.contains("--help"),
            "{arguments:?}: {}",
            ended.err
        );
    }
}

#[tokio::test]
async fn a_wrong_name_or_call_is_told() {
    let site = Site::new();
    for name in ["", " ", &"x".repeat(65)] {
        refused_in_a_line(&site.movies(&["token", name]).run().await, 1, &["name"]);
    }
    for (arguments, word) in [
        (&["call", "Nonsense/GetIt"][..], "Nonsense"),
        (&["call", "MovieService/GetMovieDetails", "{"], "JSON"),
        (
            &["call", "MovieService/GetMovieDetails", r#"{"film": "m"}"#],
            "film",
        ),
        (
            &[
                "call",
                "MovieService/GetMovieDetails",
                r#"{"movieId": "m"}"#,
            ],
            "movie",
        ),
        (
            &["call", "MovieService/GetMovieDetails", "--to", "nonsense"],
            "",
        ),
    ] {
        let ended = site.movies(arguments).run().await;
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}: {}", ended.err);
        nobody_panicked(&ended.err);
        assert!(
            ended.err.contains(word) && !ended.err.contains("INTERNAL"),
            "{arguments:?}: {}",
            ended.err
        );
    }
}

#[tokio::test]
async fn a_foreign_program_at_the_registry_is_named() {
    let site = Site::new();
    for greeting in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
        "SSH-2.0-nonsense\r\n",
        "",
    ] {
        let mut listener = Tcp.bind(&site.registry()).await.unwrap();
        let mut foreign = JoinSet::new();
        foreign.spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                drop(stream.read(&mut [0; 1024]).await);
                drop(stream.write_all(greeting.as_bytes()).await);
                if greeting.is_empty() {
                    // Listens and says nothing.
                    open.push(stream);
                }
            }
        });
        for command in [&["rating"][..], &["fleet", "--no-sample"]] {
            let ended = site.movies(command).run().await;
            refused_in_a_line(&ended, 1, &["BL0020", &site.registry()]);
        }
        foreign.shutdown().await;
        let free = async || {
            TcpListener::bind(site.registry())
                .map(drop)
                .map_err(|error| error.to_string())
        };
        wait_until("the port is free again", free).await;
    }
}

#[tokio::test]
async fn a_registry_that_cannot_be_listened_on_is_named() {
    let site = Site::new();
    let ended = site
        .movies(&["rating"])
        .args(["--set", "registry.address=192.0.2.1:8070"])
        .run()
        .await;
    refused_in_a_line(&ended, 1, &["BL0021", "192.0.2.1:8070", "registry.address"]);
}

#[tokio::test]
async fn loopback_is_where_it_listens_unless_told_otherwise() {
    let printed = movies().arg("--print-config").run().await.out;
    let listens: Vec<&str> = printed
        .lines()
        .filter(|line| {
            line.trim_start().starts_with("listen =") || line.trim_start().starts_with("admin =")
        })
        .collect();
    assert!(!listens.is_empty(), "{printed}");
    for line in listens {
        assert!(
            line.contains(&Ipv4Addr::LOCALHOST.to_string()) || line.contains("\"\""),
            "{line}"
        );
    }
}
