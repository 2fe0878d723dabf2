//! What a reader has done with messages: they are offered to whoever comes.

use super::pool::{End, Of, Pool, Side};
use crate::consume::run::{Load, Outcome, Ran, Run};
use crate::engine::{Settle, Stale, Token};
use async_trait::async_trait;
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Handing {
    pub(super) side: Side,
    pub(super) pool: Arc<Pool>,
}

#[async_trait]
impl Run for Handing {
    async fn run(&self, load: Load) -> Ran {
        let mut items = Vec::with_capacity(load.items.len());
        for item in load.items {
            let of = Of {
                side: self.side,
                token: item.message.token,
            };
            let outcome = match self.pool.offer(of, item.message.clone()).await {
                End::Done => Outcome::Done,
                End::Failed(failure) => Outcome::Failed(failure),
                End::Withdrawn => Outcome::Left,
            };
            items.push((item, outcome));
        }
        Ran {
            items,
            has_marked: false,
        }
    }

    fn settled(&self, told: &[(Token, Settle)], stale: &[Stale]) {
        self.pool.settled(self.side, told, stale);
    }

    fn lost(&self, partitions: Option<&[u32]>) {
        self.pool.lost(self.side, partitions);
    }
}
