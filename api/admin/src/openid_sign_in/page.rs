//! What people see: short pages without a script, a picture or anything from elsewhere.

use axum::response::Response;
use edge::answer;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, REFERRER_POLICY};
use http::{HeaderMap, StatusCode};

const HTML: &str = "text/html; charset=utf-8";

/// Where the form goes.
const TOKEN: &str = "/api/v0/openid/access_token";

/// Somebody is signed in and goes on at `path`; where there is none they are offered what docker
/// takes.
///
/// The page sends them on by itself, and not the answer that sets their cookie: that comes of a
/// request of the provider's page, and browsers keep the cookie of a session from such.
pub(super) fn signed_in(name: &str, path: &str, csrf_token: &str) -> Response {
    let (name, path) = (escaped(name), escaped(path));
    let said = format!("You are signed in as <b>{name}</b>.");
    if !path.is_empty() {
        let refresh = format!("<meta http-equiv=\"refresh\" content=\"0;url={path}\">");
        return page("Signed in", &refresh, &format!("{said} <a href=\"{path}\">Go on</a>."));
    }
    let form = format!(
        "</p><form method=\"post\" action=\"{TOKEN}\">\
         <input type=\"hidden\" name=\"csrfToken\" value=\"{}\">\
         <label>Days that it is good for \
         <input type=\"number\" name=\"days\" value=\"90\" min=\"1\" max=\"366\"></label> \
         <button>Make an access token</button></form>\
         <p>docker login and scripts take it in place of a password.",
        escaped(csrf_token)
    );
    page("Signed in", "", &format!("{said}{form}"))
}

/// An access token, shown this once.
pub(super) fn token(name: &str, text: &str, host: &str) -> Response {
    let (name, text, host) = (escaped(name), escaped(text), escaped(host));
    let said = format!(
        "Keep it now: it is not shown again.</p><pre>{text}</pre><p>Give it in place of a password:\
         </p><pre>docker login --username {name} {host}</pre><p>Who has it can do what you can; \
         what is no longer needed is revoked by DELETE /api/v0/api_tokens."
    );
    page("An access token", "", &said)
}

/// Somebody is not, and why.
pub(super) fn refused(why: &str, request: &str, host: &str) -> String {
    let (why, request, host) = (escaped(why), escaped(request), escaped(host));
    let said = format!(
        "{why}.</p><p><a href=\"/api/v0/openid/login\">Begin again</a>, or ask an administrator \
         of {host} about request {request}."
    );
    document("Not signed in", "", &said)
}

fn page(title: &str, head: &str, said: &str) -> Response {
    let mut response = answer::text(StatusCode::OK, HTML, document(title, head, said));
    set_headers(response.headers_mut());
    response
}

/// What a browser is told of such a page. Its form must say where it comes from.
pub(super) fn set_headers(headers: &mut HeaderMap) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(HTML));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
}

fn document(title: &str, head: &str, said: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">{head}\
         <title>{title}</title></head>\n<body><h1>{title}</h1><p>{said}</p></body></html>\n"
    )
}

/// Text that stays text, in an attribute too.
fn escaped(text: &str) -> String {
    let letters = text.chars().map(|letter| match letter {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\'' => "&#39;".to_owned(),
        letter => letter.to_string(),
    });
    letters.collect()
}

#[cfg(test)]
mod tests {
    use super::{escaped, refused};

    #[test]
    fn text_of_others_stays_text() {
        assert_eq!(escaped("a\"b'c<d>&"), "a&quot;b&#39;c&lt;d&gt;&amp;");
        let page = refused("<script>alert(1)</script>", "id", "host");
        assert!(!page.contains("<script>"), "{page}");
    }
}
