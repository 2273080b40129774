//! A private repository: who may do what at every endpoint, and what a token must be for (2.3).

use chaos_tests::registry::Credentials;
use reqwest::Method;
use serde_json::json;

use super::image;
use crate::answer::{Answer, Seen, holds};
use crate::content::Algorithm;
use crate::manifests;
use crate::run::{Ask, Run, Who};
use crate::uploads;

/// An endpoint by its id, and whether it needs more than reading.
pub(super) type Endpoint = (&'static str, Method, String, bool);

pub(super) async fn all(run: &Run) {
    let Some(stranger) = run.step("private repository/prepared", prepared(run)).await else {
        return;
    };
    for endpoint in endpoints(run) {
        let missing = format!("{}-missing", run.repository);
        let both = || [ask(run, &run.repository, &endpoint), ask(run, &missing, &endpoint)];
        let (id, method, _, writes) = &endpoint;
        let nobody = both().map(|it| it.who(Who::Anonymous));
        run.step(&format!("private repository/{id} by nobody"), challenged(nobody)).await;
        let other = both().map(|it| it.who(Who::Account(stranger.clone())));
        let seen = shut_out(other, (method, *writes));
        run.step(&format!("private repository/{id} by a stranger"), seen).await;
    }
    tokens(run, &stranger).await;
}

/// A request to an endpoint of a repository.
pub(super) fn ask<'a>(run: &'a Run, repository: &str, endpoint: &Endpoint) -> Ask<'a> {
    let (_, method, rest, _) = endpoint;
    let path = format!("/v2/{repository}/{rest}");
    match *method {
        Method::HEAD => run.head(&path),
        Method::PUT => run.put(&path),
        Method::POST => run.post(&path),
        Method::PATCH => run.patch(&path),
        Method::DELETE => run.delete(&path),
        _ => run.get(&path),
    }
}

pub(super) fn endpoints(run: &Run) -> Vec<Endpoint> {
    let digest = run.digest(Algorithm::Sha256);
    let (blob, upload) = (format!("blobs/{digest}"), "blobs/uploads/none".to_owned());
    let (tag, by_digest) = ("manifests/v1".to_owned(), format!("manifests/{digest}"));
    let opening = "blobs/uploads/".to_owned();
    let (get, post, put) = (Method::GET, Method::POST, Method::PUT);
    vec![
        ("end-2 get", get.clone(), blob.clone(), false),
        ("end-2 head", Method::HEAD, blob.clone(), false),
        ("end-3 get", get.clone(), tag.clone(), false),
        ("end-3 head", Method::HEAD, tag.clone(), false),
        ("end-4a", post.clone(), opening.clone(), true),
        ("end-4b", post.clone(), format!("{opening}?digest={digest}"), true),
        ("end-4c", post.clone(), format!("{opening}?digest-algorithm=sha512"), true),
        ("end-5", Method::PATCH, upload.clone(), true),
        ("end-6", put.clone(), format!("{upload}?digest={digest}"), true),
        ("end-7a", put.clone(), tag.clone(), true),
        ("end-7b", put, format!("{by_digest}?tag=v1"), true),
        ("end-8a", get.clone(), "tags/list".to_owned(), false),
        ("end-8b", get.clone(), "tags/list?n=1&last=a".to_owned(), false),
        ("end-9", Method::DELETE, tag, true),
        ("end-10", Method::DELETE, blob, true),
        ("end-11", post, format!("{opening}?mount={digest}&from={}", run.other), true),
        ("end-12a", get.clone(), format!("referrers/{digest}"), false),
        ("end-12b", get.clone(), format!("referrers/{digest}?artifactType=a"), false),
        ("end-13", get, upload.clone(), true),
        ("end-14", Method::DELETE, upload, true),
    ]
}

/// A private repository with a tag in it, and an account that has no right there.
async fn prepared(run: &Run) -> Seen<Credentials> {
    let manifest = image(run).await?;
    manifests::pushed(run, &manifest, ("v1", &[])).await?;
    stranger(run).await
}

/// A new account without any right.
pub(super) async fn stranger(run: &Run) -> Seen<Credentials> {
    let (name, password) = (format!("stranger{}", run.draw()), format!("pass-{}", run.draw()));
    let account = json!({"name": name, "password": password, "isAdmin": false});
    let post = run.post("/enzi/v0/accounts").who(Who::Basic);
    let post = post.header("content-type", "application/json");
    post.body(&account.to_string().into()).send().await?.is(201)?;
    Ok(Credentials { name, password })
}

/// Nothing in two answers tells the repository that exists from the one that does not.
fn alike(answers: &[Answer; 2]) -> Seen {
    let code = |answer: &Answer| {
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        body["errors"][0]["code"].clone()
    };
    let [there, missing] = answers;
    let same = there.status == missing.status && code(there) == code(missing);
    holds(same, || format!("{}, {}", there.but("private"), missing.but("missing")))
}

