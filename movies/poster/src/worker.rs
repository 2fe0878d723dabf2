//! One job: fetch a file, look into it, say what came of it.

use crate::Config;
use crate::picture::{self, Refused};
use async_trait::async_trait;
use backlot::messaging::Bus;
use backlot::messaging::bus::Publish;
use backlot::messaging::consume::{Failing, Failure, Job, Work};
use backlot::{Code, Context, Error, Offload};
use movies_api as api;
use movies_api::GetFileRequest;
use movies_api::events::{PosterChecked, PosterUploaded};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// When a file is asked for again while the catalogue is away.
const AWAY: Duration = Duration::from_secs(5);

pub(crate) struct Worker {
    pub(crate) config: Config,
    pub(crate) metadata: Arc<dyn api::Metadata>,
    pub(crate) bus: Bus,
    pub(crate) offload: Offload,
}

impl Worker {
    /// The bytes of a file; nothing when there is no such file any more. No more of it is taken than
    /// tells that it is too large.
    async fn fetch(&self, cx: &Context, sha256: &str) -> Result<Option<Vec<u8>>, Error> {
        let request = GetFileRequest {
            sha256: sha256.to_owned(),
        };
        let mut file = match self.metadata.get_file(cx, request).await {
            Err(error) if error.code() == Code::NotFound => return Ok(None),
            file => file?,
        };
        let mut bytes = Vec::new();
        while let Some(part) = file.next().await {
            match part {
                Err(error) if error.code() == Code::NotFound => return Ok(None),
                part => bytes.extend(part?.chunk),
            }
            if bytes.len() > self.config.bytes as usize {
                break;
            }
        }
        Ok(Some(bytes))
    }
}

#[async_trait]
impl Work<PosterUploaded> for Worker {
    async fn work(&self, cx: &Context, job: &Job<PosterUploaded>) -> Result<(), Failure> {
        let event = &job.event;
        let bytes = match self.fetch(cx, &event.sha256).await {
            Ok(Some(bytes)) => bytes,
            // Another was uploaded since, and this one deleted.
            Ok(None) => return Ok(()),
            Err(error) => {
                let is_away = matches!(error.code(), Code::Unavailable | Code::DeadlineExceeded);
                return Err(match is_away {
                    true => error.later(AWAY),
                    false => error.into(),
                });
            }
        };
        let (config, announced) = (self.config.clone(), event.media_type.clone());
        let size = event
            .size
            .max(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        // A decoder that breaks has been given something that breaks it: that is known for good.
        let making = move || {
            let made = || picture::make(&bytes, &announced, &config);
            catch_unwind(AssertUnwindSafe(made)).unwrap_or(Err(Refused::Breaks))
        };
        let made = match size > self.config.bytes {
            true => Err(Refused::Bytes {
                bytes: size as usize,
                most: self.config.bytes,
            }),
            false => self.offload.run(making).await,
        };
        let (outcome, pictures, refused) = match made {
            Ok(pictures) => ("made", pictures, None),
            Err(refused) => ("refused", Vec::new(), Some(refused.to_string())),
        };
        let checked = PosterChecked {
            movie_id: event.movie_id.clone(),
            sha256: event.sha256.clone(),
            pictures,
            refused: refused.clone(),
        };
        // A job that comes again says the same under the same id, which is heard once.
        let how = Publish::default().dedupe(format!("{} {outcome}", job.effect));
        self.bus.publish_with(cx, &checked, how).await?;
        let (film, bytes) = (&event.movie_id, event.size);
        tracing::info!(film, bytes, outcome, "looked into an uploaded file");
        match refused {
            None => Ok(()),
            Some(reason) => Err(Failure::new(Code::InvalidArgument, reason).permanent()),
        }
    }
}
