//! Groups shared by the benchmarks of this workspace.

pub mod measure;
pub mod workload;
