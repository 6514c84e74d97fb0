//! The bytes behind `random_get`.

use icn_types::Cid;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use sha2::{Digest, Sha256};

const BLOCK_BYTES: usize = 64;

/// A ChaCha20 key stream (nonce 0, 64-bit block counter from 0), handed out byte by byte without gaps, so that how a
/// guest cuts its requests does not matter.
pub(crate) struct RandomBytes {
    stream: ChaCha20Rng,
    block: [u8; BLOCK_BYTES],
    used: usize,
}

impl RandomBytes {
    /// Keys the stream by the SHA-256 of the execution key's text.
    pub(crate) fn canonical(key: &Cid) -> Self {
        Self::seeded(Sha256::digest(key.to_string()).into())
    }

    /// Keys the stream from the operating system: for fast mode.
    pub(crate) fn fresh() -> Self {
        Self::seeded(rand::random())
    }

    fn seeded(seed: [u8; 32]) -> Self {
        Self { stream: ChaCha20Rng::from_seed(seed), block: [0; BLOCK_BYTES], used: BLOCK_BYTES }
    }

    pub(crate) fn fill(&mut self, mut buffer: &mut [u8]) {
        while !buffer.is_empty() {
            if self.used == BLOCK_BYTES {
                // Whole blocks need no copy in between.
                let whole = buffer.len() / BLOCK_BYTES * BLOCK_BYTES;
                let (now, rest) = buffer.split_at_mut(whole);
                self.stream.fill_bytes(now);
                buffer = rest;
                if buffer.is_empty() {
                    return;
                }
                self.stream.fill_bytes(&mut self.block);
                self.used = 0;
            }
            let left = self.block.get(self.used..).unwrap_or_default();
            let taken = left.len().min(buffer.len());
            let (now, rest) = buffer.split_at_mut(taken);
            now.copy_from_slice(left.get(..taken).unwrap_or_default());
            self.used += taken;
            buffer = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_plain_chacha20() {
        // RFC 8439, appendix A.1, test vector 1: key 0, nonce 0, counter 0.
        let mut random = RandomBytes::seeded([0; 32]);
        let mut bytes = [0; 64];
        random.fill(&mut bytes);
        assert_eq!(hex::encode(&bytes[..16]), "76b8e0ada0f13d90405d6ae55386bd28");
        random.fill(&mut bytes);
        // Test vector 2: the same with counter 1.
        assert_eq!(hex::encode(&bytes[..16]), "9f07e7be5551387a98ba977c732d080d");
    }

    #[test]
    fn requests_can_be_cut_anywhere() {
        let (mut whole, mut pieces) = ([0; 1_000], Vec::new());
        RandomBytes::seeded([7; 32]).fill(&mut whole);
        let mut random = RandomBytes::seeded([7; 32]);
        for len in [0, 1, 63, 64, 65, 1, 128, 300, 378] {
            let mut piece = vec![0; len];
            random.fill(&mut piece);
            pieces.extend(piece);
        }
        assert_eq!(pieces, whole);
    }
}
