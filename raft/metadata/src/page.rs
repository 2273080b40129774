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

/// Some items in order, and the first one after them: for lists whose cursor is where they go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing<T> {
    /// In byte order of what the list is sorted by.
    pub items: Vec<T>,
    /// Where the next part begins; `None` at the end.
    pub next: Option<T>,
}

impl<T> Listing<T> {
    /// Cuts `items`, read with one more than `limit`, to a part of `limit`.
    pub(crate) fn cut(mut items: Vec<T>, limit: usize) -> Self {
        let rest = if items.len() > limit { items.split_off(limit) } else { Vec::new() };
        Self { items, next: rest.into_iter().next() }
    }
}
