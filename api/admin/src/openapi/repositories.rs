//! What the routes of repositories, and of grants on them, take and answer.

use super::operation::{Operation, delete, get, patch, post, put};
use super::shape::{Schema, between, flag, form, list, number, object, shape, text, word};
use super::shapes::level;

pub(super) fn operations() -> Vec<Operation> {
    let mut all = repositories();
    all.extend(images());
    all.extend(grants());
    all.extend(namespace_grants());
    all.extend(rights());
    all.extend(search());
    all
}

fn fields() -> Vec<(&'static str, Schema)> {
    vec![
        ("shortDescription?", text()),
        ("longDescription?", text()),
        ("visibility?", word(&["public", "private"])),
        ("immutableTags?", flag()),
        ("tagLimit?", number()),
        // Not there yet: what would be taken and not kept is refused.
        ("scanOnPush?", flag()),
    ]
}

fn repositories() -> Vec<Operation> {
    let place = "/api/v0/repositories/{ns}/{repo}";
    let listed = || object(&[("repositories", list(&shape("Repository")))]);
    let mut creation = vec![("name", text())];
    creation.extend(fields());
    let invalid = ["INVALID_REPOSITORY_NAME", "INVALID_REPOSITORY_VISIBILITY", "REPOSITORY_EXISTS"];
    vec![
        get("/api/v0/repositories", "A page of the repositories that the caller may see")
            .paged()
            .answers(200, listed()),
        get("/api/v0/repositories/{ns}", "A page of those in one namespace")
            .paged()
            .answers(200, listed()),
        post("/api/v0/repositories/{ns}", "Creates a repository")
            .takes(form(&creation))
            .answers(201, shape("Repository"))
            .fails(400, &invalid)
            .fails(400, &["INVALID_SETTINGS"])
            .fails(405, &["NOT_ALLOWED"]),
        get(place, "One repository").answers(200, shape("Repository")),
        patch(place, "Changes what is given of a repository")
            .takes(form(&fields()))
            .answers(200, shape("Repository"))
            .fails(400, &["INVALID_REPOSITORY_VISIBILITY", "INVALID_SETTINGS"])
            .fails(405, &["NOT_ALLOWED"]),
        delete(place, "Deletes a repository with everything in it").fails(405, &["NOT_ALLOWED"]),
    ]
}

fn images() -> Vec<Operation> {
    let tags = "/api/v0/repositories/{ns}/{repo}/tags";
    let tag = "/api/v0/repositories/{ns}/{repo}/tags/{ref}";
    let manifests = "/api/v0/repositories/{ns}/{repo}/manifests";
    let manifest = "/api/v0/repositories/{ns}/{repo}/manifests/{ref}";
    vec![
        get(tags, "A page of a repository's tags, by name")
            .paged()
            .asks("includeManifests", flag(), "`true`: each image is opened, 500 at most")
            .asks("deleted", flag(), "`true`: instead those that went and may come back")
            .answers(200, list(&shape("Tag"))),
        get(tag, "A tag, once for each platform it has; or every tag of a digest")
            .asks("os", text(), "that system only")
            .asks("arch", text(), "that architecture only")
            .answers(200, list(&shape("Tag"))),
        delete(tag, "Deletes a tag; the manifest stays")
            .fails(404, &["NO_SUCH_TAG"])
            .fails(405, &["NOT_ALLOWED"])
            .fails(409, &["NOT_ALLOWED"]),
        get(manifests, "A page of a repository's manifests, by digest")
            .paged()
            .answers(200, list(&shape("Manifest"))),
        delete(manifest, "Deletes a manifest with the tags that point at it")
            .fails(400, &["INVALID_DIGEST"])
            .fails(405, &["NOT_ALLOWED"])
            .fails(409, &["NOT_ALLOWED"]),
    ]
}

