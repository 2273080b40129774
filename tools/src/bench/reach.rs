//! The first look at a registry: whether it is one, and how it wants to be asked.

use std::sync::Arc;

use wire::client_tls::{ClientTls, Trust};

use super::address::Address;
use super::answer::Head;
use super::failure::Failure;
use super::login::Login;
use super::sink::{Sink, Take};
use super::wire_http::Connection;
use super::worker::Shared;
use crate::client::Credentials;
use crate::exit::Stop;

/// Whom to talk to, as whom.
pub struct Wanted {
    /// URLs of the replicas, or of the one registry.
    pub urls: Vec<String>,
    /// Name and password, where there are any.
    pub credentials: Option<Credentials>,
    /// Whose word counts for certificates.
    pub trust: Trust,
    /// Whether what is pulled is hashed.
    pub verify: bool,
}

/// Asks `/v2/` of every URL, and learns from the first how to log in.
pub async fn reach(wanted: &Wanted) -> Result<Arc<Shared>, Stop> {
    let addresses = wanted.urls.iter().map(|url| Address::parse(url));
    let addresses = addresses.collect::<Result<Vec<_>, _>>()?;
    let tls = ClientTls::new(&wanted.trust)
        .map_err(|error| Stop::usage(format!("the certificate authority is unusable: {error}")))?;
    let mut challenges = None;
    for address in &addresses {
        let head = ping(address, &tls).await.map_err(Failure::into_stop)?;
        let asked = if head.status == 401 { head.challenges } else { Vec::new() };
        challenges.get_or_insert(asked);
    }
    let challenges = challenges.ok_or_else(|| Stop::usage("--url is missing"))?;
    let login = Login::new(&challenges, wanted.credentials.as_ref(), &tls);
    let login = login.map_err(Failure::into_stop)?;
    // A wrong password is told before anything is prepared.
    let scope = "repository:bench/login:pull".into();
    login.authorization(&scope).await.map_err(Failure::into_stop)?;
    Ok(Arc::new(Shared { addresses, tls, login, verify: wanted.verify }))
}

async fn ping(address: &Address, tls: &ClientTls) -> Result<Head, Failure> {
    let broke = |error| Failure::connection(address, &error);
    let mut connection = Connection::open(address, tls).await.map_err(broke)?;
    let request = format!("GET /v2/ HTTP/1.1\r\nHost: {}\r\n\r\n", address.authority);
    connection.send(request.as_bytes(), std::iter::empty()).await.map_err(broke)?;
    let head = connection.head(false).await.map_err(broke)?;
    connection.body(head.framing, &mut Sink::new(Take::Count)).await.map_err(broke)?;
    // A registry need not say that it is one, so a plain 200 is believed.
    if head.status == 200 || head.status == 401 && !head.challenges.is_empty() {
        return Ok(head);
    }
    let text = format!("{} is no registry: GET /v2/ answered {}", address.url(), head.status);
    // Neither 401 nor 403 means a wrong login here.
    Err(Failure::answer(text, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// A server that answers one request with `text`.
    async fn server(text: &'static str) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1_024];
            let _read = stream.read(&mut request).await;
            let _written = stream.write_all(text.as_bytes()).await;
        });
        url
    }

    async fn reached(url: String) -> Result<&'static str, Stop> {
        wire::provider::install();
        let wanted =
            Wanted { urls: vec![url], credentials: None, trust: Trust::None, verify: false };
        reach(&wanted).await.map(|shared| shared.login.name())
    }

    #[tokio::test]
    async fn what_is_no_registry_is_told_apart_from_nobody_there() {
        let open = server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
        assert_eq!(reached(open).await, Ok("none"));

        let other = server("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
        let stop = reached(other).await.unwrap_err();
        assert!(stop.exit == Exit::Failed && stop.text.contains("is no registry"), "{stop}");

        let other = server("220 mail.example ESMTP\r\n\r\n").await;
        let stop = reached(other).await.unwrap_err();
        assert!(stop.text.contains("no HTTP/1.1"), "{stop}");

        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let stop = reached(url.clone()).await.unwrap_err();
        assert!(stop.exit == Exit::Unreachable && stop.text.contains(&url[7..]), "{stop}");

        let locked = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\
                      Content-Length: 0\r\n\r\n";
        let stop = reached(server(locked).await).await.unwrap_err();
        assert!(stop.text.contains("--username"), "{stop}");
    }
}
