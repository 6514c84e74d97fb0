//! A list that only grows, in pages, so that growing never copies it and leaves no room unused.

/// How many values lie in one page.
const PAGE: usize = 4_096;

/// Values by their local index.
#[derive(Debug, Clone)]
pub(super) struct Column<T> {
    pages: Vec<Vec<T>>,
}

impl<T: Copy> Column<T> {
    pub(super) const fn new() -> Self {
        Self { pages: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.pages.last().map_or(0, |last| (self.pages.len() - 1) * PAGE + last.len())
    }

    pub(super) fn get(&self, at: u32) -> Option<T> {
        let at = at as usize;
        self.pages.get(at / PAGE)?.get(at % PAGE).copied()
    }

    pub(super) fn push(&mut self, value: T) {
        match self.pages.last_mut() {
            Some(page) if page.len() < PAGE => page.push(value),
            _ => {
                // The first page grows as it likes: most logs are small.
                let mut page = if self.pages.is_empty() { Vec::new() } else { Vec::with_capacity(PAGE) };
                page.push(value);
                self.pages.push(page);
            }
        }
    }

    pub(super) fn iter_from(&self, at: u32) -> impl Iterator<Item = T> + '_ {
        let at = at as usize;
        self.pages.iter().skip(at / PAGE).flatten().skip(at % PAGE).copied()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.pages.iter().map(|page| page.capacity() * size_of::<T>()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_across_pages() {
        let mut column = Column::new();
        for n in 0..10_000u32 {
            assert_eq!(column.len(), n as usize);
            column.push(n);
        }
        for n in [0, 1, 4_095, 4_096, 9_999] {
            assert_eq!(column.get(n), Some(n));
            assert_eq!(column.iter_from(n).next(), Some(n));
        }
        assert_eq!(column.get(10_000), None);
        assert_eq!(column.iter_from(8_191).count(), 10_000 - 8_191);
    }
}
