//! The wire messages of the mesh: types, strict decoding, signing, validation, topics
