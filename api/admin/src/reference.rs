//! Accounts and teams as a path names them: by name or by id.

use metadata::accounts::{self, AccountId, AccountKind, Named};
use metadata::refusal::Refusal;
use metadata::tables::{Damage, Read};
use metadata::teams::{self, Team};

/// An id in the form of a UUID.
pub fn uuid(id: &[u8; 16]) -> String {
    let hex = auth::access_token::hex(id);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// The id that [`uuid`] wrote, with its dashes or without.
pub fn id_of(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.chars().filter(|letter| *letter != '-').collect();
    if digits.len() != 32 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    Some(u128::from_str_radix(&digits, 16).ok()?.to_be_bytes())
}

/// What was looked for, or why it is not there.
pub type Found<T> = Result<Result<T, Refusal>, Damage>;

/// The account that a path names.
pub fn account(read: &impl Read, text: &str) -> Found<Named> {
    if let Some(row) = accounts::find(read, text)? {
        return Ok(Ok((text.to_owned(), row)));
    }
    let found = match id_of(text) {
        Some(id) => accounts::find_by_id(read, &id)?,
        None => None,
    };
    Ok(found.ok_or_else(|| unknown(text)))
}

/// What is said of an account that is not there, or that the caller may not know of.
pub fn unknown(text: &str) -> Refusal {
    Refusal::AccountUnknown { name: shortened(text) }
}

/// The user that a path names.
pub fn user(read: &impl Read, text: &str) -> Found<Named> {
    of_kind(read, text, AccountKind::User)
}

/// The organization that a path names.
pub fn organization(read: &impl Read, text: &str) -> Found<Named> {
    of_kind(read, text, AccountKind::Organization)
}

fn of_kind(read: &impl Read, text: &str, kind: AccountKind) -> Found<Named> {
    Ok(account(read, text)?.and_then(|(name, row)| match (row.kind, kind) {
        (AccountKind::User | AccountKind::Robot, AccountKind::Organization) => {
            Err(Refusal::AccountIsUser { name })
        }
        (AccountKind::Organization, AccountKind::User) => {
            Err(Refusal::AccountIsOrganization { name })
        }
        _ => Ok((name, row)),
    }))
}

/// The team of an organization that a path names. One of another organization is told apart from
/// none, where it is named by its id.
pub fn team(read: &impl Read, organization: (&str, &AccountId), text: &str) -> Found<Team> {
    let (name, organization) = organization;
    if let Some(team) = teams::find(read, organization, text)? {
        return Ok(Ok(team));
    }
    let found = match id_of(text) {
        Some(id) => teams::find_by_id(read, &id)?,
        None => None,
    };
    Ok(match found {
        Some(team) if team.organization == *organization => Ok(team),
        Some(_) => Err(Refusal::TeamElsewhere { namespace: name.to_owned() }),
        None => Err(Refusal::TeamUnknown),
    })
}

/// So much of a text as an error repeats.
fn shortened(text: &str) -> String {
    text.chars().take(128).collect()
}

#[cfg(test)]
mod tests {
    use super::{id_of, uuid};

    #[test]
    fn an_id_reads_as_it_is_written() {
        let id = [0x0f; 16];
        assert_eq!(uuid(&id), "0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f");
        assert_eq!(id_of(&uuid(&id)), Some(id));
        assert_eq!(id_of(&uuid(&id).replace('-', "")), Some(id));
        for text in ["", "ann", "0f0f", &"g".repeat(32), &"0".repeat(33)] {
            assert_eq!(id_of(text), None, "{text:?}");
        }
    }
}
