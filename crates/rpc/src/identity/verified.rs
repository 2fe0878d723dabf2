//! Tokens verified lately, so that a signature is checked once and not at every call.

use backlot_core::Principal;
use backlot_core::principal::User;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// How many tokens each of the two generations holds.
const GENERATION: usize = 5_000;

/// A bounded memory of two generations: when the young one is full it becomes the old one.
#[derive(Debug, Default)]
pub(super) struct Verified(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    young: HashMap<Arc<str>, Entry>,
    old: HashMap<Arc<str>, Entry>,
}

impl std::fmt::Debug for Generations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The keys are secrets.
        write!(f, "{} tokens", self.young.len() + self.old.len())
    }
}

#[derive(Clone)]
struct Entry {
    user: Arc<User>,
    expires: i64,
}

impl Verified {
    pub(super) fn get(&self, token: &str, now: i64) -> Option<Principal> {
        let generations = self.0.lock();
        let entry = generations
            .young
            .get(token)
            .or_else(|| generations.old.get(token))?;
        (entry.expires > now).then(|| Principal::User(Arc::clone(&entry.user)))
    }

    pub(super) fn put(&self, token: &str, user: Arc<User>, expires: i64, now: i64) {
        if expires <= now {
            return;
        }
        let mut generations = self.0.lock();
        if generations.young.len() >= GENERATION {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations
            .young
            .insert(token.into(), Entry { user, expires });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backlot_core::principal::Token;

    fn user(name: &str) -> Arc<User> {
        Arc::new(User {
            subject: name.into(),
            roles: Default::default(),
            audience: Default::default(),
            expires: backlot_core::Timestamp::of_seconds(100),
            token: Token::new(name),
        })
    }

    #[test]
    fn it_forgets_expired_tokens_and_stays_bounded() {
        let verified = Verified::default();
        verified.put("a", user("a"), 100, 0);
        assert!(verified.get("a", 99).is_some());
        assert!(verified.get("a", 100).is_none());
        for number in 0..3 * GENERATION {
            verified.put(&number.to_string(), user("x"), 100, 0);
        }
        let generations = verified.0.lock();
        assert!(generations.young.len() + generations.old.len() <= 2 * GENERATION);
    }
}
