//! A task's place in its set.

use super::{Alive, Inner, Tasks};
use std::borrow::Cow;
use std::sync::Arc;

/// A task's place in the set, given back on drop.
pub(super) struct Entry {
    owner: Arc<Inner>,
    pub(super) number: u64,
    pub(super) name: Cow<'static, str>,
}

impl Entry {
    pub(super) fn new(tasks: &Tasks, name: Cow<'static, str>) -> Self {
        let owner = Arc::clone(&tasks.0);
        let number = {
            let mut state = owner.state.lock();
            state.last += 1;
            let number = state.last;
            state.alive.insert(
                number,
                Alive {
                    name: name.clone(),
                    abort: None,
                },
            );
            number
        };
        owner.alive.inc();
        owner.progress.send_modify(|progress| progress.alive += 1);
        Entry {
            owner,
            number,
            name,
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.owner.state.lock().alive.remove(&self.number);
        self.owner.alive.dec();
        self.owner
            .progress
            .send_modify(|progress| progress.alive -= 1);
    }
}
