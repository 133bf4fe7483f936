//! The codes of mistakes in scenario files, and what `overheard explain` says about them.

/// Codes with their explanations.
pub const EXPLANATIONS: &[(&str, &str)] = &[];
