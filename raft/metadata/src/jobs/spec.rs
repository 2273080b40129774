//! What is to be done, and within which bounds: what jobs and crons have in common.

use super::actions;
use crate::codec::message;
use crate::refusal::Refusal;
use crate::ruling::Ruling;
use crate::settings::SECONDS_MAX;

/// Parameters of a job, at most.
pub const PARAMETERS_MAX: usize = 32;
/// A parameter's name in bytes, at most.
pub const NAME_BYTES_MAX: usize = 128;
/// Names and values of a job's parameters in bytes, at most.
pub const PARAMETER_BYTES_MAX: usize = 8 * 1024;
/// How often a job may be tried again, at most.
pub const RETRIES_MAX: u32 = 100;
/// Kinds of capacity that a job takes or a worker has, at most.
pub const CAPACITIES_MAX: usize = 16;
/// How much of one there may be.
pub const AMOUNT_MAX: u32 = 1_000;

message! {
    /// Something that the work is told.
    pub struct Parameter {
        /// What.
        1 name: String,
        /// How it is.
        2 value: String,
    }
}

message! {
    /// So much of what a worker has.
    pub struct Amount {
        /// Of what.
        1 name: String,
        /// How much.
        2 amount: u32,
    }
}

message! {
    /// What is to be done.
    #[derive(Default)]
    pub struct JobSpec {
        /// Which of [`actions::ACTIONS`].
        1 action: String,
        /// By rising name, each once.
        2 parameters: Vec<Parameter>,
        /// What of its worker it takes while it runs; by rising name, each once.
        3 capacity: Vec<Amount>,
        /// How often it is tried again where it fails.
        4 retries: u32,
        /// So long after its begin it is told to stop, in seconds; 0 for never.
        5 deadline_s: u64,
        /// So long after it was told to stop it is ended, in seconds; 0 for the default.
        6 stop_timeout_s: u64,
    }
}

impl JobSpec {
    /// A job without parameters or bounds of its own.
    pub fn of(action: &str) -> Self {
        Self { action: action.to_owned(), ..Self::default() }
    }

    /// What the parameter of that name is.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|parameter| parameter.name == name);
        found.map(|parameter| parameter.value.as_str())
    }

    /// With what is missing among its parameters taken from `defaults`.
    #[must_use]
    pub fn with_defaults(mut self, defaults: &[Parameter]) -> Self {
        for parameter in defaults {
            if self.parameter(&parameter.name).is_none() {
                self.parameters.push(parameter.clone());
            }
        }
        self.parameters.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        self
    }

    /// Refuses what is unknown or out of bounds.
    pub(crate) fn check(&self) -> Ruling<()> {
        check_action(&self.action)?;
        check_parameters(&self.parameters)?;
        check_capacity(&self.capacity)?;
        bound("retries", self.retries as usize, RETRIES_MAX as usize)?;
        for (what, seconds) in [
            ("seconds of deadline", self.deadline_s),
            ("seconds of stopTimeout", self.stop_timeout_s),
        ] {
            if seconds > SECONDS_MAX {
                return Err(Refusal::TooMuch { what: what.to_owned(), max: SECONDS_MAX }.into());
            }
        }
        Ok(())
    }
}

pub(crate) fn check_action(action: &str) -> Ruling<()> {
    if actions::find(action).is_some() {
        return Ok(());
    }
    let known: Vec<&str> = actions::ACTIONS.iter().map(|action| action.name).collect();
    let what = format!("there is no such action; action is one of {}", known.join(", "));
    Err(Refusal::JobUnfit { what }.into())
}

pub(crate) fn check_parameters(parameters: &[Parameter]) -> Ruling<()> {
    bound("parameters of a job", parameters.len(), PARAMETERS_MAX)?;
    let names: Vec<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    check_names("parameters", &names)?;
    let bytes = parameters.iter().map(|parameter| parameter.name.len() + parameter.value.len());
    bound("bytes of a job's parameters", bytes.sum(), PARAMETER_BYTES_MAX)
}

pub(crate) fn check_capacity(capacity: &[Amount]) -> Ruling<()> {
    bound("entries of capacityMap", capacity.len(), CAPACITIES_MAX)?;
    let names: Vec<&str> = capacity.iter().map(|amount| amount.name.as_str()).collect();
    check_names("capacityMap", &names)?;
    capacity
        .iter()
        .try_for_each(|it| bound("of one capacity", it.amount as usize, AMOUNT_MAX as usize))
}

/// Names are there, short, in order and each once: so equal jobs have equal bytes.
fn check_names(what: &str, names: &[&str]) -> Ruling<()> {
    let is_name = |name: &&str| (1..=NAME_BYTES_MAX).contains(&name.len());
    if names.iter().all(is_name) && names.is_sorted_by(|one, other| one < other) {
        return Ok(());
    }
    let what = format!("the names of {what} have 1 to {NAME_BYTES_MAX} bytes, each stands once");
    Err(Refusal::JobUnfit { what }.into())
}

pub(crate) fn bound(what: &str, found: usize, max: usize) -> Ruling<()> {
    if found > max { Err(Refusal::out_of_bounds(what, max).into()) } else { Ok(()) }
}
