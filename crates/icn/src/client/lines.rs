//! Answers that go on and on: one JSON value a line.

use std::marker::PhantomData;

use reqwest::Response;
use serde::de::DeserializeOwned;

use crate::error::CliError;

/// The longest line in bytes: a job with 10,000 outputs and its history is a few MiB.
const LINE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Values as they come.
#[derive(Debug)]
pub(crate) struct JsonLines<T> {
    base: String,
    response: Response,
    buffer: Vec<u8>,
    value: PhantomData<T>,
}

impl<T: DeserializeOwned> JsonLines<T> {
    pub(super) fn new(base: String, response: Response) -> Self {
        Self { base, response, buffer: Vec::new(), value: PhantomData }
    }

    /// Gives the next value, or nothing when the node ended the stream. May be dropped while it waits and called
    /// again: no bytes are lost.
    pub(crate) async fn next(&mut self) -> Result<Option<T>, CliError> {
        loop {
            if let Some(line) = take_line(&mut self.buffer) {
                return serde_json::from_slice(&line).map(Some).map_err(|error| self.broken(error));
            }
            if self.buffer.len() > LINE_BYTES_MAX {
                return Err(self.broken("a line is too long"));
            }
            match self.response.chunk().await {
                Ok(Some(piece)) => self.buffer.extend_from_slice(&piece),
                Ok(None) if self.buffer.is_empty() => return Ok(None),
                Ok(None) => return Err(self.broken("it ends in the middle of a line")),
                Err(error) => return Err(self.broken(error)),
            }
        }
    }

    fn broken(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> CliError {
        CliError::BadAnswer { url: self.base.clone(), source: source.into() }
    }
}

/// Takes the first whole line that is not empty out of the buffer.
fn take_line(buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    loop {
        let end = buffer.iter().position(|byte| *byte == b'\n')?;
        let mut line: Vec<u8> = buffer.drain(..=end).collect();
        line.pop();
        if !line.is_empty() {
            return Some(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_whole() {
        let mut buffer = b"\n{1}\n\n{2}\n{3".to_vec();
        assert_eq!(take_line(&mut buffer).as_deref(), Some(b"{1}".as_slice()));
        assert_eq!(take_line(&mut buffer).as_deref(), Some(b"{2}".as_slice()));
        assert_eq!(take_line(&mut buffer), None);
        buffer.extend_from_slice(b"}\n");
        assert_eq!(take_line(&mut buffer).as_deref(), Some(b"{3}".as_slice()));
        assert!(buffer.is_empty());
    }
}
