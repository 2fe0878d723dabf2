//! Two copies of a service behind another: one of them is killed, stands still, or is cut off by the
//! network. Where the kernel matters no simulation tells.

use crate::load::{Load, Seen};
use crate::site::{Site, movies, nobody_panicked};
use backlot_testkit::http::get;
use backlot_testkit::{Ports, Process, Program};
use nix::sys::signal::Signal;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// So many people ask at once.
const PEOPLE: usize = 8;
/// How long is watched before and after.
const LONG: Duration = Duration::from_secs(1);
/// Longer than any answer takes that waits for nobody: a machine may be busy.
const SLOW: Duration = Duration::from_secs(2);
/// A peer that says nothing is seen after one ping and the wait for its answer: three seconds; and
/// what a busy machine adds to that.
const SEEN: Duration = Duration::from_secs(10);

/// A film's page and all that it stands on, one of it twice.
struct Copies {
    site: Arc<Site>,
    movie: Process,
    /// Those that only have to be there.
    others: Vec<Process>,
    second: Process,
    admin: String,
}

/// Where the second copy of the rating service runs.
struct Place {
    /// Before the program's own name.
    within: Vec<String>,
    /// The address of the copy, and that for its operator.
    addresses: [String; 2],
    /// Where this machine is, as the copy sees it.
    home: &'static str,
}

impl Copies {
    async fn start(site: Site, place: &Place, set: &[&str]) -> Copies {
        let site = Arc::new(site);
        let [second, admin] = &place.addresses;
        let at = |service: &str| {
            let address = site.address(service);
            address.replace("127.0.0.1", place.home)
        };
        let ratings = format!(
            "registry.services.rating=[\"{}\", \"{second}\"]",
            at("rating")
        );
        let mut fixed = vec!["--set".to_owned(), ratings];
        for service in ["auth", "metadata", "movie"] {
            fixed.push("--set".to_owned());
            fixed.push(format!("registry.services.{service}=[\"{}\"]", at(service)));
            // All of them are where that is.
            fixed.push("--set".to_owned());
            fixed.push(format!(
                "{service}.server.listen=0.0.0.0:{}",
                port(&site.address(service))
            ));
        }
        for one in set {
            fixed.extend(["--set".to_owned(), (*one).to_owned()]);
        }
        let start = |service: &str| site.movies(&[service]).args(&fixed).start();
        let listening = format!(
            "rating.server.listen=0.0.0.0:{}",
            port(&site.address("rating"))
        );
        let first = site
            .movies(&["rating"])
            .args(&fixed)
            .args(["--set", &listening]);
        let others = vec![start("auth"), start("metadata"), first.start()];
        let movie = start("movie");
        let folder = site.file("second");
        std::fs::create_dir_all(&folder).unwrap();
        let program = match place.within.split_first() {
            Some((first, rest)) => tool(first).args(rest).arg(env!("CARGO_BIN_EXE_movies")),
            None => movies(),
        };
        let listening = format!("rating.server.listen={second}");
        let second = program
            .args(["rating", "--data"])
            .arg(folder)
            .args(&fixed)
            .args(["--set", &listening])
            .args(["--set", &format!("rating.server.admin={admin}")])
            .start();
        let mut copies = Copies {
            site,
            movie,
            others,
            second,
            admin: admin.clone(),
        };
        for service in ["auth", "metadata", "rating", "movie"] {
            let at = copies.site.admin(service);
            copies.ready(&at).await;
        }
        let at = copies.admin.clone();
        copies.ready(&at).await;
        copies.site.film("m").await;
        let site = Arc::clone(&copies.site);
        copies
            .movie
            .wait_until("the film is whole", async || site.rated("m").await)
            .await;
        copies.both().await;
        copies
    }

    async fn ready(&mut self, admin: &str) {
        let ready = async || match get(admin, "/ready").await {
            Ok(answer) if answer.status.as_u16() == 200 => Ok(()),
            other => Err(format!("{other:?}")),
        };
        self.movie.wait_until("all are ready", ready).await;
    }

    /// How many copies are in a state, as the movie service sees them.
    async fn endpoints(&self, state: &str) -> Result<u64, String> {
        let name = format!("backlot_endpoints{{target=\"rating\",state=\"{state}\"}} ");
        count(&self.site.admin("movie"), &name).await
    }

    /// How many calls the second copy has answered.
    async fn answered(&self) -> Result<u64, String> {
        let admin = &self.admin;
        let of = "method=\"GetAggregatedRating\",";
        let page = get(admin, "/metrics")
            .await
            .map_err(|error| error.to_string())?;
        let text = page.text();
        let lines = text.lines().filter(|line| {
            line.starts_with("backlot_calls_total")
                && line.contains(of)
                && line.contains("side=\"server\"")
        });
        let numbers = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        Ok(numbers.sum::<f64>() as u64)
    }

