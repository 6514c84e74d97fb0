//! A deterministic network in one thread, over the real state machines
