//! Forwarding requests of the registry API to the replica that owns the upload.

use http::{Request, request::Builder};
use oci::digest::{Algorithm, Digest};

use crate::body::{ByteStream, empty, streamed};
use crate::client::Client;
use crate::client::connections::{Kind, request, uri};
use crate::owner::{OwnedUpload, OwnerFailure};
use crate::protocol::{
    ACCOUNT, OFFSET, ORIGIN, OWNED, REPOSITORY, VOUCHER, algorithm_names, escaped, escaped_bytes,
};

impl Client {
    /// [`UploadOwner::open`](crate::owner::UploadOwner::open) at the replica `replica_id`.
    pub async fn owner_open(
        &self,
        replica_id: &str,
        whose: &OwnedUpload,
        algorithms: &[Algorithm],
    ) -> Result<String, OwnerFailure> {
        let query = format!("?algorithms={}", algorithm_names(algorithms));
        let builder = Request::post(path(replica_id, whose, &query));
        let asked = request(named(builder, whose), empty())?;
        self.connections.call(replica_id, Kind::Call, asked).await
    }

    /// [`UploadOwner::append`](crate::owner::UploadOwner::append) at the replica `replica_id`.
    pub async fn owner_append(
        &self,
        replica_id: &str,
        upload: &OwnedUpload,
        start: Option<u64>,
        body: ByteStream,
    ) -> Result<u64, OwnerFailure> {
        let builder = starting(Request::patch(path(replica_id, upload, "")), start);
        let asked = request(named(builder, upload), streamed(body))?;
        self.connections.call(replica_id, Kind::Send, asked).await
    }

    /// [`UploadOwner::holds`](crate::owner::UploadOwner::holds) at the replica `replica_id`.
    pub async fn owner_holds(
        &self,
        replica_id: &str,
        upload: &OwnedUpload,
    ) -> Result<(), OwnerFailure> {
        let builder = Request::post(path(replica_id, upload, ""));
        let asked = request(named(builder, upload), empty())?;
        self.connections.call(replica_id, Kind::Call, asked).await
    }

    /// [`UploadOwner::status`](crate::owner::UploadOwner::status) at the replica `replica_id`.
    pub async fn owner_status(
        &self,
        replica_id: &str,
        upload: &OwnedUpload,
    ) -> Result<u64, OwnerFailure> {
        let builder = Request::get(path(replica_id, upload, ""));
        let asked = request(named(builder, upload), empty())?;
        self.connections.call(replica_id, Kind::Call, asked).await
    }

    /// [`UploadOwner::finish`](crate::owner::UploadOwner::finish) at the replica `replica_id`.
    pub async fn owner_finish(
        &self,
        replica_id: &str,
        upload: &OwnedUpload,
        start: Option<u64>,
        body: ByteStream,
        digest: &Digest,
    ) -> Result<u64, OwnerFailure> {
        let query = format!("?digest={digest}");
        let builder = starting(Request::put(path(replica_id, upload, &query)), start);
        let asked = request(named(builder, upload), streamed(body))?;
        self.connections.call(replica_id, Kind::Send, asked).await
    }

    /// [`UploadOwner::cancel`](crate::owner::UploadOwner::cancel) at the replica `replica_id`.
    pub async fn owner_cancel(
        &self,
        replica_id: &str,
        upload: &OwnedUpload,
    ) -> Result<(), OwnerFailure> {
        let builder = Request::delete(path(replica_id, upload, ""));
        let asked = request(named(builder, upload), empty())?;
        self.connections.call(replica_id, Kind::Call, asked).await
    }
}

fn path(replica_id: &str, upload: &OwnedUpload, query: &str) -> String {
    uri(replica_id, &format!("{OWNED}{}{query}", upload.id))
}

fn named(builder: Builder, upload: &OwnedUpload) -> Builder {
    builder
        .header(REPOSITORY, escaped(&upload.repository))
        .header(ACCOUNT, escaped(&upload.account))
        .header(VOUCHER, escaped_bytes(&upload.voucher))
        .header(ORIGIN, escaped_bytes(&upload.origin))
}

fn starting(builder: Builder, start: Option<u64>) -> Builder {
    match start {
        Some(offset) => builder.header(OFFSET, offset),
        None => builder,
    }
}