    /// Waits until both copies get calls.
    async fn both(&mut self) {
        let site = Arc::clone(&self.site);
        let before = self.answered().await.unwrap_or_default();
        let both = async || {
            site.rated("m").await?;
            let (ready, answered) = (self.endpoints("ready").await?, self.answered().await?);
            match (ready, answered > before) {
                (2, true) => Ok(()),
                seen => Err(format!("{seen:?}")),
            }
        };
        backlot_testkit::wait_until("both copies get calls", both).await;
    }

    async fn end(mut self, second_ends: bool) {
        let mut all = vec![self.movie];
        all.append(&mut self.others);
        if second_ends {
            all.push(self.second);
        }
        for mut process in all {
            process.terminate();
            assert_eq!(process.exit_code().await, 0, "{}", process.said());
            nobody_panicked(&process.said());
        }
    }
}

async fn count(admin: &str, line: &str) -> Result<u64, String> {
    let page = get(admin, "/metrics")
        .await
        .map_err(|error| error.to_string())?;
    let text = page.text();
    let value = text.lines().find_map(|known| known.strip_prefix(line));
    let value = value.and_then(|value| value.trim().parse::<f64>().ok());
    value
        .map(|value| value as u64)
        .ok_or_else(|| format!("no {line}"))
}

fn port(address: &str) -> &str {
    address.rsplit(':').next().unwrap_or_default()
}

/// Fails when anybody had more than so many answers that were wrong, or slow.
fn few(seen: &[Seen], since: Instant, most: usize, what: &str) {
    let after = || seen.iter().filter(|seen| seen.began + seen.took > since);
    let wrong: Vec<_> = after().filter(|seen| seen.wrong.is_some()).collect();
    let slow: Vec<_> = after().filter(|seen| seen.took > SLOW).collect();
    let slowest = after().map(|seen| seen.took).max();
    println!(
        "{what}: {} answers since, {} wrong, {} slow, the slowest {slowest:?}",
        after().count(),
        wrong.len(),
        slow.len()
    );
    assert!(after().count() > 200, "{}", after().count());
    for person in 0..PEOPLE {
        let of = |all: &[&Seen]| all.iter().filter(|seen| seen.person == person).count();
        assert!(of(&wrong) <= most, "{person}: {wrong:?}");
        assert!(of(&slow) <= most, "{person}: {slow:?}");
    }
}

#[tokio::test]
async fn a_copy_that_is_killed_or_stands_still_costs_no_more_than_what_it_was_asked() {
    let ports = Ports::claim(2);
    let place = Place {
        within: Vec::new(),
        addresses: [ports.address(0), ports.address(1)],
        home: "127.0.0.1",
    };
    let mut copies = Copies::start(Site::new(), &place, &[]).await;

    // It stands still: its connections stay, and nothing answers.
    let load = Load::begin(&copies.site, PEOPLE);
    let stopped = Instant::now();
    copies.second.signal(Signal::SIGSTOP);
    until(&copies, "failed", 1, "the one that stands still is seen").await;
    println!("seen after {:?}", Instant::now() - stopped);
    // Its kernel takes connections still: that makes it none that answers.
    tokio::time::sleep(5 * LONG).await;
    few(&load.end().await, stopped, 1, "stands still");
    copies.second.signal(Signal::SIGCONT);
    copies.both().await;

    let load = Load::begin(&copies.site, PEOPLE);
    tokio::time::sleep(LONG / 2).await;
    let killed = Instant::now();
    copies.second.kill().await;
    until(&copies, "ready", 1, "the one that is killed is seen").await;
    tokio::time::sleep(LONG).await;
    // What it was asked is asked again.
    few(&load.end().await, killed, 0, "killed");
    copies.end(false).await;
}

async fn until(copies: &Copies, state: &str, is: u64, what: &str) {
    let seen = async || match copies.endpoints(state).await? {
        now if now == is => Ok(()),
        now => Err(format!("{now} are {state}")),
    };
    backlot_testkit::wait::wait_within(what, SEEN, seen).await;
}

/// A machine of its own beside this one, as far as the network goes: a namespace at the other end of
/// a wire.
struct Machine {
    keeper: Process,
}

const HERE: &str = "10.77.0.1";
const THERE: &str = "10.77.0.2";

impl Machine {
    /// Lays the wire. In a network namespace of this test's own alone.
    async fn wire() -> Machine {
        let mut keeper = tool("unshare")
            .args(["-n", "sh", "-c", "echo there; exec sleep 600"])
            .start();
        keeper
            .wait_for_line("it is there", |line| line == "there")
            .await;
        let pid = keeper.pid().to_string();
        for command in [
            "ip link set lo up".to_owned(),
            "ip link add name here type veth peer name there".to_owned(),
            format!("ip link set there netns {pid}"),
            format!("ip addr add {HERE}/24 dev here"),
            "ip link set here up".to_owned(),
            format!("nsenter -t {pid} -n ip link set lo up"),
            format!("nsenter -t {pid} -n ip addr add {THERE}/24 dev there"),
            format!("nsenter -t {pid} -n ip link set there up"),
        ] {
            run(&command).await;
        }
        Machine { keeper }
    }

