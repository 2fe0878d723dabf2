//! Which endpoint gets a call.
//!
//! The less busy of two drawn at random, which needs no look at all of them and sends no crowd to
//! the one that is idle (Mitzenmacher, *The Power of Two Choices in Randomized Load Balancing*,
//! 2001); or one after the other; or the one that the call's key belongs to, unless it is busier than
//! the others (Mirrokni and others, *Consistent Hashing with Bounded Loads*, 2018).
//!
//! Ejected ones get none, one that came back its share. Where fewer than half are connected and in, being
//! ejected no longer counts: few that work would drown.

use super::exchange::Call;
use super::load::Seen;
use super::ring::Ring;
use super::set::Kept;
use super::standing::May;
use crate::policy::{Policy, Rule};
use backlot_core::Dice;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// How often two are drawn before all are looked at.
const ROUNDS: usize = 3;
/// A key's own endpoint may have so many times as many calls as the others on average.
const BOUND: f64 = 1.25;

/// The endpoints of a service at a time.
#[derive(Default)]
pub(super) struct Endpoints {
    pub(super) all: Vec<Kept>,
    everyone: Vec<usize>,
    /// Those of the client's zone, and the others; none where zones make no difference.
    near: Vec<usize>,
    far: Vec<usize>,
    ring: OnceLock<Ring>,
}

/// What a call asks of its endpoint.
#[derive(Clone, Copy, Debug)]
pub(super) struct Want<'a> {
    /// Where it failed before.
    pub(super) avoid: &'a [String],
    /// What it is about.
    pub(super) key: u64,
    /// Whether it may try one that was ejected.
    pub(super) may_try: Trial,
}

/// Whether a call may try one that was ejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trial {
    /// As soon as its time is over: it may be made again.
    First,
    /// When no call that may be made again did.
    Later,
    Never,
}

impl Want<'_> {
    /// Nothing in particular.
    pub(super) const ANY: Want<'static> = Want {
        avoid: &[],
        key: 0,
        may_try: Trial::Later,
    };
}

/// What was chosen.
pub(super) struct Chosen<'a> {
    pub(super) kept: &'a Kept,
    pub(super) call: Call,
    /// Whether the call tries one that was ejected.
    pub(super) tries: bool,
}

/// One choice.
pub(super) struct Choice<'a> {
    pub(super) endpoints: &'a Endpoints,
    pub(super) policy: &'a Policy,
    pub(super) dice: &'a Dice,
    /// Whose turn it is.
    pub(super) turn: &'a AtomicUsize,
    /// How many are ejected, and how many are connected and in.
    pub(super) out: usize,
    pub(super) usable: usize,
    pub(super) now: Instant,
}

impl Endpoints {
    pub(super) fn of(all: Vec<Kept>) -> Self {
        let (near, far): (Vec<_>, Vec<_>) = (0..all.len()).partition(|&at| all[at].near);
        Endpoints {
            everyone: (0..all.len()).collect(),
            near,
            far,
            all,
            ring: OnceLock::new(),
        }
    }

    fn ring(&self) -> &Ring {
        self.ring
            .get_or_init(|| Ring::of(self.all.iter().map(|kept| kept.endpoint.address.as_str())))
    }
}

