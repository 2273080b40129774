//! Who asks: a request names itself once, and the commands that come of it tell the audit log.
//!
//! It travels with the task that answers the request, so that no handler on the way has to hand it
//! on, and none can forget to.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use metadata::accounts::AccountId;
use metadata::audit::deed::is_told_with_its_origin;
use metadata::command::Command;
use metadata::entry::Origin;

tokio::task_local! {
    static REQUEST: Arc<Request>;
}

/// A request, as the audit log is to know it.
struct Request {
    address: Option<IpAddr>,
    id: String,
    /// Set once it is known who sent it.
    account: OnceLock<(String, Option<AccountId>)>,
}

/// Does `work` for the request `id` of a client at `address`: what is proposed meanwhile, by this
/// task, tells so.
pub async fn of_request<F: Future>(address: Option<IpAddr>, id: String, work: F) -> F::Output {
    let request = Request { address, id, account: OnceLock::new() };
    REQUEST.scope(Arc::new(request), work).await
}

/// Says whose request this task answers; the first word counts.
pub fn is_of(account: &str, id: Option<AccountId>) {
    // Beside requests there is nobody to tell it of.
    let _ = REQUEST.try_with(|request| {
        request.account.get_or_init(|| (account.to_owned(), id));
    });
}

/// What is told with a command; nothing with one that the audit log does not keep, nor beside
/// requests.
pub(crate) fn told_with(command: &Command) -> Option<Origin> {
    if !is_told_with_its_origin(command) {
        return None;
    }
    REQUEST
        .try_with(|request| {
            let (account, account_id) = request.account.get().cloned().unwrap_or_default();
            let address = request.address.map(|address| address.to_string()).unwrap_or_default();
            Origin { account, account_id, address, request_id: request.id.clone() }
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use metadata::collection::Condemn;
    use metadata::tokens::JoinTokenRevoke;
    use oci::digest::Digest;

    use super::*;

    #[tokio::test]
    async fn a_command_tells_by_which_request_it_is_proposed() {
        let revoke: Command = JoinTokenRevoke { id: "t".to_owned() }.into();
        let digest = Digest::parse(&format!("sha256:{}", "0".repeat(64))).unwrap();
        let condemn: Command = Condemn { digest }.into();
        assert_eq!(told_with(&revoke), None, "beside requests");
        is_of("nobody", None);

        let address = Some(IpAddr::from([192, 0, 2, 7]));
        let told = of_request(address, "ab".to_owned(), async {
            assert_eq!(told_with(&revoke).unwrap().account, "", "not known yet");
            is_of("ann", Some([1; 16]));
            is_of("eve", None);
            assert_eq!(told_with(&condemn), None, "nobody asks what an everyday command is for");
            told_with(&revoke)
        });
        let expected = Origin {
            account: "ann".to_owned(),
            account_id: Some([1; 16]),
            address: "192.0.2.7".to_owned(),
            request_id: "ab".to_owned(),
        };
        assert_eq!(told.await, Some(expected));
        assert_eq!(told_with(&revoke), None, "after it");
    }
}
