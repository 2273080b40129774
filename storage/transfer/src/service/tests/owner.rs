//! An owner of uploads that remembers what it was asked.

use std::sync::Mutex;

use async_trait::async_trait;
use futures::TryStreamExt;
use oci::digest::{Algorithm, Digest};

use crate::body::ByteStream;
use crate::owner::{OwnedUpload, OwnerFailure, UploadOwner};

/// Knows the upload `known` only; keeps no bytes.
#[derive(Default)]
pub(super) struct Owner {
    pub(super) asked: Mutex<Vec<String>>,
}

impl Owner {
    fn note(&self, verb: &str, upload: &OwnedUpload, rest: &str) -> Result<(), OwnerFailure> {
        let OwnedUpload { id, repository, account, voucher, origin } = upload;
        assert_eq!(*voucher, [0, 255, b'v']);
        assert_eq!(*origin, [1, 0, 255]);
        self.asked.lock().unwrap().push(format!("{verb} {id} {repository} {account} {rest}"));
        if id == "known" { Ok(()) } else { Err(OwnerFailure::UploadUnknown) }
    }
}

async fn gathered(body: ByteStream) -> Result<Vec<u8>, OwnerFailure> {
    let pieces: Vec<_> =
        body.try_collect().await.map_err(|_| OwnerFailure::BodyBroken { offset: 7 })?;
    Ok(pieces.concat())
}

#[async_trait]
impl UploadOwner for Owner {
    async fn open(
        &self,
        whose: &OwnedUpload,
        algorithms: &[Algorithm],
    ) -> Result<String, OwnerFailure> {
        let _unknown = self.note("open", whose, &format!("{algorithms:?}"));
        if whose.account.is_empty() { Err(OwnerFailure::NoRoom) } else { Ok("known".to_owned()) }
    }

    async fn append(
        &self,
        upload: &OwnedUpload,
        start: Option<u64>,
        body: ByteStream,
    ) -> Result<u64, OwnerFailure> {
        self.note("append", upload, &format!("{start:?}"))?;
        if start == Some(9) {
            return Err(OwnerFailure::OffsetMismatch { offset: 3 });
        }
        let bytes = gathered(body).await?;
        Ok(start.unwrap_or(0) + bytes.len() as u64)
    }

    async fn status(&self, upload: &OwnedUpload) -> Result<u64, OwnerFailure> {
        self.note("status", upload, "")?;
        Ok(5)
    }

    async fn finish(
        &self,
        upload: &OwnedUpload,
        start: Option<u64>,
        body: ByteStream,
        digest: &Digest,
    ) -> Result<u64, OwnerFailure> {
        self.note("finish", upload, &format!("{start:?} {digest}"))?;
        let bytes = gathered(body).await?;
        if bytes.is_empty() {
            return Err(OwnerFailure::Refused { refusal: vec![1, 2, 3] });
        }
        Ok(bytes.len() as u64)
    }

    async fn cancel(&self, upload: &OwnedUpload) -> Result<(), OwnerFailure> {
        self.note("cancel", upload, "")
    }
}
