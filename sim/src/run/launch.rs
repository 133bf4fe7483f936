//! Processes of servers under test: started for one run, and ended with it.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use crate::net::Place;
use crate::plan::{SERVER_VARIABLE, ServerOptions};

/// How long a server may take until it listens. What has to be built or installed for it is to be
/// done before: it would be done again for each run.
const PATIENCE: Duration = Duration::from_secs(30);

/// Status of a server that cannot do what its options ask for (`EX_CONFIG`).
const CANNOT: i32 = 78;

/// What a server prints in front of its address.
const LISTENING: &str = "listening on http://";

/// Lines of a server's output that are kept for the message about its end.
const KEPT: usize = 8;

/// Process groups that are alive: whoever leaves early ends them.
static ALIVE: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchError {
    /// It refuses: this is not what it can do.
    #[error("the server cannot do what the scenario asks for: {0}")]
    Cannot(String),
    /// There is no such command, or it may not be started.
    #[error("`{command}` cannot be started: {source}")]
    Spawn {
        /// As it was given.
        command: String,
        /// Why.
        source: std::io::Error,
    },
    /// It ended before it listened.
    #[error("`{command}` ended ({status}) before it listened{said}")]
    Ended {
        /// As it was given.
        command: String,
        /// How.
        status: ExitStatus,
        /// Its last words.
        said: Said,
    },
    /// It has not said where it listens.
    #[error("`{command}` has not said `{LISTENING}ADDRESS` within {PATIENCE:?}{said}")]
    Silent {
        /// As it was given.
        command: String,
        /// Its last words.
        said: Said,
    },
}

/// The last lines of a server's output.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said(Rc<RefCell<VecDeque<String>>>);

impl Said {
    fn add(&self, line: String) {
        let mut lines = self.0.borrow_mut();
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// What it cannot, as it says itself.
    fn cannot(&self) -> String {
        let lines = self.0.borrow();
        let found = lines.iter().filter_map(|line| line.strip_prefix("cannot: "));
        found.collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.0.borrow();
        if lines.is_empty() {
            return Ok(());
        }
        write!(f, "; it said: {}", lines.iter().cloned().collect::<Vec<_>>().join(" | "))
    }
}

/// A server that listens.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    group: u32,
    said: Said,
    place: Place,
}

impl Process {
    /// Starts a server with these options, on that port or any if it is 0, and waits until it
    /// listens.
    ///
    /// # Errors
    /// It does not come to that.
    pub(crate) async fn start(
        command: &str,
        options: &ServerOptions,
        port: u16,
    ) -> Result<Self, LaunchError> {
        let command_line = command.to_owned();
        // Names and numbers: there is nothing that JSON cannot say.
        let options = serde_json::to_string(options).unwrap_or_default();
        let mut child = shell(command)
            .env(SERVER_VARIABLE, options)
            .env("PORT", port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| LaunchError::Spawn { command: command_line.clone(), source })?;
        let group = child.id().unwrap_or_default();
        alive().insert(group);
        let said = Said::default();
        let found = Rc::new(RefCell::new(None));
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let news = crate::signal::Signal::default();
        let news = Rc::new(news);
        if let Some(stdout) = stdout {
            let (found, news) = (found.clone(), news.clone());
            tokio::task::spawn_local(listen(stdout, said.clone(), move |line| {
                if let Some(address) = address(line) {
                    found.borrow_mut().get_or_insert(address);
                    news.raise();
                }
            }));
        }
        let stderr =
            stderr.map(|stderr| tokio::task::spawn_local(listen(stderr, said.clone(), |_| {})));
        let listens = async {
            loop {
                let seen = news.count();
                if let Some(address) = *found.borrow() {
                    return address;
                }
                news.changed(seen).await;
            }
        };
        let mut process = Self { child, group, said: said.clone(), place: Place::default() };
        let command = command_line;
        tokio::select! {
            biased;
            address = listens => {
                process.place = Place::at(address);
                Ok(process)
            }
            status = process.child.wait() => {
                if let Some(stderr) = stderr {
                    // Its last words are behind its end.
                    drop(tokio::time::timeout(Duration::from_secs(1), stderr).await);
                }
                match status {
                    Ok(status) if status.code() == Some(CANNOT) => {
                        Err(LaunchError::Cannot(said.cannot()))
                    }
                    Ok(status) => Err(LaunchError::Ended { command, status, said }),
                    Err(source) => Err(LaunchError::Spawn { command, source }),
                }
            }
            () = tokio::time::sleep(PATIENCE) => Err(LaunchError::Silent { command, said }),
        }
    }