async fn both(asks: [Ask<'_>; 2]) -> Seen<[Answer; 2]> {
    let [there, missing] = asks;
    let answers = [there.send().await?, missing.send().await?];
    alike(&answers)?;
    Ok(answers)
}

/// 401 with the challenge that names what the request needs (H10).
async fn challenged(asks: [Ask<'_>; 2]) -> Seen {
    for answer in both(asks).await? {
        let challenge = answer.is(401)?.needs("www-authenticate")?;
        let whole = challenge.starts_with("Bearer realm=\"")
            && challenge.contains("service=\"")
            && challenge.contains("scope=\"repository:")
            && !challenge.contains("error=");
        holds(whole, || answer.but(&format!("the challenge is {challenge:?}")))?;
    }
    Ok(())
}

/// 404 to who reads, 403 to who writes; a list of referrers is 404 as well, since the caller may
/// not pull there (RF1).
async fn shut_out(asks: [Ask<'_>; 2], how: (&Method, bool)) -> Seen {
    let (method, writes) = how;
    for answer in both(asks).await? {
        match (writes, method) {
            (false, &Method::HEAD) => answer.is(404)?,
            (false, _) => answer.refuses(404, "NAME_UNKNOWN")?,
            (true, _) => answer.refuses(403, "DENIED")?,
        };
    }
    Ok(())
}

async fn tokens(run: &Run, stranger: &Credentials) {
    let own = &run.repository;
    run.step("token/narrower than the right", narrow(run)).await;
    run.step("token/of a stranger grants nothing", of_a_stranger(run, stranger)).await;
    let nobody = async {
        let path = format!("/auth/token?service=holdfast&scope=repository:{own}:pull");
        let answer = run.get(&path).who(Who::Anonymous).send().await?;
        let token = answer.is(200)?.json()?["token"].as_str().unwrap_or_default().to_owned();
        let get = run.get("manifests/v1").who(Who::Bearer(token)).send().await?;
        holds([401, 404].contains(&get.status.as_u16()), || get.but("nobody may read it"))
    };
    run.step("token/of nobody grants nothing", nobody).await;
    let broken = async {
        let get = run.get("tags/list").who(Who::Bearer("x.y.z".to_owned())).send().await?;
        let challenge = get.refuses(401, "UNAUTHORIZED")?.needs("www-authenticate")?;
        holds(challenge.contains("error=\"invalid_token\""), || get.but(challenge))
    };
    run.step("token/broken", broken).await;
    run.step("token/posted as a form", posted(run, stranger)).await;
}

/// 401 that says which scope is needed (TK7).
async fn narrow(run: &Run) -> Seen {
    let at = run.target.next();
    let scope = format!("repository:{}:pull", run.repository);
    let token = run.target.registry.token(at, &scope).await.map_err(|it| it.to_string())?;
    let get = run.get("manifests/v1").who(Who::Bearer(token.clone())).send().await?;
    get.is(200)?;
    let post = run.post("blobs/uploads/").who(Who::Bearer(token)).send().await?;
    let challenge = post.refuses(401, "UNAUTHORIZED")?.needs("www-authenticate")?;
    let wider = challenge.contains("error=\"insufficient_scope\"")
        && challenge.contains(&format!("scope=\"repository:{}:pull,push", run.repository));
    holds(wider, || post.but(&format!("the challenge is {challenge:?}")))
}

/// A token for a scope is given; what is not due is left out of it.
async fn of_a_stranger(run: &Run, stranger: &Credentials) -> Seen {
    let path = format!("/auth/token?service=holdfast&scope={}", run.scope());
    let answer = run.get(&path).who(Who::Account(stranger.clone())).send().await?;
    let body = answer.is(200)?.json()?;
    let token = body["token"].as_str().unwrap_or_default().to_owned();
    let life = body["expires_in"].as_u64().unwrap_or(0);
    let whole = body["access_token"] == token.as_str() && life >= 60;
    holds(whole && body["issued_at"].is_string(), || answer.but("a field is missing"))?;
    let get = run.get("manifests/v1").who(Who::Bearer(token.clone())).send().await?;
    get.refuses(404, "NAME_UNKNOWN")?;
    let post = run.post("blobs/uploads/").who(Who::Bearer(token)).send().await?;
    post.refuses(403, "DENIED").map(|_| ())
}

/// TK3, TK4.
async fn posted(run: &Run, stranger: &Credentials) -> Seen {
    let form = format!(
        "grant_type=password&service=holdfast&client_id=test&username={}&password={}&scope={}",
        stranger.name, stranger.password, "repository:a/b:pull"
    );
    let post = run.post("/auth/token").who(Who::Anonymous);
    let post = post.header("content-type", "application/x-www-form-urlencoded");
    let answer = post.body(&form.into()).send().await?;
    let body = answer.is(200)?.json()?;
    let token = body["access_token"].as_str().unwrap_or_default().to_owned();
    holds(body["scope"].is_string(), || answer.but("scope is missing"))?;
    run.get("/v2/").who(Who::Bearer(token)).send().await?.is(200)?;
    uploads::open(run).await.map(|_| ())
}
