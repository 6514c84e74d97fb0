//! One page of a list.

use serde::{Deserialize, Serialize};

/// A slice of a longer list, as every listing prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items of this page, in the list's order.
    pub items: Vec<T>,
    /// How many items the whole list has.
    pub total: u64,
    /// Whether items follow after this page.
    pub has_more: bool,
}

impl<T> Page<T> {
    /// Cuts the page that starts at `offset` and has at most `limit` items out of the whole list.
    pub fn cut(all: impl ExactSizeIterator<Item = T>, offset: usize, limit: usize) -> Self {
        let total = all.len();
        let items: Vec<T> = all.skip(offset).take(limit).collect();
        let has_more = offset.saturating_add(items.len()) < total;
        Self { items, total: total as u64, has_more }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_know_whether_more_follows() {
        let check = |offset, limit, items: &[i32], has_more| {
            let page = Page::cut([1, 2, 3].into_iter(), offset, limit);
            assert_eq!(page, Page { items: items.to_vec(), total: 3, has_more });
        };
        check(0, 2, &[1, 2], true);
        check(2, 2, &[3], false);
        check(0, 3, &[1, 2, 3], false);
        check(9, 3, &[], false);
        check(0, 0, &[], true);
    }
}
