use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use std::time::Instant;

use tokio::time::timeout;

use super::super::scratch::{Scratch, skipped};
use super::super::sentinel;
use super::*;

const PATH: &str = "/run/reboot-required";
/// The pace of a test.
const SHORT: Duration = Duration::from_millis(20);
/// After so long without a hint there will be none.
const QUIET: Duration = Duration::from_millis(120);

/// A host with a watcher on the sentinel.
struct Watched {
    root: Root,
    hints: Hints,
    _scratch: Scratch,
}

impl Watched {
    async fn new(path: &str, prepare: impl FnOnce(&Root)) -> Self {
        let scratch = Scratch::new();
        let root = Root::new(scratch.path());
        prepare(&root);
        let hints = paced(root.clone(), vec![path.into()], SHORT);
        let mut watched = Self {
            root,
            hints,
            _scratch: scratch,
        };
        watched.sees("the start").await;
        watched
    }

    /// A hint comes, then no more of it.
    async fn sees(&mut self, what: &str) {
        timeout(Duration::from_secs(5), self.hints.next())
            .await
            .unwrap_or_else(|_| panic!("no hint of {what}"));
        while timeout(QUIET, self.hints.next()).await.is_ok() {}
        assert_eq!(self.hints.problem(), None, "after {what}");
    }

    async fn sees_nothing(&mut self, what: &str) {
        let hint = timeout(QUIET, self.hints.next()).await;
        assert!(hint.is_err(), "a hint of {what}");
    }

    fn requests(&self, path: &str) -> usize {
        sentinel::read(&self.root, &[path.into()]).requests.len()
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }
}

fn run_folder(root: &Root) {
    fs::create_dir_all(root.join("/run")).unwrap();
}

#[tokio::test]
async fn a_file_that_comes_and_changes_and_goes() {
    let mut host = Watched::new(PATH, run_folder).await;
    fs::write(host.at(PATH), "one").unwrap();
    host.sees("a new file").await;
    fs::File::options()
        .append(true)
        .open(host.at(PATH))
        .and_then(|mut file| std::io::Write::write_all(&mut file, b"two"))
        .unwrap();
    host.sees("an appended line").await;
    fs::set_permissions(host.at(PATH), fs::Permissions::from_mode(0o640)).unwrap();
    host.sees("new permissions").await;
    fs::remove_file(host.at(PATH)).unwrap();
    host.sees("a removed file").await;
    assert_eq!(host.requests(PATH), 0);
}

#[tokio::test]
async fn an_atomic_rename_over_it_and_a_write_to_what_came_by_it() {
    let mut host = Watched::new(PATH, run_folder).await;
    for round in 0..2 {
        fs::write(host.at("/run/.new"), "x").unwrap();
        fs::rename(host.at("/run/.new"), host.at(PATH)).unwrap();
        host.sees(&format!("rename {round}")).await;
    }
    fs::write(host.at(PATH), "y").unwrap();
    host.sees("a write to the renamed file").await;
}

#[tokio::test]
async fn other_files_beside_it_are_not_heard() {
    let mut host = Watched::new(PATH, run_folder).await;
    fs::write(host.at("/run/utmp"), "x").unwrap();
    fs::create_dir(host.at("/run/user")).unwrap();
    fs::write(host.at("/etc"), "x").unwrap();
    host.sees_nothing("other files").await;
}

#[tokio::test]
async fn parents_that_come_one_by_one() {
    let path = "/run/a/b/c";
    let mut host = Watched::new(path, |_| {}).await;
    for folder in ["/run", "/run/a", "/run/a/b"] {
        fs::create_dir(host.at(folder)).unwrap();
        host.sees(folder).await;
    }
    fs::write(host.at(path), "").unwrap();
    host.sees("the file").await;
    assert_eq!(host.requests(path), 1);
}

#[tokio::test]
async fn parents_that_come_all_at_once_with_the_file() {
    let path = "/run/a/b/c";
    let mut host = Watched::new(path, |_| {}).await;
    fs::create_dir_all(host.at("/run/a/b")).unwrap();
    fs::write(host.at(path), "").unwrap();
    host.sees("all of it").await;
    fs::write(host.at(path), "again").unwrap();
    host.sees("a write").await;
}

#[tokio::test]
async fn a_folder_that_is_deleted_and_made_again() {
    let mut host = Watched::new(PATH, run_folder).await;
    for round in 0..3 {
        fs::remove_dir_all(host.at("/run")).unwrap();
        fs::create_dir(host.at("/run")).unwrap();
        host.sees(&format!("folder {round}")).await;
        fs::write(host.at(PATH), "").unwrap();
        host.sees(&format!("file in folder {round}")).await;
    }
}

#[tokio::test]
async fn a_folder_that_is_moved_away_and_replaced() {
    let mut host = Watched::new(PATH, run_folder).await;
    fs::create_dir(host.at("/other")).unwrap();
    fs::write(host.at("/other/reboot-required"), "").unwrap();
    fs::rename(host.at("/run"), host.at("/old")).unwrap();
    fs::rename(host.at("/other"), host.at("/run")).unwrap();
    host.sees("the other folder").await;
    assert_eq!(host.requests(PATH), 1);
    fs::write(host.at("/old/reboot-required"), "").unwrap();
    host.sees_nothing("the old folder").await;
}

