//! A page of a list.

/// Some items in order, and whether more come after them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// In byte order of what the list is sorted by.
    pub items: Vec<T>,
    /// Whether the list goes on after the last one.
    pub more: bool,
}

impl<T> Page<T> {
    /// Cuts `items`, read with one more than `limit`, to a page of `limit`.
    pub(crate) fn cut(mut items: Vec<T>, limit: usize) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        Self { items, more: more && limit > 0 }
    }
}
