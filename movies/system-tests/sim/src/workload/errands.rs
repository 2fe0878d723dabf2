//! A workshop: one sends errands, and workers pull them from their queue and say what became of
//! each. What is over stays over, whatever fails meanwhile.

use super::{Party, Person, UNTIL, may_pass};
use backlot::messaging::dead::queue_of;
use backlot::messaging::engine::{Engine, Outgoing, TopicSpec};
use backlot::messaging::pull::{Answer, Ask, Lease, Leased, Queues};
use backlot::messaging::{Error as Refusal, Record};
use backlot::{Context, Dice, Principal};
use backlot_sim::Host;
use backlot_sim::host::Caller;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

const TOPIC: &str = "errands";
const GROUP: &str = "workshop";
const WORKERS: [&str; 3] = ["wanda", "wim", "wu"];
/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How often is looked whether all is done, and how many times.
const LOOK: Duration = Duration::from_millis(250);
const LOOKS: u32 = 160;

/// What everybody in the workshop knows of each errand.
type Board = Arc<Mutex<BTreeMap<String, Errand>>>;

#[derive(Debug, Default)]
struct Errand {
    /// The same whenever it comes.
    effect: Option<String>,
    /// What workers said of it that ends it.
    said: BTreeSet<End>,
    /// What the broker took.
    over: Option<End>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Done,
    Never,
}

/// Sends errands until [`UNTIL`], and has them done.
pub async fn errands(host: Host, caller: Caller, party: Party, log: Arc<dyn Engine>) {
    let board = Board::default();
    let closed = watch::Sender::new(false);
    let person = |name| Person {
        host: host.clone(),
        caller: caller.clone(),
        party: party.clone(),
        name,
        principal: Principal::Anonymous,
    };
    let Some(queues) = log.queues() else {
        return person("workshop").violation("the broker has no queues".to_owned());
    };
    let mut at_work = JoinSet::new();
    for name in WORKERS {
        let (person, board) = (person(name), Arc::clone(&board));
        let (queues, closed) = (Arc::clone(&queues), closed.subscribe());
        at_work.spawn_local(async move { person.run_errands(&*queues, &board, closed).await });
    }
    let sender = person("gepetto");
    sender.send_errands(&*log, &board).await;
    sender.see_all_done(&*log).await;
    closed.send_replace(true);
    while at_work.join_next().await.is_some() {}
    sender.compare_errands(&*log, &board).await;
    party.done.send_modify(|done| *done += 1);
}

impl Person {
    async fn send_errands(&self, log: &dyn Engine, board: &Board) {
        let dice = self.host.dice(self.name);
        let made = self.until_done("errands are made", async |cx| {
            Ok(log.ensure(cx, &TopicSpec::new(TOPIC, 2)).await?)
        });
        if let Err(error) = made.await {
            return self.violation(format!("errands cannot be sent: {}", error.chain()));
        }
        while self.host.elapsed() < UNTIL {
            self.think(&dice).await;
            let ids: Vec<String> = (0..=dice.below(3)).map(|_| dice.uuid()).collect();
            for id in &ids {
                board.lock().entry(id.clone()).or_default();
            }
            let messages = ids.iter().map(|id| {
                let record = Record::new(id.clone(), "Errand", self.name, "{}");
                Outgoing::new(TOPIC, record).deduplicated()
            });
            let messages: Vec<Outgoing> = messages.collect();
            let what = format!("{} errands are sent", messages.len());
            let sent = self.until_done(&what, async |cx| {
                log.append(cx, messages.clone()).await?;
                Ok(())
            });
            match sent.await {
                Ok(()) => self.host.trace().count("calls that sent errands"),
                Err(error) => self.violation(format!("{what}: {}", error.chain())),
            }
        }
    }

    async fn run_errands(&self, queues: &dyn Queues, board: &Board, closed: watch::Receiver<bool>) {
        let dice = self.host.dice(self.name);
        while !*closed.borrow() {
            let ask = Ask {
                max: 1 + usize::try_from(dice.below(4)).unwrap_or(0),
                wait: Duration::from_millis(500),
                lease: Duration::from_millis(1000 + dice.below(2000)),
                attempts: 1000,
                ..Ask::new(TOPIC, GROUP, self.name)
            };
            let asked = self.call("an errand", TIMEOUT, Context::background(), async |cx| {
                match queues.pull(cx, &ask).await {
                    // Nobody sent any yet.
                    Err(Refusal::UnknownTopic { .. }) => Ok(Vec::new()),
                    pulled => Ok(pulled?),
                }
            });
            let leased = match asked.await {
                Ok(leased) => leased,
                Err(error) if may_pass(&error) => Vec::new(),
                Err(error) => return self.violation(format!("an errand: {}", error.chain())),
            };
            if leased.is_empty() {
                self.pause(&dice).await;
            }
            for errand in &leased {
                self.take(board, errand);
            }
            for errand in leased {
                tokio::time::sleep(Duration::from_millis(dice.below(150))).await;
                self.settle(queues, board, &errand, &dice).await;
            }
        }
    }

