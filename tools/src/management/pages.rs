//! Lists of the API, followed to their end one bounded page at a time.

use reqwest::Method;
use serde_json::Value;

use crate::client::Client;
use crate::exit::Stop;

/// Entries that are asked for at once.
const PAGE_SIZE: &str = "1000";

/// Which list.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// Where it is.
    pub path: String,
    /// What is asked behind the `?`.
    pub query: Vec<(&'static str, String)>,
    /// The field of an answer that holds the entries; empty where the answer is a bare array.
    pub field: &'static str,
}

/// What is left of a list.
pub struct Pages<'a> {
    client: &'a Client,
    list: List,
    /// Where the next page begins, empty for the first; `None` where all was read.
    start: Option<String>,
}

impl<'a> Pages<'a> {
    /// The whole list.
    pub fn new(client: &'a Client, list: List) -> Self {
        Self { client, list, start: Some(String::new()) }
    }

    /// The next entries, or `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<Value>>, Stop> {
        let Some(start) = self.start.take() else { return Ok(None) };
        let is_accounts = self.list.path.starts_with("/enzi/");
        let (start_word, size_word) =
            if is_accounts { ("start", "limit") } else { ("pageStart", "pageSize") };
        let mut paging = vec![(size_word, PAGE_SIZE)];
        if !start.is_empty() {
            paging.push((start_word, &start));
        }
        let request = self.client.request(Method::GET, &self.list.path);
        let (answer, next) =
            self.client.page(request.query(&self.list.query).query(&paging)).await?;
        if next.as_ref() == Some(&start) {
            return Err(Stop::failed(format!(
                "{} goes round in circles: the list {} goes on at {start:?} twice",
                self.client.url(),
                self.list.path
            )));
        }
        self.start = next;
        entries(answer, self.list.field).map(Some).ok_or_else(|| {
            Stop::failed(format!("{} does not answer with a list", self.client.url()))
        })
    }
}

fn entries(mut answer: Value, field: &str) -> Option<Vec<Value>> {
    let list = if field.is_empty() { answer } else { answer.get_mut(field)?.take() };
    match list {
        Value::Array(entries) => Some(entries),
        Value::Null => Some(Vec::new()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    use serde_json::json;
    use wire::client_tls::Trust;

    use super::*;

    /// Answers one request after another with these: what follows the list, and the body. The
    /// thread ends with the targets that were asked for.
    fn server(answers: Vec<(&'static str, &'static str)>) -> (Client, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = std::thread::spawn(move || {
            let answer = |(next, body): (&str, &str)| {
                let (mut peer, _) = listener.accept().unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    peer.read_exact(&mut byte).unwrap();
                    head.extend(byte);
                }
                let length = body.len();
                let headers = format!("x-next-page-start: {next}\r\ncontent-length: {length}");
                write!(peer, "HTTP/1.1 200 OK\r\nconnection: close\r\n{headers}\r\n\r\n{body}")
                    .unwrap();
                let head = String::from_utf8(head).unwrap();
                head.split(' ').nth(1).unwrap_or_default().to_owned()
            };
            answers.into_iter().map(answer).collect()
        });
        wire::provider::install();
        (Client::new(&url, &Trust::None, None).unwrap(), served)
    }

    #[tokio::test]
    async fn a_list_is_followed_to_its_end_in_both_dialects() {
        let cases = [
            ("/enzi/v0/accounts", "limit", "start"),
            ("/api/v0/repositories", "pageSize", "pageStart"),
        ];
        for (path, size, start) in cases {
            let answers =
                vec![("b c", r#"{"x":[1,2]}"#), ("d", r#"{"x":[]}"#), ("", r#"{"x":[3]}"#)];
            let (client, served) = server(answers);
            let query = vec![("filter", "a&b".to_owned())];
            let list = List { path: path.to_owned(), query, field: "x" };
            let (mut pages, mut found) = (Pages::new(&client, list), Vec::new());
            while let Some(page) = pages.next().await.unwrap() {
                found.extend(page);
            }
            assert_eq!(found, [json!(1), json!(2), json!(3)]);
            let first = format!("{path}?filter=a%26b&{size}=1000");
            let expected = [String::new(), format!("&{start}=b+c"), format!("&{start}=d")];
            assert_eq!(served.join().unwrap(), expected.map(|more| format!("{first}{more}")));
        }
    }

    #[tokio::test]
    async fn a_list_that_does_not_advance_ends_with_an_error() {
        let (client, served) = server(vec![("b", "[1]"), ("b", "[1]")]);
        let list = List { path: "/api/v0/api_tokens".to_owned(), ..List::default() };
        let mut pages = Pages::new(&client, list);
        assert!(pages.next().await.unwrap().is_some());
        assert!(pages.next().await.unwrap_err().text.contains("circles"));
        assert_eq!(served.join().unwrap().len(), 2);
    }

    #[test]
    fn an_answer_that_is_no_list_is_told_apart_from_an_empty_one() {
        let cases = [
            (json!({"x": [1]}), "x", Some(1)),
            (json!({"x": null}), "x", Some(0)),
            (json!([]), "", Some(0)),
            (json!({"y": []}), "x", None),
            (json!({}), "", None),
            (json!("text"), "x", None),
        ];
        for (answer, field, expected) in cases {
            let found = entries(answer.clone(), field);
            assert_eq!(found.map(|found| found.len()), expected, "{answer} {field:?}");
        }
    }
}
