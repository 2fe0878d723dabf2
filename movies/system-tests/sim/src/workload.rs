//! What users do: rate, think again, take back, look; and repeat until they are told it is done.
//! What providers do: the same, by events. What workers do with a queue. And what somebody sees who
//! watches.

mod audit;
mod errands;
mod log;
mod provider;
mod user;
mod watcher;

pub use audit::audit;
pub use errands::errands;
pub use provider::provide;
pub use user::use_it;
pub use watcher::{Board, watch};

use crate::model::Model;
use crate::plan::{Defence, Plan};
use backlot::identity::{Claims, SigningKey};
use backlot::{Code, Context, Error, Principal};
use backlot_sim::Host;
use backlot_sim::host::Caller;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The films there are.
pub const FILMS: [&str; 4] = ["alien", "brazil", "casablanca", "dune"];
/// Users, by the host they sit at.
pub const USERS: [(&str, [&str; 2]); 2] = [("phones", ["ann", "bob"]), ("laptops", ["dot", "eve"])];
/// Providers, who sit at one host, and the users they publish for.
pub const PROVIDERS: [(&str, [&str; 2]); 2] =
    [("gaumont", ["gil", "hal"]), ("pathe", ["ida", "jon"])];
/// Until when users do something new.
pub const UNTIL: Duration = Duration::from_secs(9);
/// The services tokens are meant for.
const AUDIENCE: [&str; 4] = ["auth", "metadata", "movie", "rating"];
/// How much later than its deadline a call may end: the time between two looks at a clock.
const SLACK: Duration = Duration::from_millis(2);

/// What all of a run's users share.
#[derive(Clone, Debug)]
pub struct Party {
    /// Which run it is.
    pub plan: Arc<Plan>,
    /// What they were told, and what was published.
    pub model: Model,
    /// Whether the catalogue is written.
    pub opened: watch::Sender<bool>,
    /// How many users and providers are done.
    pub done: watch::Sender<usize>,
    /// Whether everything is over.
    pub over: watch::Sender<bool>,
    /// What the watcher knows.
    pub board: Board,
    /// The issuer's key, for those who need no token from it.
    pub key: Arc<SigningKey>,
}

/// One who calls services, always with a deadline.
struct Person {
    host: Host,
    caller: Caller,
    party: Party,
    name: &'static str,
    principal: Principal,
}

impl Party {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(plan: Plan, model: Model, key: SigningKey) -> Self {
        Party {
            plan: Arc::new(plan),
            model,
            opened: watch::Sender::new(false),
            done: watch::Sender::new(0),
            over: watch::Sender::new(false),
            board: Board::default(),
            key: Arc::new(key),
        }
    }

    /// Whoever the issuer would make of these claims.
    fn principal(&self, host: &Host, name: &str, role: Option<&str>) -> Result<Principal, Error> {
        let lifetime = Duration::from_secs(600);
        let mut claims = Claims::new(
            "movies",
            name,
            audience(),
            lifetime,
            &host.env().clock,
            &host.dice("claims").branch(name),
        );
        claims.roles = role.into_iter().map(str::to_owned).collect();
        self.key.principal(claims)
    }
}

impl Person {
    /// Makes a call and sees that it ends by its deadline.
    async fn call<T>(
        &self,
        what: &str,
        timeout: Duration,
        cx: Context,
        call: impl AsyncFnOnce(&Context) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let carried = if self.party.plan.has(Defence::Deadlines) {
            timeout
        } else {
            timeout * 30
        };
        let cx = cx
            .with_principal(self.principal.clone())
            .with_timeout(carried);
        let began = self.host.elapsed();
        let outcome = call(&cx).await;
        let took = self.host.elapsed() - began;
        if took > timeout + SLACK {
            self.violation(format!(
                "{what} took {} ms with {} ms to go",
                took.as_millis(),
                timeout.as_millis()
            ));
        }
        if let Err(error) = &outcome {
            self.host.trace().count("calls that did not succeed");
            let text = format!("{what}: {} after {} ms", error.chain(), took.as_millis());
            self.host.trace().note(self.host.name(), text);
        }
        outcome
    }

    /// Waits before the next attempt.
    async fn pause(&self, dice: &backlot::Dice) {
        tokio::time::sleep(Duration::from_millis(20 + dice.below(300))).await;
    }

    /// Thinks, up to half a second.
    async fn think(&self, dice: &backlot::Dice) {
        let mut millis = 50 + dice.below(450);
        if self.party.plan.leak {
            millis += leaked();
        }
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    fn violation(&self, text: String) {
        self.host.trace().violation(self.name, text);
    }
}

/// Whether the same call may succeed later.
fn may_pass(error: &Error) -> bool {
    matches!(
        error.code(),
        Code::Unavailable | Code::DeadlineExceeded | Code::Aborted
    )
}

fn audience() -> BTreeSet<String> {
    AUDIENCE.into_iter().map(str::to_owned).collect()
}

/// True randomness, past everything that follows the seed.
fn leaked() -> u64 {
    let mut byte = [0];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut byte));
    u64::from(byte[0]) * u64::from(read.is_ok())
}
