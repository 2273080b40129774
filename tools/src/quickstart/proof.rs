//! The proof that the cluster works: an image pushed through one replica and pulled through
//! another.

use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde_json::Value;

use super::image::{Image, MANIFEST_TYPE, digest};
use crate::client::Client;
use crate::exit::Stop;

/// Where the image goes.
pub const REPOSITORY: &str = "quickstart/hello";
const TAG: &str = "latest";

/// Pushes a new image through `to`, pulls it through `from` and compares every digest.
pub async fn push_and_pull(to: &Client, from: &Client) -> Result<(), Stop> {
    let text = format!("hello from Holdfast, {:016x}\n", rand::random::<u64>());
    let image = Image::with_text(&text);
    let to = Registry::login(to).await?;
    for blob in &image.blobs {
        to.push_blob(blob).await?;
    }
    to.push_manifest(&image.manifest).await?;

    let from = Registry::login(from).await?;
    let manifest = from.get(&format!("manifests/{TAG}")).await?;
    same("the manifest", &image.manifest, &manifest)?;
    for blob in &image.blobs {
        let pulled = from.get(&format!("blobs/{}", digest(blob))).await?;
        same("a blob", blob, &pulled)?;
    }
    Ok(())
}

fn same(what: &str, pushed: &[u8], pulled: &[u8]) -> Result<(), Stop> {
    if digest(pushed) == digest(pulled) {
        return Ok(());
    }
    Err(Stop::failed(format!(
        "{what} came back as {} after it was pushed as {}",
        digest(pulled),
        digest(pushed)
    )))
}

/// One replica's registry, with a token for [`REPOSITORY`].
struct Registry<'a> {
    client: &'a Client,
    token: String,
}

impl<'a> Registry<'a> {
    async fn login(client: &'a Client) -> Result<Self, Stop> {
        let path = format!("/auth/token?service=holdfast&scope=repository:{REPOSITORY}:pull,push");
        let answer = client.json(client.request(Method::GET, &path)).await?;
        let token = answer["token"].as_str().or(answer["access_token"].as_str());
        let token = token
            .ok_or_else(|| Stop::failed(format!("{} gave no token: {answer}", client.url())))?
            .to_owned();
        Ok(Self { client, token })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.bare(method, path).bearer_auth(&self.token)
    }

    async fn expect(&self, request: RequestBuilder, status: StatusCode) -> Result<Response, Stop> {
        let response = self.client.send(request).await?;
        if response.status() == status {
            return Ok(response);
        }
        Err(self.client.refused(response).await)
    }

    async fn push_blob(&self, blob: &[u8]) -> Result<(), Stop> {
        let open = self.request(Method::POST, &format!("/v2/{REPOSITORY}/blobs/uploads/"));
        let opened = self.expect(open, StatusCode::ACCEPTED).await?;
        let location = opened
            .headers()
            .get(header::LOCATION)
            .and_then(|value| value.to_str().ok())
            .ok_or_else(|| Stop::failed(format!("{} named no upload", self.client.url())))?
            .to_owned();
        let close = self
            .request(Method::PUT, &location)
            .query(&[("digest", digest(blob).to_string())])
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .body(blob.to_vec());
        self.expect(close, StatusCode::CREATED).await.map(drop)
    }

    async fn push_manifest(&self, manifest: &[u8]) -> Result<(), Stop> {
        let put = self
            .request(Method::PUT, &format!("/v2/{REPOSITORY}/manifests/{TAG}"))
            .header(header::CONTENT_TYPE, MANIFEST_TYPE)
            .body(manifest.to_vec());
        self.expect(put, StatusCode::CREATED).await.map(drop)
    }

    async fn get(&self, path: &str) -> Result<Vec<u8>, Stop> {
        let get = self
            .request(Method::GET, &format!("/v2/{REPOSITORY}/{path}"))
            .header(header::ACCEPT, MANIFEST_TYPE);
        let response = self.expect(get, StatusCode::OK).await?;
        let bytes = response.bytes().await.map_err(|error| {
            Stop::unreachable(format!("{} broke off: {error}", self.client.url()))
        })?;
        Ok(bytes.to_vec())
    }
}

/// The id that a replica's status gives to itself, found by its peer address.
pub fn id_of(status: &Value, peer: &str) -> Option<String> {
    let replicas = status["raft"]["replicas"].as_object()?;
    let found = replicas.iter().find(|(_, facts)| facts["address"].as_str() == Some(peer));
    found.map(|(id, _)| id.clone())
}