    fn take(&self, board: &Board, leased: &Leased) {
        let id = &leased.record.id;
        let text = format!(
            "{} takes errand {id}, attempt {}",
            self.name, leased.attempt
        );
        self.host.trace().detail(self.host.name(), text);
        let mut board = board.lock();
        let Some(errand) = board.get_mut(id) else {
            return self.violation(format!("errand {id} comes from nowhere"));
        };
        if let Some(over) = errand.over {
            self.violation(format!("errand {id} comes again, and was over: {over:?}"));
        }
        let effect = errand.effect.get_or_insert_with(|| leased.effect.clone());
        if *effect != leased.effect {
            let other = &leased.effect;
            self.violation(format!("errand {id} has the effects {effect} and {other}"));
        }
    }

    async fn settle(&self, queues: &dyn Queues, board: &Board, leased: &Leased, dice: &Dice) {
        let id = &leased.record.id;
        let (end, answer) = match dice.below(100) {
            // Gone, with what it had.
            0..8 => return,
            8..16 => (Some(End::Never), Answer::Reject("no errand".to_owned())),
            16..26 => {
                let failure = Some("it rains".to_owned());
                let after = Some(Duration::from_millis(dice.below(300)));
                (None, Answer::Retry { after, failure })
            }
            26..32 => {
                let (after, failure) = (None, None);
                (None, Answer::Retry { after, failure })
            }
            _ => (Some(End::Done), Answer::Done),
        };
        if let Some(end) = end
            && let Some(errand) = board.lock().get_mut(id)
        {
            errand.said.insert(end);
        }
        let what = format!("errand {id}: {end:?}");
        let answers = || vec![(Lease(leased.lease.0.clone()), answer.clone())];
        let told = self.until_done(&what, async |cx| Ok(queues.answer(cx, answers()).await?));
        match (told.await, end) {
            (Ok(late), Some(end)) if late.is_empty() => {
                if let Some(errand) = board.lock().get_mut(id) {
                    errand.over = Some(end);
                }
                self.host.trace().count("errands over");
                let text = format!("{} ended errand {id}: {end:?}", self.name);
                self.host.trace().detail(self.host.name(), text);
            }
            (Ok(_), _) => {}
            (Err(error), _) => self.violation(format!("{what}: {}", error.chain())),
        }
    }

    /// Waits until the group has nothing left, neither first nor again.
    async fn see_all_done(&self, log: &dyn Engine) {
        for _look in 0..LOOKS {
            let lag = self.until_done("errands are counted", async |cx| {
                let report = log.inspect(cx, TOPIC, Some(GROUP)).await;
                let groups = match report {
                    Err(Refusal::UnknownGroup { .. }) => return Ok(u64::MAX),
                    report => report?.groups,
                };
                Ok(groups
                    .iter()
                    .flat_map(|group| &group.partitions)
                    .map(|part| part.lag)
                    .sum())
            });
            match lag.await {
                Ok(0) => return,
                Ok(_) => tokio::time::sleep(LOOK).await,
                Err(error) => {
                    return self.violation(format!("errands cannot be counted: {}", error.chain()));
                }
            }
        }
        self.violation("errands are never all done".to_owned());
    }

    /// Each errand was ended by somebody, and is dead exactly if it was refused.
    async fn compare_errands(&self, log: &dyn Engine, board: &Board) {
        let letters = self.everything(log, &queue_of(TOPIC, GROUP)).await;
        let mut dead = BTreeSet::new();
        for letter in letters {
            let id = letter.record.id;
            if !dead.insert(id.clone()) {
                self.violation(format!("errand {id} died twice"));
            }
        }
        for (id, errand) in &*board.lock() {
            let wrong = match errand.over {
                Some(End::Done) => dead.contains(id),
                Some(End::Never) => !dead.contains(id),
                // What the broker said was lost with it.
                None if dead.contains(id) => !errand.said.contains(&End::Never),
                None => !errand.said.contains(&End::Done),
            };
            if wrong {
                let is_dead = dead.contains(id);
                self.violation(format!("errand {id} is {errand:?}, and dead: {is_dead}"));
            }
        }
    }
}
