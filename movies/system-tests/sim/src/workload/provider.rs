//! A provider, who publishes the ratings of users of its own: one event, or several in one call,
//! again and again under the same ids until that is acknowledged.

use super::{FILMS, Party, Person, UNTIL, may_pass};
use crate::model::Change;
use crate::plan::Defence;
use backlot::messaging::bus::Publish;
use backlot::messaging::engine::{Engine, Outgoing, TopicSpec};
use backlot::messaging::event::{Event, Stamp, encode};
use backlot::messaging::{Bus, Error as Refusal};
use backlot::{Context, Dice, Error, Principal};
use backlot_sim::Host;
use backlot_sim::host::Caller;
use movies_api::events::RatingSubmitted;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// An event on its way.
struct Submission {
    id: String,
    /// Whose rating of which film; nothing for an event that says nothing that can be done.
    of: Option<(&'static str, &'static str)>,
    says: Says,
}

enum Says {
    Event(RatingSubmitted),
    /// A body that no program can read.
    Noise,
}

/// Does what providers do, until [`UNTIL`], for users of its own.
pub async fn provide(
    host: Host,
    caller: Caller,
    party: Party,
    log: Arc<dyn Engine>,
    (name, users): (&'static str, [&'static str; 2]),
) {
    let dice = host.dice(name);
    let bus = Bus::new(log, name, host.env());
    let person = Person {
        host,
        caller,
        party,
        name,
        principal: Principal::Anonymous,
    };
    while person.host.elapsed() < UNTIL {
        person.think(&dice).await;
        let count = match dice.below(100) {
            0..50 => 1,
            _ => 2 + dice.below(5),
        };
        let events: Vec<Submission> = (0..count).map(|_| draw(&dice, users)).collect();
        person.publish(&bus, &dice, events).await;
    }
    person.party.done.send_modify(|done| *done += 1);
}

fn draw(dice: &Dice, users: [&'static str; 2]) -> Submission {
    let film = FILMS[dice.below(FILMS.len() as u64) as usize];
    let user = users[dice.below(2) as usize];
    let half_stars = 1 + dice.below(10) as u8;
    let (of, says) = match dice.below(100) {
        0..70 => {
            let event = RatingSubmitted::put(user, "movie", film, half_stars);
            (Some((film, user)), Says::Event(event))
        }
        70..94 => {
            let event = RatingSubmitted::delete(user, "movie", film);
            (Some((film, user)), Says::Event(event))
        }
        94..97 => {
            let event = RatingSubmitted {
                value: Some(5.5),
                ..RatingSubmitted::put(user, "movie", film, half_stars)
            };
            (None, Says::Event(event))
        }
        _ => (None, Says::Noise),
    };
    let id = dice.uuid();
    Submission { id, of, says }
}

impl Submission {
    fn change(&self) -> Change {
        match &self.says {
            Says::Event(RatingSubmitted {
                value: Some(stars), ..
            }) => Change::Put((stars * 2.0) as u8),
            Says::Event(_) | Says::Noise => Change::Delete,
        }
    }

    fn outgoing(&self, person: &Person) -> Result<Outgoing, Refusal> {
        let event = match &self.says {
            Says::Event(event) => event.clone(),
            Says::Noise => RatingSubmitted::delete("nobody", "movie", FILMS[0]),
        };
        let stamp = Stamp {
            id: self.id.clone(),
            source: person.name.into(),
            time: person.host.env().clock.wall(),
        };
        let mut record = encode(&event, stamp)?;
        if matches!(self.says, Says::Noise) {
            record.payload = "{".into();
        }
        Ok(Outgoing::new(RatingSubmitted::TOPIC, record).deduplicated())
    }
}

impl Person {
    /// Publishes events, again and again until that is acknowledged.
    async fn publish(&self, bus: &Bus, dice: &Dice, mut events: Vec<Submission>) {
        let model = &self.party.model;
        for event in &events {
            match event.of {
                Some((film, user)) => model.submit(film, user, event.change()),
                None => model.submit_senseless(&event.id),
            }
        }
        let what = format!("{} publishes {} events", self.name, events.len());
        for attempt in 1.. {
            let timeout = Duration::from_millis(400 + dice.below(1100));
            let call = self.call(&what, timeout, Context::background(), async |cx| {
                self.publish_once(bus, cx, &events).await
            });
            match call.await {
                Ok(()) => {
                    let keys: BTreeSet<_> = events.iter().filter_map(|event| event.of).collect();
                    for (film, user) in keys {
                        model.publish(film, user);
                    }
                    self.host.trace().count("calls published");
                    if attempt == 1 {
                        self.host.trace().detail(self.host.name(), what);
                    } else {
                        self.host.trace().count("calls published again");
                        let text = format!("{what}: done, at attempt {attempt}");
                        self.host.trace().note(self.host.name(), text);
                    }
                    return;
                }
                Err(error) if may_pass(&error) => {
                    self.pause(dice).await;
                    if !self.party.plan.has(Defence::Deduplication) {
                        for event in events.iter_mut().filter(|event| event.of.is_some()) {
                            event.id = dice.uuid();
                        }
                    }
                }
                Err(error) => return self.violation(format!("{what}: {}", error.chain())),
            }
        }
    }

    async fn publish_once(
        &self,
        bus: &Bus,
        cx: &Context,
        events: &[Submission],
    ) -> Result<(), Error> {
        if let [
            Submission {
                id,
                says: Says::Event(event),
                ..
            },
        ] = events
        {
            let how = Publish::new().dedupe(id.as_str());
            bus.publish_with(cx, event, how).await?;
            return Ok(());
        }
        let outgoing: Result<Vec<Outgoing>, Refusal> =
            events.iter().map(|event| event.outgoing(self)).collect();
        let outgoing = outgoing?;
        match bus.engine().append(cx, outgoing.clone()).await {
            Err(Refusal::UnknownTopic { .. }) => {
                let spec = TopicSpec::new(RatingSubmitted::TOPIC, RatingSubmitted::PARTITIONS);
                bus.engine().ensure(cx, &spec).await?;
                bus.engine().append(cx, outgoing).await?;
            }
            appended => drop(appended?),
        }
        Ok(())
    }
}