impl<'a> Choice<'a> {
    /// The endpoint for this call, if any takes one.
    pub(super) fn make(&self, want: Want<'_>) -> Option<Chosen<'a>> {
        let all = &self.endpoints.all;
        let is_alone = all.len() < 2;
        let heeds = !is_alone && self.policy.eject.on;
        let tries = heeds && self.out > 0 && want.may_try != Trial::Never;
        if tries && let Some(chosen) = self.trying(want) {
            return Some(chosen);
        }
        let heeds = heeds && !self.few_are_well();
        let is_avoided = |at: usize| want.avoid.contains(&all[at].endpoint.address);
        let hashes = self.policy.balance.rule == Rule::ConsistentHash;
        let draw = || match hashes {
            // The same for the same key: else its calls would scatter.
            true => fraction(want.key),
            false => self.dice.unit(),
        };
        let fits = |at: usize| {
            all[at].endpoint.is_open() && !is_avoided(at) && (!heeds || self.takes(at, draw))
        };
        let drawn = match self.policy.balance.rule {
            _ if is_alone => None,
            Rule::LeastBusy => self.least_busy(&fits),
            Rule::RoundRobin => {
                let start = self.turn.fetch_add(1, Ordering::Relaxed);
                let mut in_turn = (0..all.len()).map(|step| start.wrapping_add(step) % all.len());
                in_turn.find(|&at| fits(at))
            }
            Rule::ConsistentHash => self.hashed(want.key, &fits),
        };
        if let Some(chosen) = drawn.and_then(|at| self.with(at)) {
            return Some(chosen);
        }
        // Any other that gets calls; the one to be avoided; one that is ejected, rather than none.
        let start = self.draw(all.len());
        let in_turn = || (0..all.len()).map(|step| (start + step) % all.len());
        let is_in = |at: &usize| !heeds || !all[*at].endpoint.standing.is_out();
        let others = in_turn().filter(|at| !is_avoided(*at)).filter(is_in);
        let avoided = in_turn().filter(|at| is_avoided(*at)).filter(is_in);
        others
            .chain(avoided)
            .chain(in_turn())
            .find_map(|at| self.with(at))
    }

    /// One whose time out is over.
    fn trying(&self, want: Want<'_>) -> Option<Chosen<'a>> {
        let eject = &self.policy.eject;
        let mut all = self.endpoints.all.iter();
        all.find_map(|kept| {
            let endpoint = &kept.endpoint;
            let first = want.may_try == Trial::First;
            let is_due = endpoint.standing.may(eject, first, self.now) == May::One
                && !want.avoid.contains(&endpoint.address);
            let call = is_due.then(|| endpoint.call()).flatten()?;
            let tries = endpoint.standing.try_it(self.now);
            tries.then_some(Chosen { kept, call, tries })
        })
    }

    /// Whether fewer than half are connected and in, and some are out.
    fn few_are_well(&self) -> bool {
        self.out > 0 && self.usable * 2 < self.endpoints.all.len()
    }

    /// Whether one gets this call, by how it stands and by what was drawn between 0 and 1.
    fn takes(&self, at: usize, draw: impl FnOnce() -> f64) -> bool {
        match self.may(at) {
            May::All => true,
            // Where all come back at once nobody is there to take more.
            May::Some(share) => !self.others_are_in() || draw() < share,
            May::One | May::None => false,
        }
    }

    fn may(&self, at: usize) -> May {
        let standing = &self.endpoints.all[at].endpoint.standing;
        standing.may(&self.policy.eject, false, self.now)
    }

    /// Whether one gets as many calls as ever.
    fn others_are_in(&self) -> bool {
        let mut all = 0..self.endpoints.all.len();
        all.any(|at| self.endpoints.all[at].endpoint.is_open() && self.may(at) == May::All)
    }

    fn with(&self, at: usize) -> Option<Chosen<'a>> {
        let kept = &self.endpoints.all[at];
        let call = kept.endpoint.call()?;
        Some(Chosen {
            kept,
            call,
            tries: false,
        })
    }

    /// Below `count`; 0 for 0.
    fn draw(&self, count: usize) -> usize {
        usize::try_from(self.dice.below(count as u64)).unwrap_or(0)
    }

    fn seen(&self, at: usize) -> Seen {
        let decay: Duration = self.policy.balance.decay;
        self.endpoints.all[at].endpoint.load.seen(decay, self.now)
    }

    /// The less busy of two, in this zone unless it is much busier than the others.
    fn least_busy(&self, fits: &impl Fn(usize) -> bool) -> Option<usize> {
        let Endpoints { near, far, .. } = self.endpoints;
        if near.is_empty() || far.is_empty() {
            return self.of_two(&self.endpoints.everyone, fits);
        }
        let here = self.of_two(near, fits);
        let there = self.of_two(far, fits);
        match (here, there) {
            (Some(here), Some(there)) => {
                let (near, far) = (self.seen(here), self.seen(there));
                let is_too_busy = near.cost(far) > self.policy.balance.spill * far.cost(near);
                Some(if is_too_busy { there } else { here })
            }
            (here, there) => here.or(there),
        }
    }

    /// The less busy of two drawn from a pool.
    fn of_two(&self, pool: &[usize], fits: &impl Fn(usize) -> bool) -> Option<usize> {
        let count = pool.len();
        for _ in 0..ROUNDS {
            if count < 2 {
                return pool.first().copied().filter(|&at| fits(at));
            }
            let first = self.draw(count);
            let second = (first + 1 + self.draw(count - 1)) % count;
            let [first, second] = [pool[first], pool[second]];
            match (fits(first), fits(second)) {
                (true, true) => {
                    let is_second = self.seen(second).is_less_than(self.seen(first));
                    return Some(if is_second { second } else { first });
                }
                (true, false) => return Some(first),
                (false, true) => return Some(second),
                (false, false) => {}
            }
        }
        None
    }

    /// The one that a key belongs to, or the next that is not too busy.
    fn hashed(&self, key: u64, fits: &impl Fn(usize) -> bool) -> Option<usize> {
        let all = &self.endpoints.all;
        let awaited = all.first()?.endpoint.awaited.load(Ordering::Relaxed);
        #[expect(clippy::cast_precision_loss, reason = "calls at a time")]
        let bound = BOUND * (awaited + 1) as f64 / self.usable.max(1) as f64;
        let is_free = |at: usize| f64::from(self.seen(at).awaited) < bound.max(1.0);
        let (mut own, mut met) = (None, Vec::new());
        for at in self.endpoints.ring().from(key) {
            // Each stands at many points.
            if met.contains(&at) {
                continue;
            }
            if fits(at) {
                if is_free(at) {
                    return Some(at);
                }
                own = own.or(Some(at));
            }
            met.push(at);
            if met.len() == all.len() {
                break;
            }
        }
        own
    }
}

/// A number between 0 and 1.
fn fraction(key: u64) -> f64 {
    (key >> 11) as f64 / (1u64 << 53) as f64
}
