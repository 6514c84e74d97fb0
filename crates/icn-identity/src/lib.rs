//! Keys, keystore, DID documents, signatures and sealed boxes
