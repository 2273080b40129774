//! Answers that are written while they are read from the tables.

use std::io;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use edge::answer;
use edge::problem::Problem;
use futures::{Stream, StreamExt, stream};
use http::StatusCode;
use http::header::CONTENT_TYPE;

/// Entries of a list that are read at once.
pub const LIST_CHUNK: usize = 1_000;

/// A JSON document with one list in it: `prefix`, the entries as JSON strings parted by commas,
/// `]}`.
///
/// A failure after the first byte cuts the connection: a list is whole or visibly broken.
pub fn list(
    prefix: String,
    chunks: impl Stream<Item = Result<Vec<String>, Problem>> + Send + 'static,
) -> Response {
    let mut is_first = true;
    let entries = chunks.map(move |chunk| {
        let chunk = chunk.map_err(|problem| io::Error::other(problem.to_string()))?;
        let mut text = String::new();
        for entry in chunk {
            if !is_first {
                text.push(',');
            }
            is_first = false;
            // A string always has a JSON form.
            text.push_str(&serde_json::to_string(&entry).unwrap_or_default());
        }
        Ok::<_, io::Error>(Bytes::from(text))
    });
    let begin = stream::once(async move { Ok::<_, io::Error>(Bytes::from(prefix)) });
    let end = stream::once(async { Ok::<_, io::Error>(Bytes::from_static(b"]}\n")) });
    let mut response = Response::new(Body::from_stream(begin.chain(entries).chain(end)));
    *response.status_mut() = StatusCode::OK;
    answer::set(response.headers_mut(), CONTENT_TYPE, "application/json");
    response
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use http_body_util::BodyExt;

    use super::list;

    #[tokio::test]
    async fn a_streamed_list_is_one_json_document() {
        let chunks = [vec!["a".to_owned(), "b\"".to_owned()], vec![], vec!["c".to_owned()]];
        let response = list("{\"tags\":[".to_owned(), stream::iter(chunks.map(Ok)));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(document["tags"], serde_json::json!(["a", "b\"", "c"]));
    }
}
