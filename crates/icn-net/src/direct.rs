//! The codec of direct messages: one value each way, ended by closing the write side.

use std::io;

use bytes::Bytes;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::StreamProtocol;
use libp2p::request_response::Codec;

/// The protocol of direct messages.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol::new("/icn/mesh/direct/1.0.0");

/// The largest direct request or response, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Reads and writes raw bytes up to [`MESSAGE_BYTES_MAX`].
#[derive(Debug, Clone, Default)]
pub(crate) struct DirectCodec;

impl Codec for DirectCodec {
    type Protocol = StreamProtocol;
    type Request = Bytes;
    type Response = Bytes;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Bytes>
    where
        T: AsyncRead + Unpin + Send,
    {
        read_to_end(io).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Bytes>
    where
        T: AsyncRead + Unpin + Send,
    {
        let response = read_to_end(io).await?;
        if response.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the peer ended the stream without a response",
            ));
        }
        Ok(response)
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, request: Bytes) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &request).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, response: Bytes) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &response).await
    }
}

/// Tells whether an error of this codec means that a message was over the limit.
pub(crate) fn is_too_large(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::FileTooLarge
}

async fn read_to_end<T: AsyncRead + Unpin + Send>(io: &mut T) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    io.take(MESSAGE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).await?;
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a direct message of more than 1 MiB"));
    }
    Ok(bytes.into())
}

async fn write<T: AsyncWrite + Unpin + Send>(io: &mut T, bytes: &[u8]) -> io::Result<()> {
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a direct message of more than 1 MiB"));
    }
    io.write_all(bytes).await
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use futures::io::Cursor;

    use super::*;

    #[test]
    fn messages_are_bounded_both_ways() {
        let largest = vec![7; MESSAGE_BYTES_MAX];
        let read = block_on(read_to_end(&mut Cursor::new(largest.clone()))).unwrap();
        assert_eq!(read.len(), MESSAGE_BYTES_MAX);
        let mut larger = largest;
        larger.push(7);
        assert!(is_too_large(&block_on(read_to_end(&mut Cursor::new(larger.clone()))).unwrap_err()));
        assert!(is_too_large(&block_on(write(&mut Cursor::new(Vec::new()), &larger)).unwrap_err()));
    }

    #[test]
    fn an_empty_response_is_an_end_not_an_answer() {
        let mut codec = DirectCodec;
        let error = block_on(codec.read_response(&PROTOCOL, &mut Cursor::new(Vec::new()))).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
