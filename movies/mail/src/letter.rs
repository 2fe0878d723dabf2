//! What messages say.

use crate::model::{self, Address};
use askama::Template;
use backlot::Error;
use backlot::Timestamp;
use movies_api::ChartEntry;
use movies_api::events::MailDue;

#[derive(Template)]
#[template(path = "welcome.txt")]
struct WelcomeText<'a>(&'a Words<'a>);

#[derive(Template)]
#[template(path = "welcome.html")]
struct WelcomeHtml<'a>(&'a Words<'a>);

#[derive(Template)]
#[template(path = "chart.txt")]
struct ChartText<'a>(&'a Words<'a>);

#[derive(Template)]
#[template(path = "chart.html")]
struct ChartHtml<'a>(&'a Words<'a>);

/// What a message is made of.
struct Words<'a> {
    site: &'a str,
    user: &'a str,
    confirm: String,
    leave: String,
    films: Vec<Film>,
}

/// A place in the chart.
pub(crate) struct Film {
    rank: u32,
    title: String,
    /// 0 when unknown.
    year: i32,
    /// In stars, with two decimals.
    score: String,
    ratings: u32,
    link: String,
}

impl Film {
    /// What is said of an entry; nothing of one without a film.
    pub(crate) fn of(entry: ChartEntry, site: &str) -> Option<Self> {
        let movie = entry.movie?;
        let facts = movie.metadata?;
        Some(Film {
            rank: entry.rank,
            title: line(&facts.title),
            year: facts.year,
            score: format!("{:.2}", entry.score),
            ratings: movie.rating.map_or(0, |rating| rating.count),
            link: format!("{site}/movies/{}", escaped(&facts.id)),
        })
    }
}

/// The first message to an address: it asks whether more is wanted.
pub(crate) fn welcome(site: &str, to: &Address, month: i64) -> Result<MailDue, Error> {
    let words = words(site, to, Vec::new());
    Ok(MailDue {
        id: model::id(&["welcome", &to.user, &to.address, &month.to_string()]),
        to: to.address.clone(),
        subject: format!("Welcome to Movies, {}", line(&to.user)),
        text: rendered(WelcomeText(&words))?,
        html: rendered(WelcomeHtml(&words))?,
        leave: words.leave,
    })
}

/// The chart of a period.
pub(crate) fn chart(
    site: &str,
    to: &Address,
    period: Timestamp,
    films: Vec<Film>,
) -> Result<MailDue, Error> {
    let words = words(site, to, films);
    let first = words.films.first();
    let subject = first.map_or("The best films".to_owned(), |first| {
        format!("The best films: {} leads", first.title)
    });
    Ok(MailDue {
        id: model::id(&["chart", &to.user, &to.address, &period.0.to_string()]),
        to: to.address.clone(),
        subject,
        text: rendered(ChartText(&words))?,
        html: rendered(ChartHtml(&words))?,
        leave: words.leave,
    })
}

fn words<'a>(site: &'a str, to: &'a Address, films: Vec<Film>) -> Words<'a> {
    Words {
        site,
        user: &to.user,
        confirm: format!("{site}/mail/confirm/{}", to.token),
        leave: format!("{site}/mail/leave/{}", to.token),
        films,
    }
}

fn rendered(template: impl Template) -> Result<String, Error> {
    let text = template.render();
    text.map_err(|error| Error::internal("a message cannot be written").with_source(error))
}

/// On one line: what people call films and themselves may hold anything.
fn line(text: &str) -> String {
    let plain = text.chars().filter(|character| !character.is_control());
    plain.take(200).collect()
}

/// An id as part of a path.
fn escaped(id: &str) -> String {
    let mut path = String::with_capacity(id.len());
    for byte in id.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                path.push(char::from(byte));
            }
            _ => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}