#[tokio::test]
async fn behind_var_run_and_a_link_that_is_turned() {
    let path = "/var/run/reboot-required";
    let mut host = Watched::new(path, |root| {
        run_folder(root);
        fs::create_dir(root.join("/run2")).unwrap();
        fs::create_dir(root.join("/var")).unwrap();
        symlink("/run", root.join("/var/run")).unwrap();
    })
    .await;
    fs::write(host.at(PATH), "").unwrap();
    host.sees("a file behind the link").await;
    assert_eq!(host.requests(path), 1);
    symlink("../run2", host.at("/var/.run")).unwrap();
    fs::rename(host.at("/var/.run"), host.at("/var/run")).unwrap();
    host.sees("the link turned").await;
    assert_eq!(host.requests(path), 0);
    fs::write(host.at("/run2/reboot-required"), "").unwrap();
    host.sees("a file behind the new link").await;
    assert_eq!(host.requests(path), 1);
}

#[tokio::test]
async fn a_folder_behind_a_link_that_comes_later() {
    let path = "/etc/notes/x";
    let mut host = Watched::new(path, |root| {
        fs::create_dir(root.join("/etc")).unwrap();
        symlink("/later", root.join("/etc/notes")).unwrap();
    })
    .await;
    fs::create_dir(host.at("/later")).unwrap();
    fs::write(host.at("/later/x"), "").unwrap();
    host.sees("the target").await;
    assert_eq!(host.requests(path), 1);
}

#[tokio::test]
async fn a_link_in_the_place_of_a_file_that_a_file_replaces() {
    let mut host = Watched::new(PATH, |root| {
        run_folder(root);
        symlink("/run/other", root.join(PATH)).unwrap();
    })
    .await;
    fs::write(host.at("/run/new"), "").unwrap();
    fs::rename(host.at("/run/new"), host.at(PATH)).unwrap();
    host.sees("the file").await;
    assert_eq!(host.requests(PATH), 1);
}

#[tokio::test]
async fn a_queue_that_overflows() {
    let mut host = Watched::new(PATH, run_folder).await;
    let most: usize = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events")
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    // The watcher shares this thread: it cannot take events while the loop runs.
    for number in 0..=most / 2 {
        let name = host.at(&format!("/run/{number}"));
        fs::write(&name, "").unwrap();
        fs::remove_file(&name).unwrap();
    }
    fs::write(host.at(PATH), "").unwrap();
    host.sees("a lost event").await;
    assert_eq!(host.requests(PATH), 1);
    fs::remove_file(host.at(PATH)).unwrap();
    host.sees("what comes after it").await;
}

/// A tmpfs over a folder, taken off at the latest when the test ends.
struct Mount(PathBuf);

impl Mount {
    /// Mounts it, or says why the test is skipped.
    fn over(folder: &Path) -> Option<Self> {
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "tmpfs"])
            .arg(folder)
            .output();
        if done.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder.into()));
        }
        skipped("this user cannot mount");
        None
    }

    fn take_off(self, how: &[&str]) {
        let done = Command::new("umount").args(how).arg(&self.0).status();
        assert!(done.unwrap().success());
        std::mem::forget(self);
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_mount_over_it_and_its_end() {
    let mut host = Watched::new(PATH, run_folder).await;
    let how: [&[&str]; 2] = [&[], &["-l"]];
    for how in how {
        let Some(mount) = Mount::over(&host.at("/run")) else {
            return;
        };
        host.sees("the mount").await;
        fs::write(host.at(PATH), "").unwrap();
        host.sees("a file in the mount").await;
        assert_eq!(host.requests(PATH), 1);
        mount.take_off(how);
        host.sees("the end of the mount").await;
        assert_eq!(host.requests(PATH), 0);
    }
    fs::write(host.at(PATH), "").unwrap();
    host.sees("a file below").await;
}

#[tokio::test]
async fn a_mount_elsewhere_is_not_heard() {
    let mut host = Watched::new(PATH, run_folder).await;
    fs::create_dir(host.at("/elsewhere")).unwrap();
    if let Some(_mount) = Mount::over(&host.at("/elsewhere")) {
        host.sees_nothing("a mount elsewhere").await;
    }
}

#[tokio::test]
async fn a_mount_over_a_mount() {
    let mut host = Watched::new(PATH, run_folder).await;
    let Some(first) = Mount::over(&host.at("/run")) else {
        return;
    };
    host.sees("the first").await;
    let second = Mount::over(&host.at("/run")).unwrap();
    host.sees("the second").await;
    fs::write(host.at(PATH), "").unwrap();
    host.sees("a file in the second").await;
    second.take_off(&[]);
    host.sees("the end of the second").await;
    assert_eq!(host.requests(PATH), 0);
    first.take_off(&[]);
    host.sees("the end of the first").await;
}

#[tokio::test]
async fn a_storm_of_writes_makes_few_hints() {
    let mut host = Watched::new(PATH, run_folder).await;
    host.hints = watch(host.root.clone(), vec![PATH.into()]);
    host.sees("the start").await;
    let path = host.at(PATH);
    let storm = async {
        for _ in 0..200 {
            fs::write(&path, "x").unwrap();
            sleep(Duration::from_millis(5)).await;
        }
    };
    let began = Instant::now();
    let mut hints = 0;
    let count = async {
        loop {
            host.hints.next().await;
            hints += 1;
        }
    };
    tokio::select! { () = storm => {}, () = count => {} }
    // However long it took: on a busy machine a storm is a long one.
    let most = began.elapsed().as_millis() / PACE.as_millis() + 2;
    assert!((1..=most).contains(&hints), "{hints} of {most}");
    // On a busy machine the last write of the storm may have been seen within it.
    fs::write(&path, "y").unwrap();
    host.sees("the last write").await;
}
