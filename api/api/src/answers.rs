//! What answers the requests of one connection, as HTTP takes it.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use edge::answer;
use edge::origin::Connected;
use futures::FutureExt;
use http::header::EXPECT;
use http::{Method, StatusCode};
use hyper::body::Incoming;
use wire::client_certificate::ShownCertificate;

use crate::activity::Activity;
use crate::guarded::{AnswerBody, RequestBytes, UnderWay};
use crate::inflow::Inflow;
use crate::plain::Plain;
use crate::surfaces::{Surfaces, head_only};

/// What answers on a port.
#[derive(Clone)]
pub struct Door {
    /// Everything this replica answers.
    pub surfaces: Arc<Surfaces>,
    /// The port has no TLS, and does this.
    pub plain: Option<Arc<Plain>>,
}

impl Door {
    /// Answers a request.
    pub async fn answer(&self, request: Request) -> Response {
        let is_head = request.method() == Method::HEAD;
        let response = match self.plain.as_ref().and_then(|plain| plain.instead(&request)) {
            Some(instead) => instead,
            None => self.surfaces.answer(request).await,
        };
        if is_head { head_only(response) } else { response }
    }
}

/// The door behind one connection.
pub struct Answers {
    /// What answers.
    pub door: Door,
    /// Whose connection it is.
    pub connected: Connected,
    /// The certificate that the client has shown.
    pub certificate: Option<ShownCertificate>,
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
        if let Some(certificate) = &self.certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        Box::pin(answer(self.door.clone(), request, under_way))
    }
}

async fn answer(
    door: Door,
    request: Request,
    under_way: UnderWay,
) -> Result<http::Response<AnswerBody>, Infallible> {
    let answered = AssertUnwindSafe(door.answer(request)).catch_unwind().await;
    let response: Response = match answered {
        Ok(response) => response,
        // The panic itself is in the log already.
        Err(_) => answer::empty(StatusCode::INTERNAL_SERVER_ERROR),
    };
    Ok(response.map(|body| AnswerBody::new(body, under_way)))
}
