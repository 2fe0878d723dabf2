//! The operators' page, as a service beside any product's: who is there and how they are, how far
//! groups are behind, what failed for good and is mended and sent again, what workers have, how caches
//! do, and the tables that services have for their operators.
//!
//! What it shows is sampled twice a second while somebody looks and pushed to the page; all it does
//! the broker's contract and the commands do as well. Each action is a line in the log, at `info`
//! under the target `audit`: who, what, to what.
//!
//! It is for those who operate the system: on loopback it is open to whoever can reach it, by a
//! name or address of this machine; elsewhere it wants a password, and does not start without.
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`] | what can be set |
//! | `snapshot`, `sampler`, `history` | what is known now; who gathers it; how far behind groups were |
//! | `runs` | letters on their way again, how far, and the stop button |
//! | `access`, `audit` | who may; who did |
//! | `route`, `view` | what each address does; what it looks like |

mod access;
mod audit;
pub mod config;
mod history;
mod page;
mod route;
mod runs;
mod sampler;
mod snapshot;
mod view;

pub use config::Config;

use access::Access;
use backlot_app::{Service, StartError, Startup, owners};
use backlot_core::Error;
use page::{Page, Parts};
use sampler::Sampler;
use std::sync::Arc;

/// The name under which it is configured and found.
pub const NAME: &str = "console";

/// The console: name, owner, configuration type and `start`.
#[must_use]
pub fn service() -> Service {
    Service::new(NAME, owners!("platform-team"), start).port(8089)
}

async fn start(config: Config, cx: &mut Startup) -> Result<(), StartError> {
    if !cx.is_local() && config.password.is_empty() {
        return Err(Error::failed_precondition(
            "the console listens beyond loopback, where anybody could send dead letters again: set console.password, or let it listen on 127.0.0.1",
        )
        .into());
    }
    let engine = cx.engine()?;
    let secret = cx.secret(backlot_app::admin::KEY)?;
    let sampler = Sampler::new(Arc::clone(&engine), cx.registry(), secret, cx.env());
    let page = Page::new(Parts {
        sampler: sampler.clone(),
        engine,
        access: Access::new(&config),
        tasks: cx.tasks().clone(),
        shutdown: cx.env().shutdown.clone(),
        clock: cx.clock().clone(),
    });
    cx.routes(page.router());
    cx.own("sampler", async move |stop| {
        tokio::select! {
            biased;
            () = stop => {}
            () = sampler.run() => {}
        }
    });
    Ok(())
}
