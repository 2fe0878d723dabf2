//! Places in the chart, kept for a short while: every film's page shows its own, and a chart is too
//! much to ask for with each.

use backlot::Context;
use movies_api::{GetChartRequest, Movie};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// So many places the chart has, here and on its own page.
pub(crate) const PLACES: u16 = 50;
/// How long places are kept.
const FRESH: Duration = Duration::from_secs(30);
/// How long it is left alone after it could not be had.
const PAUSE: Duration = Duration::from_secs(2);

/// The films of the chart, with their places.
type Places = Arc<BTreeMap<String, u32>>;

/// The chart's places, as they lately were.
pub(crate) struct Ranks {
    movies: Arc<dyn Movie>,
    /// Until when they hold.
    kept: Mutex<Option<(Instant, Places)>>,
}

impl Ranks {
    pub(crate) fn new(movies: Arc<dyn Movie>) -> Self {
        Ranks {
            movies,
            kept: Mutex::default(),
        }
    }

    /// The place of a film, from 1; none when it is not in the chart or the chart cannot be had.
    pub(crate) async fn of(&self, cx: &Context, id: &str) -> Option<u32> {
        self.places(cx).await.get(id).copied()
    }

    async fn places(&self, cx: &Context) -> Places {
        let now = Instant::now();
        {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((until, places)) = &mut *kept {
                if now < *until {
                    return Arc::clone(places);
                }
                // One asks; the others meanwhile make do with what was.
                *until = now + PAUSE;
            }
        }
        let request = GetChartRequest {
            size: PLACES.into(),
            ..Default::default()
        };
        let asked = crate::optional::optional(self.movies.get_chart(cx, request)).await;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, places) = match asked {
            Some(chart) => (now + FRESH, Arc::new(places(chart.entries))),
            None => {
                let before = kept.take().map(|(_, places)| places);
                (now + PAUSE, before.unwrap_or_default())
            }
        };
        *kept = Some((until, Arc::clone(&places)));
        places
    }
}

fn places(entries: Vec<movies_api::ChartEntry>) -> BTreeMap<String, u32> {
    let place = |entry: movies_api::ChartEntry| Some((entry.movie?.metadata?.id, entry.rank));
    entries.into_iter().filter_map(place).collect()
}
