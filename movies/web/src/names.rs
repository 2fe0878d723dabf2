//! Tokens of the names people picked, kept until shortly before they end.

use crate::name::Name;
use backlot::core::principal::{Token, User};
use backlot::{Clock, Context, Error, Principal, Timestamp};
use movies_api::{Auth, PickNameRequest};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A token that ends sooner than this is fetched anew, in seconds.
const MARGIN: i64 = 60;

/// Turns names into principals. Bounded: when full, the token that ends first goes.
pub(crate) struct Names {
    auth: Arc<dyn Auth>,
    clock: Clock,
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    users: BTreeMap<Name, (i64, Arc<User>)>,
    by_end: BTreeSet<(i64, Name)>,
}

impl Names {
    pub(crate) fn new(auth: Arc<dyn Auth>, clock: Clock, most: usize) -> Self {
        Names {
            auth,
            clock,
            most,
            kept: Mutex::default(),
        }
    }

    /// Who acts under `name`.
    ///
    /// # Errors
    /// As the issuer of tokens answers.
    pub(crate) async fn principal(&self, cx: &Context, name: &Name) -> Result<Principal, Error> {
        let now = self.clock.wall().seconds();
        if let Some((ends, user)) = self.lock().users.get(name)
            && *ends - MARGIN > now
        {
            return Ok(Principal::User(Arc::clone(user)));
        }
        let picked = self
            .auth
            .pick_name(
                cx,
                PickNameRequest {
                    name: name.to_string(),
                },
            )
            .await?;
        let user = Arc::new(User {
            subject: name.to_string(),
            roles: BTreeSet::new(),
            // The page acts for people towards these alone; the token itself says what it is meant
            // for and is verified there.
            audience: BTreeSet::from(["rating".to_owned(), "mail".to_owned()]),
            expires: Timestamp::of_seconds(picked.expires_at),
            token: Token::new(picked.token),
        });
        self.lock().keep(
            name.clone(),
            picked.expires_at,
            Arc::clone(&user),
            self.most,
        );
        Ok(Principal::User(user))
    }

    /// Drops a token that somebody refused.
    pub(crate) fn forget(&self, name: &Name) {
        self.lock().drop_name(name);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing in here panics while it holds the lock.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn keep(&mut self, name: Name, ends: i64, user: Arc<User>, most: usize) {
        self.drop_name(&name);
        while self.users.len() >= most
            && let Some((_, first)) = self.by_end.pop_first()
        {
            self.users.remove(&first);
        }
        self.by_end.insert((ends, name.clone()));
        self.users.insert(name, (ends, user));
    }

    fn drop_name(&mut self, name: &Name) {
        if let Some((ends, _)) = self.users.remove(name) {
            self.by_end.remove(&(ends, name.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backlot::Timestamp;
    use movies_api::PickNameResponse;
    use std::sync::atomic::{AtomicI64, Ordering};

    #[derive(Default)]
    struct Issuer {
        picked: AtomicI64,
    }

    #[async_trait::async_trait]
    impl Auth for Issuer {
        async fn pick_name(
            &self,
            _: &Context,
            request: PickNameRequest,
        ) -> Result<PickNameResponse, Error> {
            let count = self.picked.fetch_add(1, Ordering::Relaxed);
            Ok(PickNameResponse {
                token: format!("{}-{count}", request.name),
                expires_at: 900 + count,
            })
        }
    }

    struct World {
        issuer: Arc<Issuer>,
        names: Names,
        now: Arc<AtomicI64>,
    }

    fn world(most: usize) -> World {
        let (issuer, now) = (Arc::new(Issuer::default()), Arc::new(AtomicI64::new(0)));
        let seconds = Arc::clone(&now);
        let clock = Clock::from_fn(move || Timestamp(seconds.load(Ordering::Relaxed) * 1000));
        World {
            names: Names::new(Arc::<Issuer>::clone(&issuer), clock, most),
            issuer,
            now,
        }
    }

    impl World {
        async fn token(&self, name: &str) -> String {
            let name = Name::parse(name).unwrap();
            let principal = self
                .names
                .principal(&Context::background(), &name)
                .await
                .unwrap();
            principal.token().unwrap().expose().to_owned()
        }
    }

    #[tokio::test]
    async fn a_token_is_kept_until_a_minute_before_its_end() {
        let world = world(10);
        assert_eq!(world.token("ann").await, "ann-0");
        world.now.store(839, Ordering::Relaxed);
        assert_eq!(world.token("ann").await, "ann-0");
        world.now.store(840, Ordering::Relaxed);
        assert_eq!(world.token("ann").await, "ann-1");
    }

    #[tokio::test]
    async fn the_map_stays_bounded() {
        let world = world(2);
        for name in ["ann", "bob", "eve"] {
            world.token(name).await;
        }
        assert_eq!(world.names.lock().users.len(), 2);
        assert_eq!(world.names.lock().by_end.len(), 2);
        assert_eq!(world.token("eve").await, "eve-2");
        assert_eq!(world.token("ann").await, "ann-3");
    }

    #[tokio::test]
    async fn a_refused_token_is_fetched_anew() {
        let world = world(10);
        world.token("ann").await;
        world.names.forget(&Name::parse("ann").unwrap());
        assert_eq!(world.token("ann").await, "ann-1");
        assert_eq!(world.issuer.picked.load(Ordering::Relaxed), 2);
    }
}
