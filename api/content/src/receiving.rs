//! Taking in a body: to this disk and to the other holders at the same time.

use std::io;
use std::sync::Arc;

use futures::StreamExt;

use crate::content::{ByteStream, Content};
use crate::failure::ContentFailure;
use crate::fanout::{Bounds, Fanout, Lanes};
use crate::upload::{OpenUpload, Stage, Turn, Work, failure};
use crate::uploads::apart;

/// How the taking in of a body ended.
enum Ended {
    Whole,
    Broken(io::Error),
    Superseded,
    /// It would have become larger than this.
    TooLarge(u64),
    Failed(ContentFailure),
}

impl Content {
    /// Appends to an upload that is here; see [`Content::append`].
    pub(crate) async fn append_here(
        &self,
        upload: Arc<OpenUpload>,
        start: Option<u64>,
        body: ByteStream,
    ) -> Result<u64, ContentFailure> {
        let content = self.clone();
        apart(async move {
            let patience = content.shared.limits.supersede_after;
            let mut turn = upload.take_turn(patience).await;
            let offset = content.receive(&upload, &mut turn, start, body).await;
            upload.touch();
            offset
        })
        .await
    }

    /// Takes a body into an upload whose turn it is; returns the offset after it.
    pub(crate) async fn receive(
        &self,
        upload: &OpenUpload,
        turn: &mut Turn,
        start: Option<u64>,
        mut body: ByteStream,
    ) -> Result<u64, ContentFailure> {
        let open = turn.work.open(self, &upload.id).await?;
        let (offset, algorithms) = (open.offset(), open.algorithms());
        if start.is_some_and(|start| start != offset) {
            return Err(ContentFailure::OffsetMismatch { offset });
        }
        // An empty body needs no lanes.
        let first = tokio::select! {
            biased;
            () = turn.superseded() => return Err(ContentFailure::Superseded { offset }),
            first = body.next() => first,
        };
        let Some(first) = first else { return Ok(offset) };
        let body = futures::stream::iter([first]).chain(body).boxed();
        let field = self.field().await?;
        let needed = field.write.saturating_sub(usize::from(field.votes(field.own)));
        let replicas = &turn.work.lanes;
        let lanes = Lanes { id: &upload.id, offset, replicas, needed, algorithms: &algorithms };
        let fanout = Fanout::open(&self.shared.client, &lanes, self.bounds());
        let (fanout, ended) = self.take_in(turn, fanout, body).await;

        let work: &mut Work = &mut turn.work;
        let reached = match &mut work.stage {
            Stage::Open(open) => {
                let saved = open.save().await.map_err(|error| failure("saving an upload", error));
                saved.map(|()| open.offset())
            }
            _ => Err(ContentFailure::UploadUnknown),
        };
        let Ok(reached) = reached else {
            work.lanes.clear();
            work.stage = Stage::Parked;
            return reached;
        };
        work.lanes = fanout.close(reached).await;
        match ended {
            Ended::Whole => Ok(reached),
            Ended::Broken(error) => {
                tracing::debug!(upload = %upload.id, %error, "the body broke off");
                Err(ContentFailure::BodyBroken { offset: reached })
            }
            Ended::Superseded => Err(ContentFailure::Superseded { offset: reached }),
            Ended::TooLarge(bytes_max) => {
                // Nothing can come of it, and its bytes would lie here until it is forgotten.
                if let Err(error) = self.drop_upload(upload, turn).await {
                    tracing::debug!(upload = %upload.id, %error, "it is forgotten later");
                }
                Err(ContentFailure::TooLarge { bytes_max })
            }
            Ended::Failed(failure) => Err(failure),
        }
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            in_flight: Arc::clone(&self.shared.in_flight),
            needed_stall_max: self.shared.limits.needed_stall_max,
            laggard_stall_max: self.shared.limits.laggard_stall_max,
        }
    }

    /// Moves the body to the disk and into the lanes until it ends.
    async fn take_in(
        &self,
        turn: &mut Turn,
        mut fanout: Fanout,
        mut body: ByteStream,
    ) -> (Fanout, Ended) {
        loop {
            let next = tokio::select! {
                biased;
                () = turn.superseded() => return (fanout, Ended::Superseded),
                next = body.next() => next,
            };
            let bytes = match next {
                None => return (fanout, Ended::Whole),
                Some(Err(error)) => return (fanout, Ended::Broken(error)),
                Some(Ok(bytes)) => bytes,
            };
            let Stage::Open(open) = &mut turn.work.stage else {
                return (fanout, Ended::Failed(ContentFailure::UploadUnknown));
            };
            let reached = open.offset().saturating_add(bytes.len() as u64);
            if let Some(bytes_max) = self.layer_bytes_max().filter(|max| reached > *max) {
                return (fanout, Ended::TooLarge(bytes_max));
            }
            fanout.send(bytes.clone()).await;
            if let Err(error) = open.append(bytes).await {
                return (fanout, Ended::Failed(failure("writing an upload", error)));
            }
        }
    }
}
