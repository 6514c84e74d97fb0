//! The 32 bytes that stand for an entry's id inside this crate.
//!
//! Every entry is named by SHA-256 under DAG-CBOR, so the digest alone tells entries apart and sorts as the CIDs do.

use icn_types::Cid;

/// The SHA-256 digest inside the CID of an entry.
pub(crate) type Digest = [u8; 32];

/// CIDv1, DAG-CBOR, SHA-256, 32 bytes.
const PREFIX: [u8; 4] = [0x01, 0x71, 0x12, 0x20];

/// Takes the digest out of an id; none when the CID cannot be that of an entry.
pub(crate) fn digest_of(id: &Cid) -> Option<Digest> {
    id.to_bytes().strip_prefix(&PREFIX)?.try_into().ok()
}

/// Makes the id of a digest.
pub(crate) fn cid_of(digest: &Digest) -> Cid {
    let mut bytes = PREFIX.to_vec();
    bytes.extend_from_slice(digest);
    // The prefix is that of a CID which can always be read.
    Cid::from_bytes(&bytes).unwrap_or_else(|_| Cid::of_dag_cbor(&[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_entries_and_back() {
        let id = Cid::of_dag_cbor(b"\xa0");
        assert_eq!(cid_of(&digest_of(&id).unwrap()), id);
        assert_eq!(digest_of(&Cid::of_raw(b"\xa0")), None);
    }

    #[test]
    fn digests_sort_as_ids() {
        let mut ids: Vec<Cid> = (0..100u8).map(|n| Cid::of_dag_cbor(&[n])).collect();
        let mut digests: Vec<Digest> = ids.iter().map(|id| digest_of(id).unwrap()).collect();
        ids.sort();
        digests.sort();
        assert_eq!(digests.iter().map(cid_of).collect::<Vec<_>>(), ids);
    }
}
