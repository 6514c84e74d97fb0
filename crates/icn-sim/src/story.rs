//! What happened, line by line, for whoever has to understand a failure.

/// How many lines are kept. Full: the oldest are dropped.
const LINES_MAX: usize = 20_000;

/// The lines of a run; nothing is formatted unless somebody listens.
#[derive(Debug, Default)]
pub(crate) struct Story {
    listening: bool,
    lines: std::collections::VecDeque<String>,
}

impl Story {
    pub(crate) fn new(listening: bool) -> Self {
        Self { listening, ..Self::default() }
    }

    pub(crate) fn tell(&mut self, at_ms: u64, line: impl FnOnce() -> String) {
        if !self.listening {
            return;
        }
        if self.lines.len() >= LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(format!("{:>9}.{:03} {}", at_ms / 1_000, at_ms % 1_000, line()));
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }
}
