//! From what the provider says of somebody to what an account here needs.

use metadata::accounts::FULL_NAME_BYTES_MAX;
use metadata::openid::OpenIdRow;
use serde_json::{Map, Value};

/// A person, in the words of this registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    /// What an account of theirs would be called; empty where the provider says nothing of use.
    pub(crate) name: String,
    /// Empty where the provider says nothing.
    pub(crate) full_name: String,
    /// Which groups, of those that mean something here, they are in.
    pub(crate) groups: Vec<String>,
}

/// Whether the settings ask for a claim that is not among these.
pub(crate) fn lacks_any(claims: &Map<String, Value>, row: &OpenIdRow) -> bool {
    wanted(row).any(|name| claim(claims, name).is_none())
}

/// The claims that mean something by the settings.
fn wanted(row: &OpenIdRow) -> impl Iterator<Item = &str> {
    let follows = !row.group_teams.is_empty() || !row.admin_group.is_empty();
    let groups = if follows { row.groups_claim.as_str() } else { "" };
    let names = [row.username_claim.as_str(), &row.full_name_claim, groups];
    names.into_iter().filter(|name| !name.is_empty())
}

/// Who this is.
///
/// # Errors
///
/// In words: the provider has the groups and does not tell them.
pub(crate) fn person(claims: &Map<String, Value>, row: &OpenIdRow) -> Result<Person, String> {
    let text = |name: &str| match claim(claims, name) {
        Some(Value::String(text)) if !name.is_empty() => text.trim(),
        _ => "",
    };
    Ok(Person {
        name: account_name(text(&row.username_claim)),
        full_name: cut(text(&row.full_name_claim)),
        groups: groups(claims, row)?,
    })
}

/// An account's name is a namespace, which has no upper case and no `@`: where people sign in as
/// `ann@example.com`, their account is `ann`. They are told apart by their subject, never by this.
fn account_name(text: &str) -> String {
    let local = text.split_once('@').map_or(text, |(local, _)| local);
    local.to_lowercase()
}

/// As much as an account holds, in one line.
fn cut(text: &str) -> String {
    let mut cut: String = text.chars().filter(|letter| !letter.is_control()).collect();
    let end = (0..=cut.len().min(FULL_NAME_BYTES_MAX)).rev().find(|end| cut.is_char_boundary(*end));
    cut.truncate(end.unwrap_or(0));
    cut
}

/// Whoever is in no group is often told without the claim: then they are in none.
fn groups(claims: &Map<String, Value>, row: &OpenIdRow) -> Result<Vec<String>, String> {
    if row.groups_claim.is_empty() {
        return Ok(Vec::new());
    }
    // Source: OpenID Connect Core 1.0, 5.6.2. So some providers answer who is in very many groups.
    let is_elsewhere =
        claims.get("_claim_names").is_some_and(|it| it[&row.groups_claim].is_string());
    let found = claim(claims, &row.groups_claim);
    if found.is_none() && is_elsewhere {
        return Err(format!(
            "the OpenID provider keeps the groups in {} elsewhere, as there are too many; have it \
             tell only those that this registry needs",
            row.groups_claim
        ));
    }
    let told: Vec<&str> = match found {
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one],
        _ => Vec::new(),
    };
    let mut meant: Vec<&str> = row.group_teams.iter().map(|pair| pair.group.as_str()).collect();
    meant.push(&row.admin_group);
    meant.retain(|group| !group.is_empty() && told.contains(group));
    meant.sort_unstable();
    meant.dedup();
    Ok(meant.into_iter().map(str::to_owned).collect())
}

/// The claim of that name; where there is none, the one that dots lead to, as in
/// `realm_access.roles`.
fn claim<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let found = claims.get(name).or_else(|| {
        let (first, rest) = name.split_once('.')?;
        rest.split('.').try_fold(claims.get(first)?, |value, part| value.get(part))
    });
    found.filter(|value| !value.is_null())
}

#[cfg(test)]
mod tests {
    use metadata::openid::{GroupTeam, OpenIdRow};
    use serde_json::{Map, Value, json};

    use super::{lacks_any, person};

    fn row(groups_claim: &str) -> OpenIdRow {
        let pair = |group: &str| GroupTeam { group: group.to_owned(), team: [1; 16] };
        OpenIdRow {
            username_claim: "preferred_username".to_owned(),
            full_name_claim: "name".to_owned(),
            groups_claim: groups_claim.to_owned(),
            group_teams: vec![pair("makers"), pair("testers"), pair("makers")],
            admin_group: "root".to_owned(),
            ..OpenIdRow::default()
        }
    }

    fn claims(document: &Value) -> Map<String, Value> {
        document.as_object().unwrap().clone()
    }

    #[test]
    fn a_name_is_what_an_account_could_be_called() {
        let cases = [
            (json!("Ann"), "ann"),
            (json!(" ann.lee "), "ann.lee"),
            (json!("Ann.Lee@example.com"), "ann.lee"),
            (json!("@example.com"), ""),
            (json!(7), ""),
            (json!(null), ""),
        ];
        for (given, expected) in cases {
            let claims = claims(&json!({ "preferred_username": given, "name": "A\u{7}nn Lee" }));
            let person = person(&claims, &row("")).unwrap();
            assert_eq!((person.name.as_str(), person.full_name.as_str()), (expected, "Ann Lee"));
        }
        let long = claims(&json!({ "name": "é".repeat(2000) }));
        assert_eq!(person(&long, &row("")).unwrap().full_name.len(), 1024);
    }

    #[test]
    fn groups_are_those_that_mean_something_here() {
        let cases = [
            ("groups", json!({ "groups": ["strangers", "makers", 7, "makers"] }), &["makers"][..]),
            ("groups", json!({ "groups": "root" }), &["root"]),
            ("groups", json!({ "groups": [] }), &[]),
            ("groups", json!({}), &[]),
            ("", json!({ "groups": ["makers"] }), &[]),
            ("a.roles", json!({ "a": { "roles": ["testers", "root"] } }), &["root", "testers"]),
            ("https://x.example/g", json!({ "https://x.example/g": ["makers"] }), &["makers"]),
        ];
        for (claim, document, expected) in cases {
            let person = person(&claims(&document), &row(claim)).unwrap();
            assert_eq!(person.groups, expected, "{claim} {document}");
        }
        let elsewhere = claims(&json!({ "_claim_names": { "groups": "src1" } }));
        assert!(person(&elsewhere, &row("groups")).unwrap_err().contains("elsewhere"));
    }

    #[test]
    fn what_the_token_lacks_is_noticed() {
        let whole = json!({ "preferred_username": "ann", "name": "Ann", "groups": [] });
        assert!(!lacks_any(&claims(&whole), &row("groups")));
        assert!(lacks_any(&claims(&whole), &row("roles")));
        assert!(!lacks_any(&claims(&whole), &row("")));
        assert!(lacks_any(&claims(&json!({ "name": null })), &row("")));
    }
}
