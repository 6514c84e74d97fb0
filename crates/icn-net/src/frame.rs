//! Frames on a stream: an unsigned varint with the length (at most five bytes), then so many bytes.

use futures::{AsyncRead, AsyncReadExt};

/// How much room is made before the bytes are there.
const READ_AHEAD: usize = 64 * 1024;
/// A length of more bytes is no length.
const LENGTH_BYTES_MAX: usize = 5;

/// A frame that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    /// The frame is longer than the protocol allows.
    ///
    /// Blame: sender.
    #[error("a frame of {0} bytes is too large")]
    TooLarge(u64),
    /// The stream broke off.
    #[error("the stream broke off")]
    Io(#[from] std::io::Error),
}

/// Reads one frame of at most `bytes_max`; none at the end of the stream. `progress` hears how many bytes arrived.
///
/// # Errors
///
/// [`FrameError::TooLarge`] before any of the frame is read, [`FrameError::Io`] when the stream breaks off.
pub(crate) async fn read<R: AsyncRead + Unpin>(
    io: &mut R,
    bytes_max: usize,
    progress: impl Fn(usize),
) -> Result<Option<Vec<u8>>, FrameError> {
    let Some(length) = read_length(io, &progress).await? else { return Ok(None) };
    let length = match usize::try_from(length) {
        Ok(length) if length <= bytes_max => length,
        _ => return Err(FrameError::TooLarge(length)),
    };
    let mut frame = Vec::new();
    while frame.len() < length {
        let start = frame.len();
        // Room grows with what has arrived: a length alone takes no memory.
        frame.resize(length.min(start + READ_AHEAD.max(start)), 0);
        let room = frame.get_mut(start..).unwrap_or_default();
        let read = io.read(room).await?;
        if read == 0 {
            return Err(FrameError::Io(std::io::ErrorKind::UnexpectedEof.into()));
        }
        frame.truncate(start + read);
        progress(read);
    }
    Ok(Some(frame))
}

async fn read_length<R: AsyncRead + Unpin>(
    io: &mut R,
    progress: &impl Fn(usize),
) -> Result<Option<u64>, FrameError> {
    let mut length = 0u64;
    for place in 0..LENGTH_BYTES_MAX {
        let mut byte = [0u8];
        if io.read(&mut byte).await? == 0 {
            let is_start = place == 0;
            return if is_start {
                Ok(None)
            } else {
                Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into())
            };
        }
        progress(1);
        let [byte] = byte;
        length |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok(Some(length));
        }
    }
    // Five bytes hold 34 GB; whatever goes on is no frame of ours.
    Err(FrameError::TooLarge(length))
}

/// Writes the length that stands before a frame.
pub(crate) fn length(bytes: usize) -> Vec<u8> {
    let mut length = Vec::with_capacity(LENGTH_BYTES_MAX);
    prost::encoding::encode_varint(bytes as u64, &mut length);
    length
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use futures::io::Cursor;
    use proptest::prelude::*;

    use super::*;

    fn framed(message: &[u8]) -> Vec<u8> {
        [length(message.len()), message.to_vec()].concat()
    }

    #[test]
    fn lengths_are_unsigned_varints() {
        for (bytes, expected) in
            [(0, &[0][..]), (127, &[0x7f]), (128, &[0x80, 1]), (1 << 20, &[0x80, 0x80, 0x40])]
        {
            assert_eq!(length(bytes), expected);
        }
    }

    #[test]
    fn a_frame_may_have_the_largest_size_and_no_more() {
        let check = |bytes: usize, fits: bool| {
            let mut io = Cursor::new(framed(&vec![1; bytes]));
            let frame = block_on(read(&mut io, 1_000, |_| {}));
            assert_eq!(
                frame.is_ok_and(|frame| frame.is_some_and(|frame| frame.len() == bytes)),
                fits,
                "{bytes}"
            );
        };
        check(0, true);
        check(999, true);
        check(1_000, true);
        check(1_001, false);
    }

    proptest! {
        #[test]
        fn what_is_framed_is_read(messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..400), 0..8)) {
            let bytes: Vec<u8> = messages.iter().flat_map(|message| framed(message)).collect();
            let (mut io, count) = (Cursor::new(&bytes), std::cell::Cell::new(0));
            for message in &messages {
                let frame = block_on(read(&mut io, 400, |bytes| count.set(count.get() + bytes))).unwrap();
                prop_assert_eq!(frame.as_ref(), Some(message));
            }
            prop_assert_eq!(block_on(read(&mut io, 400, |_| {})).unwrap(), None);
            prop_assert_eq!(count.get(), bytes.len(), "each byte is counted once");
        }

        #[test]
        fn any_bytes_are_frames_or_an_error(bytes: Vec<u8>) {
            let mut io = Cursor::new(&bytes);
            let mut total = 0;
            while let Ok(Some(frame)) = block_on(read(&mut io, 64, |_| {})) {
                prop_assert!(frame.len() <= 64);
                total += frame.len() + 1;
            }
            prop_assert!(total <= bytes.len());
        }
    }
}
