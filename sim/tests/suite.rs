//! The project's own scenarios, one test per file.

use std::process::ExitCode;

use overheard::testing::Folder;

fn main() -> ExitCode {
    Folder::new("../scenarios").without_tag("slow").run()
}
