//! People who ask for a film all the time, each when the last answer has come.

use crate::site::Site;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// What came of one question.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Who asked.
    pub(crate) person: usize,
    pub(crate) began: Instant,
    pub(crate) took: Duration,
    /// What is wrong with the answer, if anything is.
    pub(crate) wrong: Option<String>,
}

/// A load, until it is stopped.
pub(crate) struct Load {
    stop: watch::Sender<bool>,
    askers: JoinSet<Vec<Seen>>,
}

impl Load {
    /// So many people ask for the film `m`.
    pub(crate) fn begin(site: &Arc<Site>, people: usize) -> Load {
        let stop = watch::Sender::new(false);
        let mut askers = JoinSet::new();
        for person in 0..people {
            let (site, stopped) = (Arc::clone(site), stop.subscribe());
            askers.spawn(async move {
                let mut seen = Vec::new();
                while !*stopped.borrow() {
                    let began = Instant::now();
                    let wrong = site.rated("m").await.err();
                    let took = Instant::now() - began;
                    seen.push(Seen {
                        person,
                        began,
                        took,
                        wrong,
                    });
                }
                seen
            });
        }
        Load { stop, askers }
    }

    /// All that was seen, in order of time.
    pub(crate) async fn end(self) -> Vec<Seen> {
        self.stop.send_replace(true);
        let mut seen = self.askers.join_all().await.concat();
        seen.sort_by_key(|seen| seen.began);
        seen
    }
}
