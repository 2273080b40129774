//! Lists, read in parts of bounded length: while tables are read nothing is applied, so a long list
//! must not be one read.
//!
//! A cursor is where the list goes on, not how far it was read, so what comes and goes in between
//! shifts nothing.

use consensus::cluster::{Cluster, Freshness};
use consensus::tables::View;
use edge::problem::Problem;
use metadata::page::Listing;
use metadata::tables::Damage;

/// Entries that are read in one go: at least, where few of them are shown, and at most.
const READ_MIN: usize = 100;
const READ_MAX: usize = 256;

/// Entries as they are shown, and where the list goes on after them.
pub(crate) type Gathered<C, T> = (Vec<T>, Option<C>);

/// Reads entries from `start` on until `limit` are shown, passing over those of which `show` shows
/// nothing.
pub(crate) async fn gather<C, E, T>(
    cluster: &Cluster,
    (start, limit): (C, usize),
    entries: impl Fn(&View<'_>, &C, usize) -> Result<Listing<(C, E)>, Damage> + Send + Sync,
    show: impl Fn(&View<'_>, &C, &E) -> Result<Option<T>, Damage> + Send + Sync,
) -> Result<Gathered<C, T>, Problem>
where
    C: Clone + Send + Sync,
    T: Send,
{
    let mut gathering = Gathering { limit, from: start, shown: Vec::new() };
    loop {
        let (from, most) = (&gathering.from, gathering.wanted());
        let read = cluster.read(Freshness::Local, |view| {
            let part = entries(view, from, most)?;
            let items = part.items.iter().map(|(key, entry)| {
                let shown = show(view, key, entry)?;
                Ok((key.clone(), shown))
            });
            let items = items.collect::<Result<Vec<_>, Damage>>()?;
            Ok((items, part.next.map(|(key, _)| key)))
        });
        let (items, next) = read.await?;
        if let Some(End { next }) = gathering.take(items, next) {
            return Ok((gathering.shown, next));
        }
    }
}

/// How many entries are shown in all. Reads every one of them.
pub(crate) async fn count<C, E>(
    cluster: &Cluster,
    start: C,
    entries: impl Fn(&View<'_>, &C, usize) -> Result<Listing<(C, E)>, Damage> + Send + Sync,
    is_shown: impl Fn(&View<'_>, &C, &E) -> Result<bool, Damage> + Send + Sync,
) -> Result<usize, Problem>
where
    C: Clone + Send + Sync,
{
    let show = |view: &View<'_>, key: &C, entry: &E| Ok(is_shown(view, key, entry)?.then_some(()));
    Ok(gather(cluster, (start, usize::MAX), entries, show).await?.0.len())
}

/// All was read that is wanted, and this is where the list goes on.
struct End<C> {
    next: Option<C>,
}

/// How far a list was read.
struct Gathering<C, T> {
    limit: usize,
    from: C,
    shown: Vec<T>,
}

impl<C, T> Gathering<C, T> {
    /// Entries to read next.
    fn wanted(&self) -> usize {
        (self.limit - self.shown.len()).clamp(READ_MIN, READ_MAX)
    }

    /// Takes what was read, and where it goes on. At the end says where the list does.
    fn take(&mut self, items: Vec<(C, Option<T>)>, next: Option<C>) -> Option<End<C>> {
        for (key, value) in items {
            let Some(value) = value else { continue };
            if self.shown.len() == self.limit {
                return Some(End { next: Some(key) });
            }
            self.shown.push(value);
        }
        match next {
            Some(next) => {
                self.from = next;
                None
            }
            None => Some(End { next: None }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Gathered, Gathering};

    /// A list of the numbers 0 to 999, of which every tenth is shown.
    fn gathered(start: usize, limit: usize) -> Gathered<usize, usize> {
        let mut gathering = Gathering { limit, from: start, shown: Vec::new() };
        loop {
            let wanted = gathering.wanted();
            let end = (gathering.from + wanted).min(1_000);
            let shown = |it: usize| (it, it.is_multiple_of(10).then_some(it));
            let items = (gathering.from..end).map(shown).collect();
            if let Some(end) = gathering.take(items, (end < 1_000).then_some(end)) {
                return (gathering.shown, end.next);
            }
        }
    }

    #[test]
    fn what_is_not_shown_fills_no_page_and_ends_no_list() {
        let cases = [
            (0, 2, vec![0, 10], Some(20)),
            (1, 2, vec![10, 20], Some(30)),
            (0, 90, (0..90).map(|it| it * 10).collect(), Some(900)),
            (0, 100, (0..100).map(|it| it * 10).collect(), None),
            (990, 1, vec![990], None),
            (991, 1, vec![], None),
        ];
        for (start, limit, shown, next) in cases {
            assert_eq!(gathered(start, limit), (shown, next), "{start} {limit}");
        }
    }
}
