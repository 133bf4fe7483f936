//! Overheard: deterministic simulation and testing of chat semantics.
