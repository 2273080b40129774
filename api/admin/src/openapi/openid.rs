//! What the routes of sign-in by OpenID take and answer.

use super::operation::{Operation, delete, get, post, put};
use super::shape::{flag, form, object, shape, text};

pub(super) fn operations() -> Vec<Operation> {
    let (settings, user) = ("/enzi/v0/config/openid", "/enzi/v0/accounts/{user}/openid");
    let tied = || object(&[("issuerIdentifier", text()), ("subject", text())]);
    vec![
        get(settings, "The provider that people may sign in by, without the client's secret")
            .answers(200, shape("OpenIDSettings")),
        put(settings, "Says which provider people may sign in by, and what its groups mean")
            .asks("verify", flag(), "`false`: the provider is not asked first whether it is there")
            .takes(shape("GivenOpenIDSettings"))
            .answers(200, shape("OpenIDSettings"))
            .fails(404, &["NO_SUCH_TEAM"]),
        get(user, "Who a user is for the provider; empty texts for nobody").answers(200, tied()),
        put(user, "Ties a user to a subject of the provider; their password opens nothing then")
            .takes(form(&[("subject", text())]))
            .answers(200, tied())
            .fails(405, &["NOT_ALLOWED"]),
        delete(user, "Unties a user"),
        get("/api/v0/openid/login", "Sends a browser to the provider")
            .for_everyone()
            .asks("return", text(), "the path where it goes when it is signed in")
            .asks("here", flag(), "the browser was sent to the external URL already")
            .ends(302),
        get("/api/v0/openid/callback", "Signs in who comes back from the provider")
            .for_everyone()
            .asks("code", text(), "what the provider hands out a token for")
            .asks("state", text(), "that of the sign-in")
            .asks("iss", text(), "who sends the browser back")
            .asks("error", text(), "why there is no code")
            .shows_page(),
        post("/api/v0/openid/access_token", "Makes an access token, as the page of a sign-in asks")
            .takes_form(form(&[("csrfToken", text()), ("days", text())]))
            .shows_page(),
    ]
}
