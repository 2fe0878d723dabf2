//! Until what was published is taken in, when nobody else would do it afterwards.

use backlot::app::out;
use backlot::core::env::{Phase, Shutdown};
use backlot::messaging::{Engine, Event};
use backlot::{Context, Error};
use indicatif::{ProgressBar, ProgressStyle};
use movies_api::events::RatingSubmitted;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Who takes ratings in.
const GROUP: &str = "rating-aggregator";
/// How often is looked how many are left.
const LOOK: Duration = Duration::from_millis(100);
/// How often that is said where nothing can be drawn.
const SAY: Duration = Duration::from_secs(5);
/// Left and right of it stand numbers, which may be long.
const TEMPLATE: &str = "taking in {bar:30} {pos}/{len} {eta}";

/// Waits until nothing is left, or until told to stop: what is left then is taken in when the system
/// runs.
pub(super) async fn wait(log: &Arc<dyn Engine>, stop: &Shutdown) {
    let (mut bar, mut said) = (None, Instant::now());
    loop {
        let left = match left(log).await {
            Ok(0) => break,
            Ok(left) => left,
            Err(error) => {
                out::note(format_args!(
                    "how many ratings are not taken in yet cannot be told: {}",
                    error.chain()
                ));
                break;
            }
        };
        if std::io::stderr().is_terminal() {
            let bar = bar.get_or_insert_with(|| shown(left));
            bar.set_position(bar.length().unwrap_or(left).saturating_sub(left));
        } else if Instant::now().saturating_duration_since(said) >= SAY {
            said = Instant::now();
            out::note(format_args!("{left} ratings are not taken in yet"));
        }
        tokio::select! {
            biased;
            () = stop.reached(Phase::Draining) => {
                out::note("the rest is taken in when the system runs");
                break;
            }
            () = tokio::time::sleep(LOOK) => {}
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}

fn shown(total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total);
    match ProgressStyle::with_template(TEMPLATE) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

async fn left(log: &Arc<dyn Engine>) -> Result<u64, Error> {
    let cx = Context::system("importer");
    let report = log
        .inspect(&cx, RatingSubmitted::TOPIC, Some(GROUP))
        .await?;
    let groups = report.groups.iter();
    let cursors = groups.flat_map(|group| &group.partitions);
    Ok(cursors.map(|cursor| cursor.lag).sum())
}