fn grants() -> Vec<Operation> {
    let list = "/api/v0/repositories/{ns}/{repo}/teamAccess";
    let place = "/api/v0/repositories/{ns}/{repo}/teamAccess/{team}";
    let unshared = ["REPOSITORY_NOT_ORGANIZATION_OWNED"];
    vec![
        get(list, "A page of what teams were granted on one repository, by the teams' ids")
            .paged()
            .answers(200, shape("ListRepoTeamAccess")),
        put(place, "Grants a team something on one repository, in place of what it had")
            .takes(form(&[("accessLevel", level())]))
            .answers(200, shape("ListRepoTeamAccess"))
            .fails(400, &unshared),
        delete(place, "Takes it away, if there is any").fails(400, &unshared),
    ]
}

fn namespace_grants() -> Vec<Operation> {
    let list = "/api/v0/repositoryNamespaces/{ns}/teamAccess";
    let place = "/api/v0/repositoryNamespaces/{ns}/teamAccess/{team}";
    let of_user = ["NAMESPACE_NOT_ORGANIZATION"];
    vec![
        get(list, "A page of what teams were granted on all repositories of an organization")
            .paged()
            .answers(200, shape("ListRepoNamespaceTeamAccess"))
            .fails(400, &of_user),
        get(place, "What one team was granted on all of them")
            .answers(200, shape("NamespaceTeamAccess"))
            .fails(400, &of_user)
            .fails(404, &["NO_SUCH_NAMESPACE_TEAM_ACCESS"]),
        put(place, "Grants a team something on all of them, in place of what it had")
            .takes(form(&[("accessLevel", level())]))
            .answers(200, shape("NamespaceTeamAccess"))
            .fails(400, &of_user)
            .fails(404, &["NO_SUCH_NAMESPACE_TEAM_ACCESS"]),
        delete(place, "Takes it away, if there is any").fails(400, &of_user),
    ]
}

fn rights() -> Vec<Operation> {
    let decision = object(&[
        ("user", text()),
        ("repository", text()),
        ("action", text()),
        ("allowed", flag()),
        ("visible", flag()),
        ("level", text()),
        ("rule", text()),
        ("team?", text()),
        ("explanation", text()),
    ]);
    let actions: Vec<&str> = metadata::access::Action::ALL.iter().map(|(word, _)| *word).collect();
    vec![
        get(
            "/api/v0/accounts/{org}/teams/{team}/repositoryAccess",
            "A page of the repositories on which a team has a grant of its own, by name",
        )
        .paged()
        .answers(200, shape("ListTeamRepoAccess")),
        get(
            "/api/v0/accounts/{user}/repositoryAccess/{ns}/{repo}",
            "How far a user's rights go on one repository",
        )
        .answers(200, shape("RepoUserAccess")),
        get("/api/v0/access/check", "Whether somebody may do something, and why")
            .asks("repository", text(), "`namespace/name`")
            .asks("action", word(&actions), "what they would do")
            .asks("user", text(), "who; absent for oneself")
            .asks("anonymous", flag(), "`true`: somebody who did not sign in")
            .answers(200, decision)
            .fails(400, &["INVALID_REPOSITORY_NAME"])
            .fails(404, &["NO_SUCH_USER", "NO_SUCH_REPOSITORY"]),
    ]
}

fn search() -> Vec<Operation> {
    let offered = object(&[
        ("accountResults?", list(&shape("Account"))),
        ("repositoryResults?", list(&shape("Repository"))),
    ]);
    vec![
        get("/api/v0/index/autocomplete", "What to offer while somebody types a name")
            .asks("query", text(), "a part of the name")
            .asks("namespace", text(), "repositories of this namespace only")
            .asks("limit", between(1, 100), "25 where none is asked for")
            .asks("includeRepositories", flag(), "`false`: no repositories")
            .asks("includeAccounts", flag(), "`false`: no accounts")
            .answers(200, offered),
        get("/api/v0/index/dockersearch", "Repositories by a part of their name")
            .for_everyone()
            .asks("q", text(), "the part")
            .asks("n", between(1, 100), "25 where none is asked for")
            .answers(200, shape("DockerSearch")),
        get("/v1/search", "The same as `docker search` asks for it")
            .for_everyone()
            .asks("q", text(), "the part")
            .asks("n", between(1, 100), "25 where none is asked for")
            .answers(200, shape("DockerSearch")),
    ]
}
