//! The rules of mail: one welcome to each address that a user wants it at, a chart every period to
//! those who said yes there, nothing to anybody else.

use crate::letter::{self, Film};
use crate::model::{self, Subscriber};
use crate::repository::Subscribers;
use backlot::messaging::consume::{Failing, Failure};
use backlot::messaging::outbox::Publishing as _;
use backlot::storage::{Store, Tx};
use backlot::{Clock, Context, Dice, Error, Permission, Rule};
use movies_api as api;
use movies_api::GetChartRequest;
use movies_api::events::{MailAnswered, MailWished};
use std::sync::Arc;
use std::time::Duration;

/// How many addresses a user may try in a day: each gets a message that nobody there asked for.
const TRIED: i64 = 5;
const DAY: i64 = 24 * 3600 * 1000;
/// How many get their chart in one commit.
const AT_ONCE: i64 = 100;
/// How many films a chart has.
const FILMS: i32 = 10;
/// How long a round may take.
const ROUND: Duration = Duration::from_secs(30);
/// How often it is looked whether a period has begun, at the most and at the least.
const LOOK: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(60));

/// Seeing what was asked for.
struct See;

impl Permission for See {
    fn name(&self) -> &'static str {
        "see who gets mail"
    }

    fn rule(&self) -> Rule {
        Rule::Owner
    }
}

pub(crate) struct Controller {
    pub(crate) store: Store,
    pub(crate) movies: Arc<dyn api::Movie>,
    pub(crate) clock: Clock,
    pub(crate) dice: Dice,
    /// Where links lead.
    pub(crate) site: String,
    pub(crate) every: Duration,
}

impl Controller {
    /// What is known of a user's mail.
    pub(crate) async fn subscription(
        &self,
        cx: &Context,
        user: &str,
    ) -> Result<Option<Subscriber>, Error> {
        cx.allow(See, user)?;
        let user = user.to_owned();
        let reading = self.store.read(cx, move |tx| {
            let user = user.clone();
            Box::pin(async move { Ok::<_, Error>(Subscribers::in_tx(tx).of_user(&user).await?) })
        });
        reading.await
    }

    /// A user wants mail at an address, or none.
    pub(crate) async fn wished(&self, tx: &mut Tx, event: &MailWished) -> Result<(), Failure> {
        let wanted = event.address().map_err(Failing::permanent)?;
        let before = Subscribers::in_tx(tx).of_user(&event.user_id).await?;
        let now = self.clock.wall();
        let mut subscriber = before.unwrap_or_else(|| Subscriber {
            user: event.user_id.clone(),
            address: String::new(),
            token: String::new(),
            confirmed: false,
            period: 0,
            day: 0,
            tried: 0,
            note: String::new(),
        });
        subscriber.note.clear();
        match wanted {
            None => leave(&mut subscriber, &self.dice),
            Some(address) if address == subscriber.address => {}
            Some(address) => {
                let day = now.0.div_euclid(DAY);
                if subscriber.day != day {
                    (subscriber.day, subscriber.tried) = (day, 0);
                }
                if subscriber.tried >= TRIED {
                    subscriber.note =
                        format!("{TRIED} addresses a day are enough: try again tomorrow");
                    return Ok(Subscribers::in_tx(tx).put(&subscriber).await?);
                }
                subscriber.tried += 1;
                subscriber.address = address;
                subscriber.confirmed = false;
                subscriber.token = model::token(&self.dice);
                let welcome = letter::welcome(&self.site, &subscriber)?;
                if Subscribers::in_tx(tx).welcome(&welcome.id).await? {
                    tx.publish(&welcome).await?;
                } else {
                    subscriber.note = "this address had its welcome before: follow the link there, or ask whoever runs this".to_owned();
                }
            }
        }
        Ok(Subscribers::in_tx(tx).put(&subscriber).await?)
    }

    /// Somebody followed a link.
    pub(crate) async fn answered(&self, tx: &mut Tx, event: &MailAnswered) -> Result<(), Failure> {
        let found = Subscribers::in_tx(tx).of_token(&event.token).await?;
        let Some(mut subscriber) = found.filter(|it| !it.address.is_empty()) else {
            tracing::debug!("a link was followed that leads to nobody");
            return Ok(());
        };
        match event.wanted {
            true if subscriber.confirmed => return Ok(()),
            true => {
                subscriber.confirmed = true;
                // The next one is the first: nobody gets a chart in the middle of a week.
                subscriber.period = model::period(self.clock.wall(), self.every);
            }
            false => leave(&mut subscriber, &self.dice),
        }
        Ok(Subscribers::in_tx(tx).put(&subscriber).await?)
    }

    /// Sends charts as periods begin, for ever. What was sent stays sent, whenever this ends.
    pub(crate) async fn send_charts(&self) {
        let pause = (self.every / 20).clamp(LOOK.0, LOOK.1);
        loop {
            match self.round().await {
                // There may be more.
                Ok(sent) if sent >= AT_ONCE as usize => continue,
                Ok(_) => {}
                Err(error) => tracing::warn!(
                    error = error.chain(),
                    "charts cannot be sent now; tried again"
                ),
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Sends the chart of now to some who have not had it; to how many.
    pub(crate) async fn round(&self) -> Result<usize, Error> {
        let cx = Context::system("mail").with_timeout(ROUND);
        let period = model::period(self.clock.wall(), self.every);
        let looking = self.store.read(&cx, move |tx| {
            Box::pin(
                async move { Ok::<_, Error>(Subscribers::in_tx(tx).waiting(period, 1).await?) },
            )
        });
        if looking.await?.is_empty() {
            return Ok(0);
        }
        let request = GetChartRequest {
            size: FILMS,
            ..GetChartRequest::default()
        };
        let chart = Arc::new(self.movies.get_chart(&cx, request).await?);
        let site = Arc::<str>::from(self.site.as_str());
        let sending = self.store.write(&cx, move |tx| {
            let (chart, site) = (Arc::clone(&chart), Arc::clone(&site));
            Box::pin(async move {
                let waiting = Subscribers::in_tx(tx).waiting(period, AT_ONCE).await?;
                for subscriber in &waiting {
                    let entries = chart.entries.iter().cloned();
                    let films = entries.filter_map(|entry| Film::of(entry, &site)).collect();
                    let mail = letter::chart(&site, subscriber, period, films)?;
                    tx.publish(&mail).await?;
                    Subscribers::in_tx(tx)
                        .sent(&subscriber.user, period)
                        .await?;
                }
                Ok::<_, Error>(waiting.len())
            })
        });
        sending.await
    }
}

/// Nothing is known any more but how often the user tried; a link that was sent leads to nobody.
fn leave(subscriber: &mut Subscriber, dice: &Dice) {
    subscriber.address.clear();
    subscriber.confirmed = false;
    subscriber.token = model::token(dice);
}

#[cfg(test)]
mod tests;
