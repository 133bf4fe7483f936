//! The servers that are measured, each a process of its own.

use std::io::{self, BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use overheard::serve::{Server, Settings};

/// The argument that makes this program serve our chat.
pub(crate) const OVERHEARD: &str = "serve-overheard";

/// The argument that makes this program serve with socketioxide.
pub(crate) const SOCKETIOXIDE: &str = "serve-socketioxide";

/// A server.
pub(crate) struct System {
    pub(crate) name: &'static str,
    program: Program,
    /// The packet that makes it deliver `["m", value]` to everybody.
    pub(crate) publish: fn(&str) -> String,
}

enum Program {
    /// This one, with an argument.
    This(&'static str),
    /// A script of `benches/peers/node`.
    Node(&'static str),
}

fn pub_event(value: &str) -> String {
    format!(r#"42["pub",{value}]"#)
}

/// Ours first.
pub(crate) const SYSTEMS: [System; 3] = [
    System {
        name: "overheard serve",
        program: Program::This(OVERHEARD),
        publish: |value| {
            format!(
                r#"42["broadcast",{{"from":"namespace","to":"lobby","event":"m","args":[{value}]}}]"#
            )
        },
    },
    System {
        name: "socketioxide 0.18.9 on axum",
        program: Program::This(SOCKETIOXIDE),
        publish: pub_event,
    },
    System {
        name: "socket.io 4.8.4 on Node",
        program: Program::Node("server.mjs"),
        publish: pub_event,
    },
];

/// Serves the built-in chat until the process is ended.
pub(crate) fn overheard() -> io::Result<()> {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::bind(Settings { listen, ..Settings::default() });
    let server = server.map_err(io::Error::other)?;
    crate::announce(server.address());
    server.run(std::future::pending()).map_err(io::Error::other)
}

/// A server that runs, until this is dropped.
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    pub(crate) fn start(system: &System) -> io::Result<Self> {
        let command = match system.program {
            Program::This(argument) => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg(argument);
                command
            }
            Program::Node(script) => {
                let mut command = Command::new("node");
                let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/node/");
                command.arg(format!("{folder}{script}"));
                command
            }
        };
        Self::run(system.name, command)
    }

    /// Our server as it is shipped, with its own allocator.
    pub(crate) fn executable(path: &str) -> io::Result<Self> {
        let mut command = Command::new(path);
        command.args(["serve", "--listen", "127.0.0.1:0"]).stderr(Stdio::null());
        Self::run(path, command)
    }

    fn run(name: &str, mut command: Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let address = line.trim_end().strip_prefix("listening on http://");
        let Some(address) = address.and_then(|address| address.parse().ok()) else {
            return Err(io::Error::other(format!("{name} does not start: it says {line:?}")));
        };
        Ok(Self { child, address })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes of memory that it has, in the sense of the system.
    pub(crate) fn resident(&self) -> f64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<f64>().ok());
        kilobytes.unwrap_or(f64::NAN) * 1024.0
    }

    /// Time that it has used of all its cores.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let path = format!("/proc/{}/schedstat", self.child.id());
        let stat = std::fs::read_to_string(path).unwrap_or_default();
        let nanoseconds = stat.split(' ').next().and_then(|first| first.parse::<f64>().ok());
        nanoseconds.unwrap_or(f64::NAN) / 1e9
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}
