//! Mutual credit on replicated logs.