    fn within(&self) -> Vec<String> {
        let pid = self.keeper.pid().to_string();
        ["nsenter", "-t", &pid, "-n"].map(str::to_owned).to_vec()
    }

    /// What is sent there is lost: it goes to a neighbour that does not exist.
    async fn lose_to_there(&self) {
        let nobody = "02:00:00:00:00:99";
        run(&format!(
            "ip neigh replace {THERE} lladdr {nobody} dev here nud permanent"
        ))
        .await;
    }

    /// What is sent from there is lost.
    async fn lose_to_here(&self) {
        let (pid, nobody) = (self.keeper.pid(), "02:00:00:00:00:99");
        run(&format!(
            "nsenter -t {pid} -n ip neigh replace {HERE} lladdr {nobody} dev there nud permanent"
        ))
        .await;
    }

    /// Nothing is lost any more.
    async fn heal(&self) {
        let pid = self.keeper.pid();
        // What is not there need not go.
        tool("ip")
            .args(["neigh", "del", THERE, "dev", "here"])
            .run()
            .await;
        tool("nsenter")
            .args([
                "-t",
                &pid.to_string(),
                "-n",
                "ip",
                "neigh",
                "del",
                HERE,
                "dev",
                "there",
            ])
            .run()
            .await;
    }
}

/// A tool of the system's operator.
fn tool(name: &str) -> Program {
    Program::new(name).env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
}

async fn run(command: &str) {
    let mut words = command.split(' ');
    let ended = tool(words.next().unwrap()).args(words).run().await;
    assert!(ended.status.success(), "{command}: {}", ended.err);
}

/// Runs the test below in namespaces of its own, where wires may be laid and cut.
#[tokio::test]
async fn a_copy_whose_packets_are_lost_costs_no_more_than_what_it_was_asked() {
    let can = tool("unshare")
        .args([
            "-Urn", "ip", "link", "add", "name", "here", "type", "veth", "peer", "name", "there",
        ])
        .run()
        .await;
    if !can.status.success() {
        eprintln!(
            "skipped: no network namespaces with wires between them here: {}",
            can.err.trim()
        );
        return;
    }
    let this = std::env::current_exe().unwrap();
    // Its processes are in a namespace of their own as well, and end with the first of them.
    let mut inner = tool("unshare")
        .args(["-Urnpf", "--mount-proc", "--kill-child"])
        .arg(this)
        .args([
            "--exact",
            "replicas::in_namespaces",
            "--ignored",
            "--nocapture",
        ])
        .env(OUTSIDE, &network())
        .start();
    let ended = tokio::time::timeout(INSIDE, inner.ended()).await;
    assert!(
        ended.is_ok_and(|status| status.success()),
        "{}",
        inner.said()
    );
    println!("{}", inner.out());
    assert!(inner.out().contains("1 passed"), "{}", inner.out());
}

/// Names the network of the test outside.
const OUTSIDE: &str = "OUTSIDE";
/// How long the test inside may take.
const INSIDE: Duration = Duration::from_secs(180);

/// The network namespace of this process.
fn network() -> String {
    let link = std::fs::read_link("/proc/self/ns/net").unwrap();
    link.display().to_string()
}

#[tokio::test]
#[ignore = "runs in namespaces of its own: see the test above"]
#[expect(clippy::disallowed_methods, reason = "told by the test outside")]
async fn in_namespaces() {
    let outside = std::env::var(OUTSIDE).unwrap_or_default();
    assert!(
        !outside.is_empty() && outside != network(),
        "this lays wires: run the test outside, which gives it a network of its own"
    );
    let machine = Machine::wire().await;
    let place = Place {
        within: machine.within(),
        addresses: [format!("{THERE}:8082"), format!("{THERE}:8092")],
        home: HERE,
    };
    let mut copies = Copies::start(Site::new(), &place, &[]).await;
    for (what, to_there, to_here) in [
        ("what is sent there is lost", true, false),
        ("what is sent from there is lost", false, true),
        ("all is lost", true, true),
    ] {
        let load = Load::begin(&copies.site, PEOPLE);
        tokio::time::sleep(LONG / 2).await;
        let lost = Instant::now();
        if to_there {
            machine.lose_to_there().await;
        }
        if to_here {
            machine.lose_to_here().await;
        }
        until(&copies, "failed", 1, what).await;
        println!("{what}: seen after {:?}", Instant::now() - lost);
        tokio::time::sleep(LONG).await;
        few(&load.end().await, lost, 1, what);
        machine.heal().await;
        copies.both().await;
    }
    copies.end(true).await;
}
