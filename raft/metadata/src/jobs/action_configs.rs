//! What jobs of an action are told where they are not told otherwise.

use super::spec::{Parameter, check_action, check_parameters};
use crate::access::standing;
use crate::codec::message;
use crate::moment::Moment;
use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::row;
use crate::ruling::Ruling;
use crate::tables::{Damage, Read, Table, Write};

message! {
    /// Parameters of an action's jobs, under its name.
    pub struct ActionConfigRow {
        /// Names it.
        1 id: [u8; 16],
        /// By rising name; a job's own go before them.
        2 parameters: Vec<Parameter>,
    }
}

message! {
    /// Says what jobs of an action are told; those that are there already keep theirs.
    pub struct ActionConfigSet {
        /// The account that asks.
        1 actor: String,
        /// The action.
        2 action: String,
        /// By rising name.
        3 parameters: Vec<Parameter>,
    }
}

message! {
    /// Jobs of an action are told nothing of themselves any more.
    pub struct ActionConfigDelete {
        /// The account that asks.
        1 actor: String,
        /// The action.
        2 action: String,
    }
}

impl ActionConfigSet {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        standing::require_system(tables, &self.actor)?;
        check_action(&self.action)?;
        check_parameters(&self.parameters)?;
        let id = find(tables, &self.action)?.map_or(moment.random, |row| row.id);
        let row = ActionConfigRow { id, parameters: self.parameters.clone() };
        row::put(tables, Table::ActionConfigs, self.action.as_bytes().to_vec(), &row);
        Ok(Answer::Done)
    }
}

impl ActionConfigDelete {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        standing::require_system(tables, &self.actor)?;
        if find(tables, &self.action)?.is_none() {
            return Err(Refusal::ActionConfigUnknown { action: self.action.clone() }.into());
        }
        tables.delete(Table::ActionConfigs, self.action.as_bytes());
        Ok(Answer::Done)
    }
}

/// What jobs of that action are told.
pub fn find(read: &impl Read, action: &str) -> Result<Option<ActionConfigRow>, Damage> {
    row::find(read, Table::ActionConfigs, action.as_bytes())
}

/// All of them with their actions, by name: at most one for each action there is.
pub fn list(read: &impl Read) -> Result<Vec<(String, ActionConfigRow)>, Damage> {
    let rows = read.range(Table::ActionConfigs, &[], None, usize::MAX)?.into_iter();
    let rows = rows.map(|(key, value)| {
        let action = crate::key::text(&key)?.to_owned();
        Ok((action, row::decode(Table::ActionConfigs, &value)?))
    });
    rows.collect()
}
