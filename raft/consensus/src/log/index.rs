//! Where every entry of the log is, and all else that is known of it.

use std::collections::VecDeque;

use bytes::Bytes;

use super::LogId;
use super::record::{Record, State};

/// Where a payload is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// Not written yet.
    Memory(Bytes),
    /// At this offset of the log its record begins.
    Disk(u64),
}

/// One entry.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) id: LogId,
    pub(super) place: Place,
    /// Bytes of the payload.
    pub(super) length: u32,
    /// Bytes of all payloads up to and including this one, from some point on.
    upto_bytes: u64,
}

/// The log but for the bytes that are on disk.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) state: State,
    /// Consecutive; the last is `state.last`.
    slots: VecDeque<Slot>,
}

impl Index {
    /// Carries out `record`; `offset` is where it begins on disk, if it is there.
    ///
    /// The rules were kept when it was made: they need no check here.
    pub(super) fn apply(&mut self, record: &Record, offset: Option<u64>) {
        match record {
            Record::Entry(id, payload) => {
                let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
                let before = self.slots.back().map_or(0, |slot| slot.upto_bytes);
                let place = offset.map_or_else(|| Place::Memory(payload.clone()), Place::Disk);
                let upto_bytes = before + u64::from(length);
                self.slots.push_back(Slot { id: *id, place, length, upto_bytes });
                self.state.last = Some(*id);
            }
            Record::Truncate(since) => {
                while self.slots.back().is_some_and(|slot| slot.id.index >= *since) {
                    self.slots.pop_back();
                }
                self.state.last = self.slots.back().map(|slot| slot.id).or(self.state.purged);
            }
            Record::Purge(upto) => {
                while self.slots.front().is_some_and(|slot| slot.id.index <= upto.index) {
                    self.slots.pop_front();
                }
                if self.state.purged.is_none_or(|purged| purged.index < upto.index) {
                    self.state.purged = Some(*upto);
                }
                if self.slots.is_empty() {
                    let last = self.state.last.filter(|last| last.index > upto.index);
                    self.state.last = last.or(self.state.purged);
                }
            }
            Record::Vote(vote) => self.state.vote = Some(*vote),
            Record::Commit(id) => self.state.committed = Some(*id),
            // The first file that is left begins with what the ones before it made.
            Record::State(state) => self.state = *state,
        }
    }

    /// The entries of `from..to`, until their payloads have more than `limit_bytes`.
    pub(super) fn range(&self, from: u64, to: u64, limit_bytes: u64) -> Vec<Slot> {
        let (mut found, mut bytes) = (Vec::new(), 0);
        let start = self.position(from).unwrap_or(self.slots.len());
        for slot in self.slots.range(start..).take_while(|slot| slot.id.index < to) {
            found.push(slot.clone());
            bytes += u64::from(slot.length);
            if bytes > limit_bytes {
                break;
            }
        }
        found
    }

    fn position(&self, index: u64) -> Option<usize> {
        let first = self.slots.front()?.id.index;
        let position = usize::try_from(index.checked_sub(first)?).ok()?;
        (position < self.slots.len()).then_some(position)
    }

    /// Notes that the entry `id` is on disk, unless it was forgotten meanwhile.
    pub(super) fn written(&mut self, id: LogId, offset: u64) {
        if let Some(position) = self.position(id.index)
            && let Some(slot) = self.slots.get_mut(position).filter(|slot| slot.id == id)
        {
            slot.place = Place::Disk(offset);
        }
    }

    /// The offset of the first entry that is on disk, if its first entry is.
    pub(super) fn first_offset(&self) -> Option<u64> {
        match self.slots.front()?.place {
            Place::Disk(offset) => Some(offset),
            Place::Memory(_) => None,
        }
    }

    /// What is missing between what was purged and the last entry, in words.
    pub(super) fn missing(&self) -> Option<String> {
        let (purged, last) = (self.state.purged?, self.state.last?);
        let first = self.slots.front().map_or(last.index + 1, |slot| slot.id.index);
        let is_whole = first == purged.index + 1;
        (!is_whole).then(|| format!("the entries between {purged} and {first} are missing"))
    }

    /// Bytes of the payloads from `index` on.
    pub(super) fn bytes_since(&self, index: u64) -> u64 {
        let Some(last) = self.slots.back() else {
            return 0;
        };
        let first = self.slots.front().map_or(0, |slot| slot.id.index);
        let Some(position) = self.position(index.max(first)) else {
            return 0;
        };
        let slot = &self.slots[position];
        last.upto_bytes - slot.upto_bytes + u64::from(slot.length)
    }
}
