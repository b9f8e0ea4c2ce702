//! Who may write beside a sentinel must not be shown what only root may read.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use rollboot::host::{LocalHost, Root};

/// A sentinel may be anywhere. In a folder that a user may write to, `reboot-required.pkgs` is a link to what only root may read, and
/// its lines are shown to everybody as the names of packages (`status.json` is 0644).
#[test]
fn a_list_of_packages_that_is_a_link_shows_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    fs::create_dir_all(at("var/tmp")).unwrap();
    fs::create_dir_all(at("etc")).unwrap();
    fs::write(at("etc/shadow"), "root:$6$secret:20228:0:99999:7:::\n").unwrap();
    fs::set_permissions(at("etc/shadow"), fs::Permissions::from_mode(0o600)).unwrap();
    symlink("/etc/shadow", at("var/tmp/reboot-required.pkgs")).unwrap();
    let sentinels = vec![PathBuf::from("/var/tmp/reboot-required")];
    let host = LocalHost::new(Root::new(folder.path()), sentinels);
    let reading = host.read_sentinels();
    assert_eq!(reading.sentinels[0].packages, [""; 0]);
}
