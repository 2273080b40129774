//! What people say of a repository. It stands apart from the repository's own row, which every
//! request reads and every push writes.

use super::{RepositoryNumber, RepositoryRow};
use crate::codec::message;
use crate::row;
use crate::tables::{Damage, Read, Table, Write};

message! {
    /// A description, under the repository's number; none where nothing is said.
    pub struct DescriptionRow {
        /// In a line.
        1 short: String,
        /// As a page of Markdown.
        2 long: String,
    }
}

/// What is said of a repository.
pub fn of(read: &impl Read, repository: &RepositoryRow) -> Result<DescriptionRow, Damage> {
    let key = repository.number.to_be_bytes();
    let row = row::find(read, Table::Descriptions, &key)?;
    Ok(row.unwrap_or_else(|| DescriptionRow { short: String::new(), long: String::new() }))
}

/// Changes what is given.
pub(crate) fn change(
    tables: &mut impl Write,
    repository: &RepositoryRow,
    short: Option<&String>,
    long: Option<&String>,
) -> Result<(), Damage> {
    let before = of(tables, repository)?;
    let after = DescriptionRow {
        short: short.unwrap_or(&before.short).clone(),
        long: long.unwrap_or(&before.long).clone(),
    };
    if after.short.is_empty() && after.long.is_empty() {
        remove(tables, repository.number());
    } else if after != before {
        row::put(tables, Table::Descriptions, repository.number.to_be_bytes().to_vec(), &after);
    }
    Ok(())
}

pub(crate) fn remove(tables: &mut impl Write, repository: RepositoryNumber) {
    tables.delete(Table::Descriptions, &repository.0.to_be_bytes());
}