    /// Where it listens.
    pub(crate) const fn place(&self) -> &Place {
        &self.place
    }

    /// How it has ended, if it has: in words.
    pub(crate) fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        Some(format!("{status}{}", self.said))
    }

    /// Kills it and everything that it has started, at once.
    pub(crate) fn kill(&mut self) {
        kill_group(self.group);
        // On other systems only the process itself is known.
        drop(self.child.start_kill());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        alive().remove(&self.group);
    }
}

fn alive() -> std::sync::MutexGuard<'static, BTreeSet<u32>> {
    ALIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Kills all servers of runs that are under way: for a program that leaves early.
pub fn kill_servers() {
    for group in std::mem::take(&mut *alive()) {
        kill_group(group);
    }
}

#[cfg(unix)]
fn kill_group(group: u32) {
    use rustix::process::{Pid, Signal, kill_process_group};
    let group = i32::try_from(group).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        // It may have ended by itself.
        kill_process_group(group, Signal::KILL).ok();
    }
}

#[cfg(not(unix))]
fn kill_group(_: u32) {}

/// The shell of the system, in a group of its own.
#[cfg(unix)]
fn shell(line: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(line).process_group(0);
    command
}

#[cfg(not(unix))]
fn shell(line: &str) -> Command {
    let mut command = Command::new("cmd");
    command.arg("/C").arg(line);
    command
}

/// Reads what a server says, to the end, so that it never has to wait.
async fn listen(output: impl AsyncRead + Unpin, said: Said, see: impl Fn(&str)) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        see(&line);
        said.add(line);
    }
}

/// The address that a line names.
fn address(line: &str) -> Option<SocketAddr> {
    let rest = line.split_once(LISTENING)?.1;
    let address = rest.split(['/', ' ']).next()?;
    address.replace("localhost", "127.0.0.1").parse().ok()
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;
    use tokio::task::LocalSet;

    use super::*;

    fn start(command: &str) -> Result<Process, LaunchError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let spawn = |source| LaunchError::Spawn { command: command.to_owned(), source };
        let runtime = runtime.map_err(spawn)?;
        LocalSet::new().block_on(&runtime, Process::start(command, &ServerOptions::default(), 0))
    }

    #[test]
    fn an_address_is_read_from_its_line() {
        let at = |line| address(line).map(|address| address.to_string());
        assert_eq!(at("listening on http://127.0.0.1:3000").as_deref(), Some("127.0.0.1:3000"));
        assert_eq!(at("INFO listening on http://localhost:1/ now").as_deref(), Some("127.0.0.1:1"));
        assert_eq!(at("listening on http://[::1]:80").as_deref(), Some("[::1]:80"));
        assert_eq!(at("listening"), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_server_is_started_with_its_options_and_killed_with_all_that_it_started() {
        let mut process = start(
            "test \"$OVERHEARD_SERVER\" = '{}' && test \"$PORT\" = 0 && sleep 600 & \
             echo \"listening on http://127.0.0.1:9\"; wait",
        )
        .unwrap();
        assert_eq!(process.place().address.port(), 9);
        assert_eq!(process.ended(), None);
        process.kill();
        let group = process.group;
        drop(process);
        // Nobody is left in the group, or only those that wait to be collected.
        let left = std::process::Command::new("sh")
            .arg("-c")
            .arg(format!("ps -o stat= -g {group} 2>/dev/null | grep -v Z"))
            .output()
            .unwrap();
        assert!(left.stdout.is_empty(), "{left:?}");
    }

    #[cfg(unix)]
    #[test]
    fn what_goes_wrong_is_told_apart() {
        let cannot = start("echo 'cannot: dynamic' >&2; exit 78").unwrap_err();
        assert!(matches!(&cannot, LaunchError::Cannot(what) if what == "dynamic"), "{cannot}");
        let ended = start("echo oh no >&2; exit 3").unwrap_err().to_string();
        assert!(ended.contains("exit status: 3") && ended.contains("oh no"), "{ended}");
    }
}
