//! `overheard isolated`: the other half of `--isolate`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use overheard::history;
use overheard::plan::Sabotage;

use super::replay::virtual_time;
use super::run::sabotage;
use crate::cli::config::Wall;
use crate::cli::engine::{self, World};
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::network::NetworkChoice;
use crate::cli::play::GRACE;
use crate::cli::values::ValueArgs;
use crate::cli::{files, pool, seeds, target};

/// Play one run for another process, and write its history down.
#[derive(Debug, Args)]
pub(crate) struct IsolatedArgs {
    /// The scenario file
    #[arg(value_name = "FILE")]
    file: String,
    /// The seed
    #[arg(long, value_name = "SEED", value_parser = seeds::parse)]
    seed: u64,
    /// As in `run`
    #[arg(long, value_name = "NETWORK")]
    network: Option<NetworkChoice>,
    /// As in `run`
    #[arg(long, value_name = "BUG", value_parser = sabotage)]
    sabotage: Option<Sabotage>,
    /// As in `run`
    #[arg(long, value_name = "TIME")]
    max_wall: Wall,
    /// As in `run`
    #[arg(long, value_name = "TIME", value_parser = virtual_time)]
    until: Option<Duration>,
    /// Where the history goes
    #[arg(long, value_name = "FILE")]
    history: PathBuf,
    #[command(flatten)]
    pub(crate) values: ValueArgs,
}

/// Runs the command.
pub(crate) fn execute(args: &IsolatedArgs) -> Outcome {
    let loaded = match engine::load_file(&args.file)? {
        Ok(loaded) => Arc::new(loaded),
        Err(_) => return Err(Failure::new(Exit::Invalid, "the scenario file has changed")),
    };
    let network = args.network.unwrap_or_default();
    let world = World {
        network,
        target: target::own(network)?,
        sabotage: args.sabotage,
        until: args.until,
        ..World::default()
    };
    let (seed, max_wall) = (args.seed, args.max_wall.0);
    // Whatever hangs in here ends with the process.
    let played = pool::guarded(max_wall.saturating_add(GRACE / 2), move || {
        engine::run(&engine::plan(&loaded, seed, &world), &world, max_wall)
    });
    let history =
        played.map_err(|trouble| Failure::new(Exit::Internal, format!("the run: {trouble:?}")))?;
    files::write_all(&args.history, &history::write(&history))?;
    Ok(Exit::Passed)
}
