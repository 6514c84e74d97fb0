//! The shell that supervises a node and wires its parts together
