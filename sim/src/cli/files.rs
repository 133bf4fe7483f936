//! Files that are written whole or not at all.

use std::io::Write as _;
use std::path::Path;

use super::exit::Failure;
use super::values::hide;

/// Writes a file beside its place and moves it there: what stood there before stays whole until
/// then, on a full disk too.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    write_all(path, &hide(text))
}

/// The same, secrets included: for another process of ours.
pub(crate) fn write_all(path: &Path, text: &str) -> Result<(), Failure> {
    replace(path, text).map_err(|error| Failure::output(&path.display().to_string(), &error))
}

fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    std::fs::create_dir_all(folder)?;
    // A device or a pipe is written to, not replaced.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        return std::fs::write(path, text);
    }
    let mut file =
        tempfile::Builder::new().prefix(".overheard-").permissions_if_unix().tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Appends to a file that others append to as well.
pub(crate) fn append(path: &Path, text: &str) -> Result<(), Failure> {
    let opened = std::fs::OpenOptions::new().create(true).append(true).open(path);
    let written = opened.and_then(|mut file| file.write_all(hide(text).as_bytes()));
    written.map_err(|error| Failure::output(&path.display().to_string(), &error))
}

/// Files of everybody, as `File::create` makes them; temporary ones are private by default.
trait PermissionsIfUnix {
    fn permissions_if_unix(&mut self) -> &mut Self;
}

impl PermissionsIfUnix for tempfile::Builder<'_, '_> {
    #[cfg(unix)]
    fn permissions_if_unix(&mut self) -> &mut Self {
        use std::os::unix::fs::PermissionsExt as _;
        self.permissions(std::fs::Permissions::from_mode(0o666))
    }

    #[cfg(not(unix))]
    fn permissions_if_unix(&mut self) -> &mut Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::write;

    #[test]
    fn a_file_is_replaced_and_its_folder_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.xml");
        write(&path, "one").unwrap();
        write(&path, "two").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(std::fs::read_dir(folder.path().join("a")).unwrap().count(), 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error() {
        let failure = write(std::path::Path::new("/dev/full"), "text").unwrap_err();
        assert!(failure.message.contains("cannot write /dev/full"), "{failure:?}");
    }
}
