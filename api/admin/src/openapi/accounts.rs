//! What the routes of accounts, members and teams take and answer.

use super::operation::{Operation, delete, get, patch, post, put};
use super::shape::{flag, form, list, number, object, shape, text, word};

pub(super) fn operations() -> Vec<Operation> {
    let mut all = accounts();
    all.extend(users());
    all.extend(members());
    all.extend(teams());
    all.extend(team_members());
    all
}

fn accounts() -> Vec<Operation> {
    let filters =
        ["all", "users", "orgs", "admins", "non-admins", "active-users", "inactive-users"];
    let listed = object(&[
        ("accounts", list(&shape("Account"))),
        ("usersCount", number()),
        ("orgsCount", number()),
        ("resourceCount", number()),
        ("nextPageStart?", text()),
    ]);
    let changes = [
        ("fullName?", text()),
        ("isAdmin?", flag()),
        ("isActive?", flag()),
        ("quotaBytes?", number()),
    ];
    let mut creation = vec![("name", text()), ("isOrg?", flag()), ("password?", text())];
    creation.push(("searchLDAP?", flag()));
    creation.extend(changes.clone());
    vec![
        get("/enzi/v0/accounts", "A part of all accounts, by name")
            .started()
            .counted()
            .asks("filter", word(&filters), "which accounts")
            .answers(200, listed),
        post("/enzi/v0/accounts", "Creates a user or an organization")
            .takes(form(&creation))
            .answers(201, shape("Account"))
            .fails(400, &["ACCOUNT_EXISTS"]),
        get("/enzi/v0/accounts/{account}", "One account").answers(200, shape("Account")),
        patch("/enzi/v0/accounts/{account}", "Changes what is given of an account")
            .takes(form(&changes))
            .answers(200, shape("Account"))
            .fails(405, &["NOT_ALLOWED"]),
        delete("/enzi/v0/accounts/{account}", "Deletes an account with all that belongs to it")
            .fails(405, &["NOT_ALLOWED"]),
        delete("/api/v0/accounts/{account}", "Deletes an account with all that belongs to it")
            .fails(405, &["NOT_ALLOWED"]),
        delete(
            "/api/v0/accounts/{account}/repositories",
            "Deletes all repositories of a namespace",
        )
        .fails(405, &["NOT_ALLOWED"]),
    ]
}

fn users() -> Vec<Operation> {
    let settings = object(&[("contentCacheUUID", text()), ("ContentCacheUUID", text())]);
    let passwords = form(&[("oldPassword?", text()), ("newPassword?", text())]);
    let organization = object(&[("org", shape("Account")), ("isAdmin", flag())]);
    vec![
        get("/api/v0/accounts/language", "The language that this registry speaks")
            .for_everyone()
            .answers(200, object(&[("language", text())])),
        get("/api/v0/accounts/{user}/settings", "What a user chose for themselves")
            .answers(200, settings.clone()),
        patch("/api/v0/accounts/{user}/settings", "Changes it")
            .takes(form(&[("contentCacheUUID?", text()), ("ContentCacheUUID?", text())]))
            .answers(200, settings)
            .fails(400, &["INVALID_USER_SETTINGS"]),
        post("/enzi/v0/accounts/{user}/changePassword", "Gives a user another password")
            .takes(passwords)
            .answers(200, shape("Account"))
            .fails(403, &["PASSWORD_INCORRECT"]),
        get("/enzi/v0/accounts/{user}/organizations", "What a user is a member of, by id")
            .started()
            .answers(200, object(&[("memberOrgs", list(&organization))])),
    ]
}

fn members() -> Vec<Operation> {
    let place = "/enzi/v0/accounts/{org}/members/{user}";
    let role = || form(&[("isAdmin?", flag())]);
    let membership = object(&[("team", shape("Team")), ("isAdmin", flag())]);
    vec![
        get("/enzi/v0/accounts/{org}/members", "A part of an organization's members, by id")
            .started()
            .asks("filter", word(&["all", "admins", "non-admins"]), "which members")
            .answers(200, object(&[("members", list(&shape("Member")))])),
        get(place, "One member").answers(200, shape("Member")).fails(404, &["NO_SUCH_MEMBER"]),
        put(place, "Makes a user a member, or changes what one is")
            .takes(role())
            .answers(200, shape("Member"))
            .fails(404, &["NO_SUCH_MEMBER"]),
        patch(place, "Changes what a member is")
            .takes(role())
            .answers(200, shape("Member"))
            .fails(404, &["NO_SUCH_MEMBER"]),
        delete(place, "Takes one out of the organization and of all its teams")
            .fails(404, &["NO_SUCH_MEMBER"]),
        get("/enzi/v0/accounts/{org}/members/{user}/teams", "The teams that a member is in, by id")
            .started()
            .answers(200, object(&[("memberTeams", list(&membership))]))
            .fails(404, &["NO_SUCH_MEMBER"]),
    ]
}

fn teams() -> Vec<Operation> {
    let place = "/enzi/v0/accounts/{org}/teams/{team}";
    vec![
        get("/enzi/v0/accounts/{org}/teams", "A part of an organization's teams, by name")
            .started()
            .answers(200, object(&[("teams", list(&shape("Team")))])),
        post("/enzi/v0/accounts/{org}/teams", "Creates a team")
            .takes(form(&[("name", text()), ("description?", text())]))
            .answers(201, shape("Team"))
            .fails(400, &["TEAM_EXISTS"])
            .fails(409, &["NOT_ALLOWED"]),
        get(place, "One team").answers(200, shape("Team")),
        patch(place, "Changes what is given of a team")
            .takes(form(&[("name?", text()), ("description?", text())]))
            .answers(200, shape("Team"))
            .fails(400, &["TEAM_EXISTS"]),
        delete(place, "Deletes a team with all it was granted"),
    ]
}

fn team_members() -> Vec<Operation> {
    let place = "/enzi/v0/accounts/{org}/teams/{team}/members/{user}";
    let role = || form(&[("isAdmin?", flag())]);
    vec![
        get("/enzi/v0/accounts/{org}/teams/{team}/members", "A part of a team's members, by id")
            .started()
            .asks("filter", word(&["all", "admins", "non-admins"]), "which members")
            .answers(200, object(&[("members", list(&shape("Member")))])),
        get(place, "One member").answers(200, shape("Member")).fails(404, &["NO_SUCH_MEMBER"]),
        put(place, "Puts a user into the team, or changes what one is")
            .takes(role())
            .answers(200, shape("Member"))
            .fails(404, &["NO_SUCH_MEMBER"])
            .fails(409, &["NOT_ALLOWED"]),
        patch(place, "Changes what a member is")
            .takes(role())
            .answers(200, shape("Member"))
            .fails(404, &["NO_SUCH_MEMBER"]),
        delete(place, "Takes one out of the team").fails(404, &["NO_SUCH_MEMBER"]),
    ]
}
