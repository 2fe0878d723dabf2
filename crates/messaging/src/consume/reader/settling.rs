//! What is to be settled: gathered for a moment, told until the engine has heard it.

use super::Reader;
use crate::Error;
use crate::consume::letter;
use crate::consume::run::Run;
use crate::engine::{Settle, Source, Stale, Token};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long acknowledgements are gathered.
const GATHER: Duration = Duration::from_millis(5);
/// So many are not gathered for longer.
const MANY: usize = 4096;
/// The most letters of one call.
const LETTERS: usize = 256;
/// How often one call is tried.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Debug, Default)]
pub(super) struct Settling {
    settles: Vec<(Token, Settle)>,
    /// What a call is telling.
    telling: Vec<(Token, Settle)>,
    due: Option<Instant>,
    is_urgent: bool,
    failures: u32,
    /// What is being settled, to be told again.
    stale: Vec<Stale>,
    dead: Vec<Token>,
}

impl Settling {
    pub(super) fn done(&mut self, token: Token, now: Instant) {
        self.settles.push((token, Settle::Done));
        self.due.get_or_insert(now + GATHER);
    }

    pub(super) fn extend(
        &mut self,
        settles: impl IntoIterator<Item = (Token, Settle)>,
        now: Instant,
    ) {
        let before = self.settles.len();
        self.settles.extend(settles);
        if self.settles.len() > before {
            self.due.get_or_insert(now + GATHER);
        }
    }

    /// Everything is told at once.
    pub(super) fn hurry(&mut self) {
        self.is_urgent = true;
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failures > 0
    }

    pub(super) fn due(&self) -> Option<Instant> {
        match (self.failures, self.is_urgent) {
            _ if self.settles.is_empty() => None,
            (0, true) => Some(Instant::now()),
            _ => self.due,
        }
    }

    fn is_time(&self, now: Instant) -> bool {
        if self.settles.is_empty() {
            return false;
        }
        let is_due = self.due.is_some_and(|due| due <= now);
        is_due || (self.failures == 0 && (self.is_urgent || self.settles.len() >= MANY))
    }

    /// What one call tells; until that has ended it is not forgotten. Nothing if all of so many is
    /// told.
    fn call(&mut self, left: &mut usize) -> Option<Vec<(Token, Settle)>> {
        let is_letter = |(_, settle): &(Token, Settle)| matches!(settle, Settle::Dead(_));
        let mut letters = 0;
        // What failed and has come to its end since is told of in two calls: an engine may take but
        // the first of one.
        let mut failed = BTreeSet::new();
        let end = self.settles.iter().position(|settle| {
            letters += usize::from(is_letter(settle));
            let has_failed = failed.contains(&settle.0);
            if matches!(settle.1, Settle::Failed(_)) {
                failed.insert(settle.0);
            }
            letters > LETTERS || has_failed
        });
        let end = end.unwrap_or(self.settles.len()).min(MANY * 4).min(*left);
        *left -= end;
        let rest = self.settles.split_off(end);
        self.telling = std::mem::replace(&mut self.settles, rest);
        (end > 0).then(|| self.telling.clone())
    }

    /// How a call of `run`'s messages has ended.
    fn called(&mut self, ended: Result<Vec<Stale>, Error>, run: &dyn Run) -> Result<(), Error> {
        let mut told = std::mem::take(&mut self.telling);
        match ended {
            Ok(stale) => {
                run.settled(&told, &stale);
                let is_letter = |(_, settle): &(Token, Settle)| matches!(settle, Settle::Dead(_));
                let letters = told.iter().filter(|settle| is_letter(settle));
                let is_stale = |token: &Token| stale.iter().any(|stale| stale.token == *token);
                let letters = letters.map(|(token, _)| *token);
                self.dead.extend(letters.filter(|token| !is_stale(token)));
                self.stale.extend(stale);
                Ok(())
            }
            Err(error) => {
                told.append(&mut self.settles);
                self.settles = told;
                Err(error)
            }
        }
    }
}

impl Reader {
    /// Tells all there is by now. Handlers go on meanwhile, and others begin if they may: a store
    /// that writes to the disk takes longer than many of them.
    async fn tell(
        &mut self,
        source: &mut dyn Source,
        may_begin: impl Fn() -> bool,
    ) -> Result<(), Error> {
        self.settling.is_urgent = false;
        self.settling.due = None;
        let mut left = self.settling.settles.len();
        while let Some(call) = self.settling.call(&mut left) {
            let mut telling = source.settle(call);
            let ended = loop {
                tokio::select! {
                    biased;
                    ended = &mut telling => break ended,
                    Some(finished) = self.running.join_next(), if !self.running.is_empty() => {
                        self.finished(finished)?;
                        if may_begin() {
                            self.begin(Instant::now());
                        }
                    }
                }
            };
            self.settling.called(ended, self.run.as_ref())?;
        }
        self.settling.failures = 0;
        Ok(())
    }

    /// Tells everything, also what comes to an end meanwhile. Nothing is begun.
    pub(super) async fn tell_all(&mut self, source: &mut dyn Source) -> Result<(), Error> {
        while !self.settling.settles.is_empty() {
            self.tell(source, || false).await?;
        }
        Ok(())
    }

    /// Settles, if it is time to.
    pub(super) async fn settle(
        &mut self,
        source: &mut dyn Source,
        stop: &watch::Receiver<bool>,
        now: Instant,
    ) -> Result<(), Error> {
        if !self.settling.is_time(now) {
            return Ok(());
        }
        match self.tell(source, || !*stop.borrow()).await {
            Ok(()) => {}
            Err(error) if error_is_final(&error) || self.settling.failures >= TRIES => {
                return Err(error);
            }
            Err(error) => {
                if matches!(error, Error::UnknownTopic { .. }) {
                    let dead = letter::dead(&self.names.topic, &self.names.group);
                    self.make(&self.cx(), &dead, 1).await?;
                }
                tracing::warn!(
                    error = backlot_core::error::chain(&error),
                    group = self.group.name,
                    "what was done could not be settled, and will be tried again"
                );
                self.settling.failures += 1;
                self.settling.due = Some(now + PAUSE);
            }
        }
        self.telemetry.stale.add(self.settling.stale.len() as u64);
        self.settling.stale.clear();
        for token in std::mem::take(&mut self.settling.dead) {
            if self.parts.of(token).is_some() {
                let Token {
                    partition, offset, ..
                } = token;
                self.parts.passed(partition, offset, offset + 1);
            }
        }
        Ok(())
    }

    /// Leases anew what is out, before half of its time is over.
    pub(super) async fn extend(
        &mut self,
        source: &mut dyn Source,
        now: Instant,
    ) -> Result<(), Error> {
        if now < self.extend {
            return Ok(());
        }
        self.extend = now + self.group.lease / 3;
        let lease = self.group.lease;
        let mut out: BTreeMap<Token, Settle> = BTreeMap::new();
        let running = self.underway.values().flatten().copied();
        for token in self.parts.tokens().chain(running) {
            out.insert(token, Settle::Extend(lease));
        }
        if out.is_empty() {
            return Ok(());
        }
        source.settle(out.into_iter().collect()).await.map(drop)
    }
}

fn error_is_final(error: &Error) -> bool {
    matches!(error, Error::Closed)
}
