//! What is to be settled: gathered for a moment, told until the engine has heard it.

use super::Reader;
use crate::Error;
use crate::consume::letter;
use crate::engine::{Settle, Source, Stale, Token};
use std::collections::BTreeMap;
use std::time::Duration;
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

    /// What is told at once.
    pub(super) fn extend(&mut self, settles: impl IntoIterator<Item = (Token, Settle)>) {
        let before = self.settles.len();
        self.settles.extend(settles);
        self.is_urgent |= self.settles.len() > before;
    }

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

    /// Tells all of it.
    pub(super) async fn flush(&mut self, source: &mut dyn Source) -> Result<(), Error> {
        while !self.settles.is_empty() {
            let is_letter = |(_, settle): &(Token, Settle)| matches!(settle, Settle::Dead(_));
            let mut letters = 0;
            let end = self.settles.iter().position(|settle| {
                letters += usize::from(is_letter(settle));
                letters > LETTERS
            });
            let end = end.unwrap_or(self.settles.len()).min(MANY * 4);
            let call = self.settles[..end].to_vec();
            let stale = source.settle(call).await?;
            let told = self.settles.drain(..end).filter(is_letter);
            let told = told.map(|(token, _)| token);
            let is_stale = |token: &Token| stale.iter().any(|stale| stale.token == *token);
            self.dead.extend(told.filter(|token| !is_stale(token)));
            self.stale.extend(stale);
        }
        self.failures = 0;
        self.is_urgent = false;
        self.due = None;
        Ok(())
    }
}

impl Reader {
    /// Settles, if it is time to.
    pub(super) async fn settle(
        &mut self,
        source: &mut dyn Source,
        now: Instant,
    ) -> Result<(), Error> {
        if !self.settling.is_time(now) {
            return Ok(());
        }
        match self.settling.flush(source).await {
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
