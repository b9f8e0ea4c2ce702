//! Which files make up the configuration, in the order in which they are applied.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::ConfigError;
use crate::rooted::Root;

/// The main file.
pub const MAIN: &str = "/etc/rollboot/config.toml";
/// Folders of drop-ins. A file hides the one of the same name in an earlier folder.
const DROP_INS: [&str; 3] = [
    "/usr/lib/rollboot/config.d",
    "/run/rollboot/config.d",
    "/etc/rollboot/config.d",
];
/// Nobody writes that much; somebody may link to it by mistake.
const SIZE_MAX: u64 = 1 << 20;

/// The files to read, first to last: the main file, then the drop-ins in the order of their names, whatever their folders.
pub fn files(root: &Path, file: Option<&Path>) -> Result<Vec<PathBuf>, ConfigError> {
    let root = Root::new(root);
    let mut list = Vec::new();
    match file {
        Some(file) => list.push(file.to_owned()),
        None => {
            let main = root.join(MAIN);
            // A link that leads nowhere exists, and so does what may not be looked at: reading it is an error then, and never an
            // empty configuration.
            let missing = |wrong: std::io::Error| wrong.kind() == ErrorKind::NotFound;
            if !fs::symlink_metadata(&main).is_err_and(missing) {
                list.push(main);
            }
        }
    }
    let mut drop_ins: BTreeMap<OsString, PathBuf> = BTreeMap::new();
    for folder in DROP_INS.map(|folder| root.join(folder)) {
        let failed = |wrong: std::io::Error| ConfigError {
            file: folder.clone(),
            place: None,
            message: format!("cannot be listed: {wrong}"),
        };
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(wrong) if wrong.kind() == ErrorKind::NotFound => continue,
            Err(wrong) => return Err(failed(wrong)),
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if is_drop_in(&name) {
                drop_ins.insert(name, entry.path());
            }
        }
    }
    list.extend(drop_ins.into_values().filter(|path| !is_null(path)));
    Ok(list)
}

/// The text of a file, or why there is none.
pub(super) fn text(file: &Path) -> Result<String, String> {
    let unreadable = |wrong: std::io::Error| format!("cannot be read: {wrong}");
    if is_null(file) {
        return Ok(String::new());
    }
    let about = fs::metadata(file).map_err(unreadable)?;
    if !about.is_file() {
        return Err("is not a file".into());
    }
    if about.len() > SIZE_MAX {
        return Err("is too large to be a configuration".into());
    }
    String::from_utf8(fs::read(file).map_err(unreadable)?).map_err(|wrong| {
        format!(
            "is not UTF-8 text from byte {} on",
            wrong.utf8_error().valid_up_to()
        )
    })
}

/// Editors and package managers leave files of other names behind.
fn is_drop_in(name: &OsString) -> bool {
    let hidden = name.as_encoded_bytes().starts_with(b".");
    !hidden && Path::new(name).extension().is_some_and(|end| end == "toml")
}

