//! Charts, as they are asked for.

use super::Controller;
use crate::chart::{Entry, LENGTH, Selection};
use backlot::{Context, Error};
use movies_api::{
    Aggregate, BatchGetMetadataRequest, ChartEntry, GetChartRequest, GetChartResponse, MovieDetails,
};
use std::collections::BTreeMap;

/// How many films a chart shows when the caller does not say.
const SIZE: usize = 50;

impl Controller {
    /// The best films, as the charts of now have them.
    pub(crate) async fn chart(
        &self,
        cx: &Context,
        request: GetChartRequest,
    ) -> Result<GetChartResponse, Error> {
        let selection = Selection {
            genre: Some(request.genre).filter(|genre| !genre.trim().is_empty()),
            decade: decade(request.decade)?,
        };
        let size = match usize::try_from(request.size) {
            Ok(0) | Err(_) => SIZE,
            Ok(size) => size.min(LENGTH),
        };
        let charts = self.charts.now()?;
        let chart = charts.drawn.chart(&selection);
        let chart = &chart[..size.min(chart.len())];
        Ok(GetChartResponse {
            entries: self.entries(cx, chart).await?,
            mean: charts.drawn.mean,
            weight: charts.drawn.weight,
            as_of: charts.as_of.0,
        })
    }

    /// The films of a chart. One that has gone since the chart was drawn is left out.
    async fn entries(&self, cx: &Context, chart: &[Entry]) -> Result<Vec<ChartEntry>, Error> {
        if chart.is_empty() {
            return Ok(Vec::new());
        }
        let movie_ids: Vec<String> = chart.iter().map(|entry| entry.id.to_string()).collect();
        let films = BatchGetMetadataRequest {
            movie_ids: movie_ids.clone(),
        };
        // A chart is whole without histograms: what it was drawn from is at hand.
        let (films, (ratings, _without)) = tokio::join!(
            self.metadata.batch_get_metadata(cx, films),
            self.ratings(cx, movie_ids)
        );
        let mut films: BTreeMap<String, _> = films?
            .metadata
            .into_iter()
            .map(|film| (film.id.clone(), film))
            .collect();
        let entries = chart.iter().zip(ratings).filter_map(|(entry, rating)| {
            let movie = MovieDetails {
                metadata: Some(films.remove(&*entry.id)?),
                rating: Some(rating.unwrap_or_else(|| drawn_from(entry))),
            };
            Some((movie, entry.score))
        });
        Ok(entries
            .zip(1..)
            .map(|((movie, score), rank)| ChartEntry {
                rank,
                movie: Some(movie),
                score,
            })
            .collect())
    }
}

/// The rating that a film's place comes from, without a histogram.
fn drawn_from(entry: &Entry) -> Aggregate {
    Aggregate {
        count: entry.rated.count,
        mean: Some(entry.rated.mean()),
        histogram: Vec::new(),
        version: entry.rated.version,
    }
}

fn decade(year: i32) -> Result<Option<i32>, Error> {
    if year == 0 {
        return Ok(None);
    }
    if year % 10 == 0 {
        return Ok(Some(year));
    }
    let first = year - year % 10;
    let cure = format!("{year} is not the first year of a decade: ask for {first}");
    Err(Error::invalid_argument(format!("decade: {cure}")).with_violation("decade", cure))
}
