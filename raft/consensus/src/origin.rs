//! Who asks: a request names itself once, and the commands that come of it tell the audit log.
//!
//! It travels with the task that answers the request, so that no handler on the way has to hand it
//! on, and none can forget to. Work that another task does, or another replica, takes it along.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use metadata::accounts::AccountId;
use metadata::entry::Origin;
use metadata::request_keys::RequestKey;

tokio::task_local! {
    static REQUEST: Arc<Request>;
}

/// A request, as the audit log is to know it.
#[derive(Default)]
struct Request {
    address: String,
    id: String,
    /// Set once it is known who sent it.
    account: OnceLock<(String, Option<AccountId>)>,
    /// Goes with the first command on behalf of who sent it.
    key: Mutex<Option<RequestKey>>,
}

/// Does `work` for the request `id` of a client at `address`: what is proposed meanwhile, by this
/// task, tells so.
pub async fn of_request<F: Future>(address: Option<IpAddr>, id: String, work: F) -> F::Output {
    let address = address.map(|address| address.to_string()).unwrap_or_default();
    let request = Request { address, id, ..Request::default() };
    REQUEST.scope(Arc::new(request), work).await
}

/// Does `work` for a request that another replica took; beside requests where there is none.
pub async fn on_behalf<F: Future>(origin: Option<Origin>, work: F) -> F::Output {
    let Some(Origin { account, account_id, address, request_id: id }) = origin else {
        return work.await;
    };
    let request = Request { address, id, ..Request::default() };
    // It is new, and nobody has said anything of it yet.
    let _ = request.account.set((account, account_id));
    REQUEST.scope(Arc::new(request), work).await
}

/// `work`, to be done by another task for the request that this one answers.
pub fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let request = REQUEST.try_with(Arc::clone).ok();
    async move {
        match request {
            Some(request) => REQUEST.scope(request, work).await,
            None => work.await,
        }
    }
}

/// Says whose request this task answers; the first word counts.
pub fn is_of(account: &str, id: Option<AccountId>) {
    // Beside requests there is nobody to tell it of.
    let _ = REQUEST.try_with(|request| {
        request.account.get_or_init(|| (account.to_owned(), id));
    });
}

/// Says under which key of its client the request comes: its first command takes the key along.
pub fn comes_under(key: RequestKey) {
    // Beside requests nobody sends anything again.
    let _ = REQUEST.try_with(|request| *held(&request.key) = Some(key));
}

/// Whether a command has taken the key along, or there was none.
pub fn key_is_taken() -> bool {
    REQUEST.try_with(|request| held(&request.key).is_none()).unwrap_or(true)
}

/// The key, for the command that is about to be proposed.
pub(crate) fn take_key() -> Option<RequestKey> {
    REQUEST.try_with(|request| held(&request.key).take()).ok().flatten()
}

/// Whether this task answers a request.
pub(crate) fn is_known() -> bool {
    REQUEST.try_with(|_| ()).is_ok()
}

/// The request that this task answers; nothing beside requests.
pub fn told() -> Option<Origin> {
    REQUEST
        .try_with(|request| {
            let (account, account_id) = request.account.get().cloned().unwrap_or_default();
            let (address, request_id) = (request.address.clone(), request.id.clone());
            Origin { account, account_id, address, request_id }
        })
        .ok()
}

fn held(key: &Mutex<Option<RequestKey>>) -> std::sync::MutexGuard<'_, Option<RequestKey>> {
    key.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> RequestKey {
        RequestKey { account: [1; 16], key: [2; 32], request: [3; 32] }
    }

    #[tokio::test]
    async fn what_is_proposed_tells_by_which_request() {
        assert_eq!(told(), None, "beside requests");
        is_of("nobody", None);

        let address = Some(IpAddr::from([192, 0, 2, 7]));
        let seen = of_request(address, "ab".to_owned(), async {
            assert_eq!(told().unwrap().account, "", "not known yet");
            is_of("ann", Some([1; 16]));
            is_of("eve", None);
            told()
        });
        let expected = Origin {
            account: "ann".to_owned(),
            account_id: Some([1; 16]),
            address: "192.0.2.7".to_owned(),
            request_id: "ab".to_owned(),
        };
        assert_eq!(seen.await.as_ref(), Some(&expected));
        assert_eq!(told(), None, "after it");

        // Another task, and another replica.
        let elsewhere = on_behalf(Some(expected.clone()), async {
            tokio::spawn(carried(async { told() })).await.unwrap()
        });
        assert_eq!(elsewhere.await, Some(expected));
        assert_eq!(on_behalf(None, async { told() }).await, None);
        assert_eq!(tokio::spawn(carried(async { told() })).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_key_goes_with_one_command() {
        comes_under(key());
        assert_eq!(take_key(), None, "beside requests");
        of_request(None, "ab".to_owned(), async {
            assert!(key_is_taken() && take_key().is_none(), "there is none");
            comes_under(key());
            assert!(!key_is_taken());
            assert_eq!(take_key(), Some(key()));
            assert!(key_is_taken() && take_key().is_none());
        })
        .await;
    }
}