/// Whether a path leads to `/dev/null`, also under a root that has no devices.
fn is_null(path: &Path) -> bool {
    let null = Path::new("/dev/null");
    fs::read_link(path).is_ok_and(|target| target == null)
        || fs::canonicalize(path).is_ok_and(|target| target == null)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::load;
    use super::*;

    /// A root of its own, removed at the end.
    struct Host(tempfile::TempDir);

    impl Host {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn at(&self, path: &str) -> PathBuf {
            Root::new(self.0.path()).join(path)
        }

        fn write(&self, path: &str, text: &str) -> PathBuf {
            let path = self.at(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path
        }

        fn link(&self, path: &str, target: &str) {
            let path = self.at(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(target, path).unwrap();
        }

        /// The lock's name stands for the file that was read last.
        fn name(&self) -> String {
            load(self.0.path(), None).unwrap().lock.name
        }

        fn files(&self) -> Vec<String> {
            let files = files(self.0.path(), None).unwrap();
            let plain =
                |path: PathBuf| format!("/{}", path.strip_prefix(self.0.path()).unwrap().display());
            files.into_iter().map(plain).collect()
        }
    }

    #[test]
    fn a_host_without_any_file_has_the_defaults() {
        let root = Host::new();
        assert_eq!(
            load(root.0.path(), None),
            Ok(crate::config::Config::default())
        );
    }

    #[test]
    fn drop_ins_apply_in_the_order_of_their_names_whatever_their_folders() {
        let root = Host::new();
        root.write("/etc/rollboot/config.d/10-a.toml", "lock.name = \"etc-10\"");
        root.write(MAIN, "lock.name = \"main\"");
        assert_eq!(root.name(), "etc-10");
        root.write(
            "/usr/lib/rollboot/config.d/20-b.toml",
            "lock.name = \"usr-20\"",
        );
        assert_eq!(root.name(), "usr-20");
        root.write("/run/rollboot/config.d/15-c.toml", "lock.name = \"run-15\"");
        assert_eq!(root.name(), "usr-20");
        assert_eq!(
            root.files(),
            [
                MAIN,
                "/etc/rollboot/config.d/10-a.toml",
                "/run/rollboot/config.d/15-c.toml",
                "/usr/lib/rollboot/config.d/20-b.toml"
            ]
        );
    }

    #[test]
    fn a_file_hides_its_namesakes_in_earlier_folders() {
        let root = Host::new();
        root.write(
            "/usr/lib/rollboot/config.d/x.toml",
            "lock.name = \"usr\"\nsettle = \"1s\"",
        );
        assert_eq!(root.name(), "usr");
        root.write("/run/rollboot/config.d/x.toml", "lock.name = \"run\"");
        assert_eq!(root.name(), "run");
        root.write("/etc/rollboot/config.d/x.toml", "lock.name = \"etc\"");
        assert_eq!(root.name(), "etc");
        assert_eq!(load(root.0.path(), None).unwrap().settle.as_secs(), 30);
    }

    #[test]
    fn a_link_to_dev_null_masks() {
        let root = Host::new();
        root.write("/usr/lib/rollboot/config.d/x.toml", "lock.name = \"usr\"");
        root.link("/etc/rollboot/config.d/x.toml", "/dev/null");
        root.link(MAIN, "/dev/null");
        assert_eq!(root.name(), "rollboot");
        assert_eq!(root.files(), [MAIN]);
    }

    #[test]
    fn other_names_are_not_drop_ins() {
        let root = Host::new();
        for name in [
            ".x.toml",
            "x.toml~",
            "x.toml.dpkg-new",
            "x",
            "toml",
            "x.conf",
        ] {
            root.write(&format!("/etc/rollboot/config.d/{name}"), "not = [toml");
        }
        assert_eq!(root.files(), Vec::<String>::new());
    }

    #[test]
    fn a_named_file_replaces_the_main_one_and_keeps_the_drop_ins() {
        let root = Host::new();
        root.write(MAIN, "lock.name = \"main\"\nlock.group = \"main\"");
        root.write("/etc/rollboot/config.d/x.toml", "lock.name = \"drop-in\"");
        let named = root.write("/named.toml", "lock.name = \"named\"\nsettle = \"1s\"");
        let config = load(root.0.path(), Some(&named)).unwrap();
        assert_eq!(config.lock.name, "drop-in");
        assert_eq!(config.lock.group, "default");
        assert_eq!(config.settle.as_secs(), 1);

        let error = load(root.0.path(), Some(&root.at("absent.toml"))).unwrap_err();
        assert!(error.message.contains("cannot be read"), "{error}");
    }

    #[test]
    fn what_cannot_be_read_is_never_taken_for_an_empty_file() {
        let root = Host::new();
        root.link(MAIN, "nowhere.toml");
        assert!(
            load(root.0.path(), None)
                .unwrap_err()
                .message
                .contains("cannot be read")
        );
        fs::remove_file(root.at(MAIN)).unwrap();

        fs::create_dir_all(root.at("/etc/rollboot/config.d/x.toml")).unwrap();
        assert!(
            load(root.0.path(), None)
                .unwrap_err()
                .message
                .contains("is not a file")
        );
        fs::remove_dir_all(root.at("/etc/rollboot/config.d")).unwrap();

        let latin = root.write(MAIN, "");
        fs::write(&latin, b"# caf\xe9").unwrap();
        let error = load(root.0.path(), None).unwrap_err();
        assert_eq!(error.file, latin);
        assert!(
            error.message.contains("is not UTF-8 text from byte 5 on"),
            "{error}"
        );

        fs::write(&latin, vec![b'#'; SIZE_MAX as usize + 1]).unwrap();
        assert!(
            load(root.0.path(), None)
                .unwrap_err()
                .message
                .contains("too large")
        );
        fs::remove_file(&latin).unwrap();

        root.write("/etc/rollboot/config.d", "");
        assert!(
            load(root.0.path(), None)
                .unwrap_err()
                .message
                .contains("cannot be listed")
        );
    }
}
