//! What answers the requests of one connection, as HTTP takes it.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use edge::answer;
use edge::origin::Connected;
use futures::FutureExt;
use http::StatusCode;
use http::header::EXPECT;
use hyper::body::Incoming;
use tower::Service;

use crate::activity::Activity;
use crate::guarded::{AnswerBody, RequestBytes, UnderWay};
use crate::inflow::Inflow;

/// The router behind one connection.
pub struct Answers {
    /// What answers.
    pub router: Router,
    /// Whose connection it is.
    pub connected: Connected,
    /// What the connection is doing.
    pub activity: Arc<Activity>,
    /// What came in and is not read, where that is counted.
    pub inflow: Option<Arc<Inflow>>,
}

impl hyper::service::Service<http::Request<Incoming>> for Answers {
    type Response = http::Response<AnswerBody>;
    type Error = Infallible;
    // Boxed: the connection keeps room for it between requests.
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: http::Request<Incoming>) -> Self::Future {
        let under_way = UnderWay::begin(&self.activity);
        let body_under_way = UnderWay::begin(&self.activity);
        let expects_continue = request.headers().contains_key(EXPECT);
        let inflow = self.inflow.clone();
        let mut request: Request = request.map(|incoming| {
            Body::new(RequestBytes::new(incoming, expects_continue, inflow, body_under_way))
        });
        request.extensions_mut().insert(self.connected);
        Box::pin(answer(self.router.clone(), request, under_way))
    }
}

async fn answer(
    mut router: Router,
    request: Request,
    under_way: UnderWay,
) -> Result<http::Response<AnswerBody>, Infallible> {
    let answered = AssertUnwindSafe(router.call(request)).catch_unwind().await;
    let response: Response = match answered {
        Ok(Ok(response)) => response,
        // The panic itself is in the log already.
        Err(_) => answer::empty(StatusCode::INTERNAL_SERVER_ERROR),
    };
    Ok(response.map(|body| AnswerBody::new(body, under_way)))
}
