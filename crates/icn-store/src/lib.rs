//! The node's disk: an embedded database with group commit, typed tables, content-addressed blocks and UnixFS files
