//! What the routes take and answer by which people and programs sign in: sessions, public keys,
//! robots and the key of tokens.

use super::operation::{Operation, delete, get, patch, post};
use super::shape::{flag, form, list, object, shape, text, time};

pub(super) fn operations() -> Vec<Operation> {
    let mut all = sessions();
    all.extend(public_keys());
    all.extend(robots());
    all
}

fn sessions() -> Vec<Operation> {
    let path = "/api/v0/session";
    let session = object(&[("username", text()), ("isAdmin", flag()), ("csrfToken", text())]);
    vec![
        get(path, "The session that the cookie stands for").answers(200, session.clone()),
        post(path, "Begins a session, by name and password or by what the request shows otherwise")
            .for_everyone()
            .takes(form(&[("username?", text()), ("password?", text())]))
            .answers(200, session),
        delete(path, "Ends the session on every replica"),
        post("/api/v0/admin/tokens/rotate", "Signs tokens of the token endpoint with a new key")
            .takes(form(&[("dropFormer?", flag())]))
            .answers(200, object(&[("keyID", text())]))
            .fails(409, &["NOT_ALLOWED"]),
    ]
}

fn public_keys() -> Vec<Operation> {
    let (all, one) =
        ("/enzi/v0/accounts/{user}/publicKeys", "/enzi/v0/accounts/{user}/publicKeys/{keyID}");
    vec![
        get(all, "A part of a user's public keys, by id")
            .started()
            .answers(200, object(&[("accountPublicKeys", list(&shape("PublicKey")))])),
        post(all, "Gives a user a public key, in PEM, also that of a certificate")
            .takes(form(&[("publicKey", text()), ("label?", text())]))
            .answers(201, shape("PublicKey"))
            .fails(400, &["PUBLIC_KEY_EXISTS"])
            .fails(409, &["NOT_ALLOWED"]),
        patch(one, "Calls one otherwise")
            .takes(form(&[("label?", text())]))
            .answers(200, shape("PublicKey")),
        delete(one, "Takes one away"),
    ]
}

fn robots() -> Vec<Operation> {
    let all = "/enzi/v0/accounts/{org}/robots";
    let wanted = form(&[
        ("name", text()),
        ("description?", text()),
        ("scopes?", list(&text())),
        ("expiresAt?", time()),
    ]);
    vec![
        get(all, "A part of an organization's robots, by name")
            .started()
            .answers(200, object(&[("robots", list(&shape("Account")))])),
        post(all, "Makes a robot with its first token, whose text is shown this once")
            .takes(wanted)
            .answers(201, shape("NewRobot"))
            .fails(400, &["ACCOUNT_EXISTS"])
            .fails(409, &["NOT_ALLOWED"]),
        delete("/enzi/v0/accounts/{org}/robots/{robot}", "Takes a robot away with its tokens"),
    ]
}
