//! How messages stand one after another on a stream: an unsigned varint with the length, then the message.

use super::{SYNC_MESSAGE_BYTES_MAX, SyncError};

/// The longest header: three groups of seven bits reach [`SYNC_MESSAGE_BYTES_MAX`].
const HEADER_BYTES_MAX: usize = 3;

/// Puts the length before a message.
///
/// # Errors
///
/// [`SyncError::TooLarge`] when the message passes [`SYNC_MESSAGE_BYTES_MAX`].
pub fn frame(message: &[u8]) -> Result<Vec<u8>, SyncError> {
    if message.len() > SYNC_MESSAGE_BYTES_MAX {
        return Err(SyncError::TooLarge(message.len()));
    }
    let mut framed = Vec::with_capacity(message.len() + HEADER_BYTES_MAX);
    let mut rest = message.len();
    while rest >= 0x80 {
        framed.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    framed.push((rest & 0x7f) as u8);
    framed.extend_from_slice(message);
    Ok(framed)
}

/// Reads the length of the message that a buffer starts with: the length and how many bytes it was written in. None when
/// more bytes are needed.
///
/// # Errors
///
/// [`SyncError::TooLarge`] for a length beyond the bound, [`SyncError::Frame`] for a varint that is not the shortest.
pub fn frame_length(buffer: &[u8]) -> Result<Option<(usize, usize)>, SyncError> {
    let mut length = 0;
    for (place, byte) in buffer.iter().take(HEADER_BYTES_MAX).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 != 0 {
            continue;
        }
        if *byte == 0 && place > 0 {
            return Err(SyncError::Frame);
        }
        if length > SYNC_MESSAGE_BYTES_MAX {
            return Err(SyncError::TooLarge(length));
        }
        return Ok(Some((length, place + 1)));
    }
    if buffer.len() < HEADER_BYTES_MAX { Ok(None) } else { Err(SyncError::Frame) }
}

/// Takes the first message off a buffer: the message, and how many bytes it took with its length. None when more bytes
/// are needed.
///
/// # Errors
///
/// As [`frame_length`].
pub fn unframe(buffer: &[u8]) -> Result<Option<(&[u8], usize)>, SyncError> {
    let Some((length, header)) = frame_length(buffer)? else { return Ok(None) };
    Ok(buffer.get(header..header + length).map(|message| (message, header + length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_back() {
        for length in [0, 1, 127, 128, 16_383, 16_384, SYNC_MESSAGE_BYTES_MAX] {
            let message = vec![7; length];
            let mut framed = frame(&message).unwrap();
            assert_eq!(unframe(&framed[..framed.len() - 1]).unwrap(), None, "{length}");
            let whole = framed.len();
            framed.push(1);
            assert_eq!(unframe(&framed).unwrap(), Some((&message[..], whole)), "{length}");
        }
    }

    #[test]
    fn odd_lengths_are_refused() {
        assert!(frame(&vec![0; SYNC_MESSAGE_BYTES_MAX + 1]).is_err());
        assert_eq!(frame_length(&[]), Ok(None));
        assert_eq!(frame_length(&[0x80]), Ok(None));
        assert_eq!(frame_length(&[0x80, 0x80]), Ok(None));
        assert_eq!(frame_length(&[0x80, 0x00]), Err(SyncError::Frame));
        assert_eq!(frame_length(&[0xff, 0xff, 0xff]), Err(SyncError::Frame));
        assert_eq!(frame_length(&[0xff, 0xff, 0x7f]), Err(SyncError::TooLarge(0x1f_ffff)));
    }
}
