//! The double of the movie service.

use super::House;
use backlot::{Context, Error, Streaming};
use movies_api as api;
use movies_api::metadata::v1::{Decade, Genre, ListFacetsRequest, ListFacetsResponse, Metadata};
use movies_api::*;
use std::collections::BTreeMap;

/// m of the formula.
const WEIGHT: f64 = 20.0;

impl House {
    /// Films that pass, in order of title.
    fn passing(&self, pass: impl Fn(&Metadata) -> bool) -> Vec<MovieDetails> {
        let mut ids: Vec<_> = self
            .films
            .values()
            .filter(|(film, _)| pass(film))
            .map(|(film, _)| (film.title.clone(), film.id.clone()))
            .collect();
        ids.sort();
        ids.iter().filter_map(|(_, id)| self.details(id)).collect()
    }
}

/// A page of films and the token of the next.
fn page(
    films: Vec<MovieDetails>,
    size: i32,
    token: &str,
) -> Result<(Vec<MovieDetails>, String), Error> {
    let from: usize = match token {
        "" => 0,
        token => token
            .parse()
            .map_err(|_| Error::invalid_argument("page_token"))?,
    };
    let to = from + size as usize;
    let next = if to < films.len() {
        to.to_string()
    } else {
        String::new()
    };
    Ok((
        films.into_iter().skip(from).take(size as usize).collect(),
        next,
    ))
}

fn is_of(film: &Metadata, genre: &str, decade: i32) -> bool {
    let genre = genre.is_empty()
        || film
            .genres
            .iter()
            .any(|other| other.eq_ignore_ascii_case(genre));
    genre && (decade == 0 || film.year / 10 * 10 == decade)
}

#[async_trait::async_trait]
impl api::Movie for House {
    async fn get_poster(
        &self,
        _: &Context,
        _: GetPosterRequest,
    ) -> Result<GetPosterResponse, Error> {
        Err(Error::unimplemented("the page does not ask for this"))
    }

    async fn get_movie_details(
        &self,
        _: &Context,
        request: GetMovieDetailsRequest,
    ) -> Result<GetMovieDetailsResponse, Error> {
        self.films_here()?;
        let movie = self
            .details(&request.movie_id)
            .ok_or_else(|| Error::not_found("no such film"))?;
        let known = self.films_known.load(std::sync::atomic::Ordering::SeqCst);
        let old = (known > 0).then(|| "metadata".to_owned());
        Ok(GetMovieDetailsResponse {
            movie: Some(movie),
            degraded: self.degraded().into_iter().chain(old).collect(),
            metadata_age_ms: known,
        })
    }

    async fn list_movies(
        &self,
        _: &Context,
        request: ListMoviesRequest,
    ) -> Result<ListMoviesResponse, Error> {
        self.films_here()?;
        let films = self.passing(|film| {
            let person = request.person.as_str();
            let knows = person.is_empty()
                || film.director.split(", ").any(|name| name == person)
                || film.cast.iter().any(|name| name == person);
            knows && is_of(film, &request.genre, request.decade)
        });
        let (movies, next_page_token) = page(films, request.page_size, &request.page_token)?;
        Ok(ListMoviesResponse {
            movies,
            next_page_token,
            degraded: self.degraded(),
        })
    }

    async fn search_movies(
        &self,
        _: &Context,
        request: SearchMoviesRequest,
    ) -> Result<SearchMoviesResponse, Error> {
        self.films_here()?;
        let query = request.query.to_lowercase();
        let films = self.passing(|film| {
            let text = format!(
                "{} {} {} {}",
                film.title,
                film.director,
                film.cast.join(" "),
                film.year
            );
            let text = text.to_lowercase();
            query
                .split_whitespace()
                .all(|word| text.split(' ').any(|other| other.starts_with(word)))
        });
        let (movies, next_page_token) = page(films, request.page_size, &request.page_token)?;
        Ok(SearchMoviesResponse {
            movies,
            next_page_token,
            degraded: self.degraded(),
        })
    }

    async fn batch_get_movies(
        &self,
        _: &Context,
        request: BatchGetMoviesRequest,
    ) -> Result<BatchGetMoviesResponse, Error> {
        self.films_here()?;
        Ok(BatchGetMoviesResponse {
            movies: request
                .movie_ids
                .iter()
                .filter_map(|id| self.details(id))
                .collect(),
            missing: Vec::new(),
            degraded: self.degraded(),
        })
    }

    async fn get_chart(
        &self,
        _: &Context,
        request: GetChartRequest,
    ) -> Result<GetChartResponse, Error> {
        self.films_here()?;
        // Kept where the films are: ratings that are away do not change places.
        let tally = |id: &str| {
            self.films
                .get(id)
                .map(|(_, sums)| sums.borrow().aggregate())
        };
        let rated =
            |id: &str| tally(id).and_then(|tally| Some((tally.mean?, f64::from(tally.count))));
        let all = self.films.keys().filter_map(|id| rated(id));
        let (sum, count) = all.fold((0.0, 0.0), |(sum, all), (mean, count)| {
            (sum + mean * count, all + count)
        });
        let overall = if count > 0.0 { sum / count } else { 0.0 };
        let films = self.passing(|film| is_of(film, &request.genre, request.decade));
        let mut entries: Vec<_> = films
            .into_iter()
            .filter_map(|movie| {
                let (mean, count) = rated(&movie.metadata.as_ref()?.id)?;
                let score = (count * mean + WEIGHT * overall) / (count + WEIGHT);
                Some(ChartEntry {
                    rank: 0,
                    movie: Some(movie),
                    score,
                })
            })
            .collect();
        entries.sort_by(|one, other| other.score.total_cmp(&one.score));
        entries.truncate(request.size as usize);
        for (rank, entry) in (1..).zip(&mut entries) {
            entry.rank = rank;
        }
        Ok(GetChartResponse {
            entries,
            mean: overall,
            weight: WEIGHT,
            as_of: 0,
        })
    }

    async fn list_facets(
        &self,
        _: &Context,
        _: ListFacetsRequest,
    ) -> Result<ListFacetsResponse, Error> {
        self.films_here()?;
        let (mut genres, mut decades) = (BTreeMap::new(), BTreeMap::new());
        for (film, _) in self.films.values() {
            for genre in &film.genres {
                *genres.entry(genre.clone()).or_default() += 1;
            }
            *decades.entry(film.year / 10 * 10).or_default() += 1;
        }
        Ok(ListFacetsResponse {
            genres: genres
                .into_iter()
                .map(|(name, films)| Genre { name, films })
                .collect(),
            decades: decades
                .into_iter()
                .map(|(decade, films)| Decade { decade, films })
                .collect(),
            films: self.films.len() as u32,
        })
    }

    async fn upload_file(
        &self,
        _cx: &Context,
        _requests: Streaming<api::UploadFileRequest>,
    ) -> Result<api::UploadFileResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn get_upload(
        &self,
        _cx: &Context,
        _request: api::GetUploadRequest,
    ) -> Result<api::GetUploadResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }
}
