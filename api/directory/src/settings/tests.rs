//! What is taken for settings, and what is said of others.

use serde_json::{Value, json};

use super::LdapSettings;

fn good() -> Value {
    json!({
        "serverURL": "ldap://directory.example.com",
        "readerDN": "cn=reader,dc=example",
        "readerPassword": "quiet-harbor-11",
        "recoveryAdminUsername": "admin",
        "userSearchConfigs": [{
            "baseDN": "ou=people,dc=example",
            "usernameAttr": "uid",
            "fullNameAttr": "cn",
            "filter": "(objectClass=person)"
        }],
    })
}

fn read(document: &Value) -> LdapSettings {
    serde_json::from_value(document.clone()).unwrap()
}

#[test]
fn settings_are_kept_as_they_are_written_but_for_their_secrets() {
    let checked = read(&good()).check().unwrap();
    assert_eq!(checked.reader_password.unwrap().as_str(), "quiet-harbor-11");
    assert!(checked.row.sealed_reader_password.is_empty());
    assert_eq!(checked.row.schedule, "@hourly");
    let shown = serde_json::to_value(LdapSettings::of_row(&checked.row)).unwrap();
    assert_eq!(shown["userSearchConfigs"][0]["usernameAttr"], "uid");
    assert_eq!(shown["serverURL"], "ldap://directory.example.com");
    assert!(!shown.to_string().contains("quiet-harbor") && shown["readerPassword"].is_null());
    assert!(!format!("{:?}", read(&good())).contains("quiet-harbor"));
}

#[test]
fn what_does_not_do_is_named() {
    let cases = [
        ("/serverURL", json!("directory.example.com"), "serverURL"),
        ("/serverURL", json!("ldap://x/dc=example"), "serverURL"),
        ("/readerDN", json!("reader"), "readerDN"),
        ("/rootCerts", json!("no certificate"), ""),
        ("/rootCerts", json!("x".repeat(30_000)), "rootCerts"),
        ("/userSearchConfigs", json!([]), "userSearchConfigs"),
        ("/userSearchConfigs/0/baseDN", json!("people"), "baseDN"),
        ("/userSearchConfigs/0/usernameAttr", json!("a)(b"), "usernameAttr"),
        ("/userSearchConfigs/0/usernameAttr", json!(""), "usernameAttr"),
        ("/userSearchConfigs/0/filter", json!("(a=b"), "filter"),
        ("/syncSchedule", json!("0 0 0 * * *"), "syncSchedule"),
        ("/syncSchedule", json!("now"), "syncSchedule"),
        (
            "/adminSyncOpts",
            json!({ "enableSync": true, "selectGroupMembers": true }),
            "adminSyncOpts: groupDN",
        ),
    ];
    for (place, value, named) in cases {
        let mut document = good();
        match document.pointer_mut(place) {
            Some(found) => *found = value.clone(),
            None => document[place.trim_start_matches('/')] = value.clone(),
        }
        // Authorities are only looked at where there is TLS.
        if place == "/rootCerts" {
            document["startTLS"] = json!(true);
        }
        let error = read(&document).check().err().unwrap_or_else(|| panic!("{place} {value}"));
        assert!(error.contains(named), "{place}: {error}");
    }
    for (place, value) in [
        ("syncSchedule", "0 */2 * * 1-5"),
        ("syncSchedule", "@daily"),
        ("readerDN", "reader@example.com"),
        ("readerDN", "EXAMPLE\\reader"),
        ("readerDN", ""),
    ] {
        let mut document = good();
        document[place] = json!(value);
        assert!(read(&document).check().is_ok(), "{place} {value}");
    }
}
