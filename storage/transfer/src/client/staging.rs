//! Staging an upload at a peer while it arrives here.

use http::Request;
use oci::digest::{Algorithm, Digest};

use crate::body::{ByteStream, empty, streamed};
use crate::client::Client;
use crate::client::connections::{Kind, request, uri};
use crate::failure::TransferFailure;
use crate::protocol::{OFFSET, STAGED, algorithm_names};
use crate::receipt::Receipt;

impl Client {
    /// Appends `body` at `offset`; returns the offset after it. With `begin` the first bytes begin
    /// an upload that the peer was not told of, to be hashed by those algorithms.
    ///
    /// # Errors
    ///
    /// What arrived before the body or the connection broke is kept: [`Client::stage_status`] says
    /// how much. [`TransferFailure::OffsetMismatch`] bears the true offset, and nothing was written
    /// then.
    pub async fn stage_append(
        &self,
        replica_id: &str,
        id: &str,
        offset: u64,
        begin: Option<&[Algorithm]>,
        body: ByteStream,
    ) -> Result<u64, TransferFailure> {
        let named = |begin| format!("?algorithms={}", algorithm_names(begin));
        let query = begin.map(named).unwrap_or_default();
        let builder = Request::patch(uri(replica_id, &format!("{STAGED}{id}{query}")));
        let asked = request(builder.header(OFFSET, offset), streamed(body))?;
        self.connections.call(replica_id, Kind::Send, asked).await
    }

    /// How many bytes of a staged upload have arrived. An append that is under way ends.
    pub async fn stage_status(&self, replica_id: &str, id: &str) -> Result<u64, TransferFailure> {
        let builder = Request::get(uri(replica_id, &format!("{STAGED}{id}")));
        self.connections.call(replica_id, Kind::Call, request(builder, empty())?).await
    }

    /// Makes a staged upload a blob; the receipt says that it is durable there.
    pub async fn stage_seal(
        &self,
        replica_id: &str,
        id: &str,
        digest: &Digest,
    ) -> Result<Receipt, TransferFailure> {
        let builder = Request::put(uri(replica_id, &format!("{STAGED}{id}?digest={digest}")));
        self.connections.call(replica_id, Kind::Call, request(builder, empty())?).await
    }

    /// Forgets a staged upload; one that is not there is no failure.
    pub async fn stage_cancel(&self, replica_id: &str, id: &str) -> Result<(), TransferFailure> {
        let builder = Request::delete(uri(replica_id, &format!("{STAGED}{id}")));
        self.connections.call(replica_id, Kind::Call, request(builder, empty())?).await
    }
}
