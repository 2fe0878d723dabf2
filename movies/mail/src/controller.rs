//! The rules of mail: a welcome to an address that somebody wants it at, a chart every period to those
//! who said yes there, nothing to anybody else.
//!
//! A name is anybody's: whoever goes by it may ask, and learns nothing. What somebody who reads the
//! mail of an address said yes to is changed by a link in a message alone.

use crate::letter::{self, Film};
use crate::model::{self, Address, User};
use crate::repository::Subscribers;
use aws_lc_rs::hmac;
use backlot::messaging::consume::{Failing, Failure};
use backlot::messaging::outbox::Publishing as _;
use backlot::storage::{Store, Tx};
use backlot::{Clock, Context, Error, Permission, Rule, Timestamp};
use movies_api as api;
use movies_api::GetChartRequest;
use movies_api::events::{MailAnswered, MailWished};
use std::sync::Arc;
use std::time::Duration;

/// How many addresses a user may try in a day: each gets a message that nobody there asked for.
const TRIED: i64 = 5;
const DAY: i64 = 24 * 3600 * 1000;
/// How many welcomes an address gets in a month, from whatever names.
const WELCOMES: i64 = 3;
const MONTH: i64 = 30 * DAY;
/// For how many months nobody asks an address that declined.
const DECLINED: i64 = 12;
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
    /// What tokens are made with.
    pub(crate) key: hmac::Key,
    /// Where links lead.
    pub(crate) site: String,
    pub(crate) every: Duration,
}

impl Controller {
    /// What is known of a user's mail: the user, and the addresses.
    pub(crate) async fn subscription(
        &self,
        cx: &Context,
        user: &str,
    ) -> Result<(Option<User>, Vec<Address>), Error> {
        cx.allow(See, user)?;
        let user = user.to_owned();
        let reading = self.store.read(cx, move |tx| {
            let user = user.clone();
            Box::pin(async move {
                let mut subscribers = Subscribers::in_tx(tx);
                let known = subscribers.user(&user).await?;
                Ok::<_, Error>((known, subscribers.of_user(&user).await?))
            })
        });
        reading.await
    }

    /// Somebody who goes by a name wants mail at an address, or none. What was said yes to stays.
    pub(crate) async fn wished(&self, tx: &mut Tx, event: &MailWished) -> Result<(), Failure> {
        let wanted = event.address().map_err(Failing::permanent)?;
        let now = self.clock.wall();
        let mut subscribers = Subscribers::in_tx(tx);
        let addresses = subscribers.of_user(&event.user_id).await?;
        let is_known = |wanted: &String| addresses.iter().any(|known| known.address == *wanted);
        if wanted.as_ref().is_some_and(is_known) {
            return Ok(());
        }
        for asked in addresses.iter().filter(|known| !known.confirmed) {
            subscribers.delete(&asked.token).await?;
        }
        let Some(address) = wanted else {
            return Ok(());
        };
        let known = subscribers.user(&event.user_id).await?;
        let mut user = known.unwrap_or_else(|| User {
            name: event.user_id.clone(),
            tried_on: 0,
            tried: 0,
            note: String::new(),
        });
        let day = now.0.div_euclid(DAY);
        if user.tried_on != day {
            (user.tried_on, user.tried) = (day, 0);
        }
        if user.tried >= TRIED {
            user.note = format!("{TRIED} addresses a day are enough: try again tomorrow");
            return Ok(subscribers.put_user(&user).await?);
        }
        user.tried += 1;
        user.note.clear();
        let asked = Address {
            token: model::token(&self.key, &user.name, &address),
            user: user.name.clone(),
            address,
            confirmed: false,
            last_chart: Timestamp(0),
        };
        subscribers.put(&asked).await?;
        let (id, month) = (model::id(&[&asked.address]), now.0.div_euclid(MONTH));
        let sent = subscribers.welcomes(&id, month).await?;
        if sent < WELCOMES {
            subscribers.put_welcomes(&id, month, sent + 1).await?;
        } else {
            user.note = "this address is not asked again for now: whoever reads its mail has been asked before, and a link that it has from then is still good".to_owned();
        }
        subscribers.put_user(&user).await?;
        if sent < WELCOMES {
            tx.publish(&letter::welcome(&self.site, &asked, month)?)
                .await?;
        }
        Ok(())
    }

    /// Somebody followed a link: whoever reads the mail of its address.
    pub(crate) async fn answered(&self, tx: &mut Tx, event: &MailAnswered) -> Result<(), Failure> {
        let mut subscribers = Subscribers::in_tx(tx);
        let Some(mut address) = subscribers.of_token(&event.token).await? else {
            tracing::debug!("a link was followed that leads to nobody");
            return Ok(());
        };
        let now = self.clock.wall();
        if !event.wanted {
            subscribers.delete(&address.token).await?;
            // Nobody else asks it either, by whatever name.
            let month = now.0.div_euclid(MONTH) + DECLINED;
            let id = model::id(&[&address.address]);
            return Ok(subscribers.put_welcomes(&id, month, WELCOMES).await?);
        }
        if address.confirmed {
            return Ok(());
        }
        address.confirmed = true;
        // The next one is the first: nobody gets a chart in the middle of a week.
        address.last_chart = model::period(now, self.every);
        for other in subscribers.of_user(&address.user).await? {
            if other.token != address.token {
                subscribers.delete(&other.token).await?;
            }
        }
        Ok(subscribers.put(&address).await?)
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
                        .sent(&subscriber.token, period)
                        .await?;
                }
                Ok::<_, Error>(waiting.len())
            })
        });
        sending.await
    }
}

#[cfg(test)]
mod tests;
