//! A folder of its own for each test, and the command line in it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A scenario that passes.
pub(crate) const GOOD: &str = "\
version: 1
name: a room message reaches the room once, and never its sender
tags: [rooms]
clients: [alice, bob, carol]
steps:
  - emit: { from: [alice, bob], event: join, args: [tea], ack: [ok] }
  - emit: { from: alice, event: chat, args: [hi, { to: tea }], ack: [ok] }
  - expect: { at: bob, event: chat, args: [hi, _] }
  - never: { at: [alice, carol], event: chat }
";

/// One that fails: bob is in the room.
pub(crate) const BAD: &str = "\
version: 1
name: bob hears nothing <of it> | at all
tags: [rooms, slow]
clients: [alice, bob]
unclaimed: allow
steps:
  - emit: { from: [alice, bob], event: join, args: [tea], ack: [ok] }
  - emit: { from: alice, event: chat, args: [hi, { to: tea }], ack: [ok] }
  - never: { at: bob, event: chat }
";

/// One that cannot be judged: nothing is cut.
pub(crate) const UNKNOWN: &str = "\
version: 1
name: nobody is cut off
clients: [alice]
must-reach: [reconnected]
steps:
  - emit: { from: alice, event: join, args: [tea], ack: [ok] }
";

/// One that cannot be read.
pub(crate) const INVALID: &str = "\
version: 1
name: nobody knows carrol
clients: [alice, carol]
steps:
  - emit: { from: carrol, event: join, args: [tea] }
";

/// A folder with scenarios.
pub(crate) struct Sandbox {
    folder: TempDir,
}

/// What a command did.
pub(crate) struct Done {
    /// Its exit code.
    pub(crate) code: i32,
    /// What it wrote.
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Sandbox {
    /// With these files below `scenarios/`.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let sandbox = Self { folder: tempfile::tempdir().unwrap() };
        for (name, text) in files {
            sandbox.write(&format!("scenarios/{name}.yaml"), text);
        }
        sandbox
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap()
    }

    /// A command that knows nothing of the surroundings of the test.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_overheard"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env_clear().env("LC_ALL", "C.UTF-8").env("HOME", self.folder.path());
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        self.run_with(arguments, &[])
    }

    /// The same with variables.
    pub(crate) fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Done {
        done(self.command(arguments).envs(variables.iter().copied()).output().unwrap())
    }
}

/// What a command did, as texts.
pub(crate) fn done(output: Output) -> Done {
    Done {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The arguments of a line.
pub(crate) fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// Everything that is seen of a command, without what depends on the machine.
pub(crate) fn seen(done: &Done) -> String {
    let mut text = format!("exit code {}\n", done.code);
    for (name, stream) in [("stdout", &done.stdout), ("stderr", &done.stderr)] {
        if !stream.is_empty() {
            writeln!(text, "--- {name}").unwrap();
            text.push_str(&without_wall(stream));
        }
    }
    text
}

/// The summary says how long one waited.
pub(crate) fn without_wall(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        match line.rsplit_once(" [") {
            Some((rest, wall)) if wall.ends_with("s]") && line.contains("Summary") => {
                out.push_str(rest);
                out.push_str(" [wall]");
            }
            _ => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

/// The folder of the whole project.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Compares with a file below `snapshots/cli`.
macro_rules! snapshot {
    ($name:expr, $text:expr) => {{
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../snapshots/cli"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!($name, $text));
    }};
}
pub(crate) use snapshot;
