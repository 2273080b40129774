//! The document that describes this API, as it is served.

use crate::harness::Registry;

#[tokio::test]
async fn the_document_is_served_to_everybody_and_is_the_one_that_answers_are_held_against() {
    let registry = Registry::start().await;
    let answer = registry.ask("GET", "/api/v0/openapi.json").send().await.is(200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json(), admin::openapi::document());
    let same = registry.ask("GET", "/enzi/v0/openapi.json").send().await.is(200);
    assert_eq!(same.body, answer.body);
    let length = answer.body.len().to_string();
    let head = registry.ask("HEAD", "/api/v0/openapi.json").send().await.is(200);
    assert_eq!((head.body.len(), head.header("content-length")), (0, length.as_str()));
}

/// Requests of the document are routes of the router: none is refused as unknown.
#[tokio::test]
async fn every_path_of_the_document_is_answered_by_its_route() {
    let registry = Registry::start().await;
    let document = admin::openapi::document();
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let filled: Vec<&str> =
            path.split('/').map(|part| if part.starts_with('{') { "none" } else { part }).collect();
        for method in methods.as_object().unwrap().keys() {
            // Without credentials nothing is changed by it.
            let answer = registry.ask(&method.to_uppercase(), &filled.join("/")).send().await;
            let status = answer.status.as_u16();
            let code = if status < 300 { String::new() } else { answer.code() };
            let is_routed = status == 401 || status < 300 || code == "INVALID_PARAMETERS";
            assert!(is_routed, "{method} {path}: {status} {code}");
            asked += 1;
        }
    }
    assert!(asked > 60, "{asked}");
}
