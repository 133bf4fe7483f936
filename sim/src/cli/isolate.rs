//! A run in a process of its own: this executable starts itself, and reads the history that the
//! other process leaves in a file.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use overheard::history::{self, EndReason, History};
use overheard::plan::Plan;
use overheard::run;

use super::engine::World;
use super::seeds;

/// The end of what the other process has said that is looked at.
const TAIL: u64 = 4096;

/// Plays a plan elsewhere.
pub(crate) fn run(plan: &Plan, world: &World, max_wall: Duration) -> History {
    let network = world.kind();
    started(plan, world, max_wall).unwrap_or_else(|error| {
        let why = format!("no process could be started for the run: {error}");
        run::ended_early(plan, network, EndReason::NoServer(why))
    })
}

fn started(plan: &Plan, world: &World, max_wall: Duration) -> io::Result<History> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("history.jsonl");
    let mut said = tempfile::tempfile()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["isolated", "--seed", &seeds::show(plan.seed), "--max-wall"]);
    command.arg(format!("{}ms", max_wall.as_millis().max(1)));
    command.arg("--history").arg(&path);
    let links = world.network.to_string();
    if !links.is_empty() {
        command.args(["--network", &links]);
    }
    command.args(world.sabotage.map(|bug| format!("--sabotage={}", bug.name())));
    if let Some(until) = world.until {
        command.arg("--until").arg(overheard::duration::display(until));
    }
    super::values::give(&mut command);
    command.arg("--").arg(&plan.file);
    // What a server prints is not for those who read results.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said.try_clone()?);
    let status = command.spawn()?.wait()?;
    Ok(left(&path).unwrap_or_else(|reason| {
        let why = format!("{}{reason}{}", how(status), last_words(&mut said));
        let network = world.kind();
        run::ended_early(plan, network, EndReason::NoServer(why))
    }))
}

fn left(path: &Path) -> Result<History, String> {
    let text = fs::read_to_string(path).map_err(|_| " and left no history".to_owned())?;
    history::read(&text).map_err(|error| format!(" and left no whole history: {error}"))
}

fn how(status: ExitStatus) -> String {
    format!("the process of the run ended ({status})")
}

/// The last line that it said.
fn last_words(said: &mut File) -> String {
    let mut text = Vec::new();
    let read = said.seek(SeekFrom::End(0)).and_then(|end| {
        said.seek(SeekFrom::Start(end.saturating_sub(TAIL)))?;
        said.take(TAIL).read_to_end(&mut text)
    });
    let text = String::from_utf8_lossy(&text);
    let last = text.lines().rfind(|line| !line.trim().is_empty());
    match (read, last) {
        (Ok(_), Some(last)) => format!("; its last words: {}", last.trim()),
        (Ok(_) | Err(_), _) => String::new(),
    }
}
