use std::os::unix::fs::symlink;

use super::*;

fn names(way: &Way) -> Vec<String> {
    way.lookups
        .iter()
        .map(|lookup| lookup.name.to_string_lossy().into_owned())
        .collect()
}

#[test]
fn absolute_links_stay_under_the_root() {
    let scratch = tempfile::tempdir().unwrap();
    let root = Root::new(scratch.path());
    fs::create_dir_all(root.join("/run")).unwrap();
    fs::create_dir_all(root.join("/var")).unwrap();
    symlink("/run", root.join("/var/run")).unwrap();
    fs::write(root.join("/run/x"), "").unwrap();
    let way = root.resolve(Path::new("/var/run/x"));
    assert!(matches!(&way.end, End::File(path, _) if *path == root.join("/run/x")));
    assert_eq!(names(&way), ["var", "run", "run", "x"]);
}

#[test]
fn relative_links_and_parents_are_followed() {
    let scratch = tempfile::tempdir().unwrap();
    let root = Root::new(scratch.path());
    fs::create_dir_all(root.join("/a/b")).unwrap();
    symlink("../../../run", root.join("/a/b/up")).unwrap();
    fs::create_dir_all(root.join("/run")).unwrap();
    fs::write(root.join("/run/x"), "").unwrap();
    let way = root.resolve(Path::new("/a/b/up/x"));
    assert!(matches!(way.end, End::File(..)), "{way:?}");
}

#[test]
fn a_missing_parent_ends_at_the_nearest_that_exists() {
    let scratch = tempfile::tempdir().unwrap();
    let root = Root::new(scratch.path());
    let way = root.resolve(Path::new("/run/deep/x"));
    assert!(matches!(way.end, End::Missing));
    assert_eq!(names(&way), ["run"]);
}

#[test]
fn what_is_not_a_file_is_told_from_what_is_not_there() {
    let scratch = tempfile::tempdir().unwrap();
    let root = Root::new(scratch.path());
    fs::create_dir_all(root.join("/run/folder")).unwrap();
    fs::write(root.join("/run/file"), "").unwrap();
    symlink("nowhere", root.join("/run/dangling")).unwrap();
    symlink("loop", root.join("/run/loop")).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(root.join("/run/socket")).unwrap();
    let problem = |path: &str| {
        let end = root.resolve(Path::new(path)).end;
        let End::Problem(problem) = end else {
            panic!("{path}: {end:?}");
        };
        problem
    };
    assert_eq!(problem("/run/folder"), "is a folder");
    assert_eq!(
        problem("/run/dangling"),
        "is a link, and links are not followed"
    );
    assert_eq!(problem("/run/loop/x"), "is a loop of links");
    assert_eq!(problem("/run/socket"), "is not a regular file");
    assert!(problem("/run/file/x").ends_with("/run/file is not a folder"));
    assert!(matches!(
        root.resolve(Path::new("/run/missing")).end,
        End::Missing
    ));
    assert!(root.has(Path::new("/run/folder")));
    assert!(root.has(Path::new("/run/loop")));
    assert!(!root.has(Path::new("/run/dangling")));
    drop(socket);
}

#[test]
fn the_real_root_changes_nothing() {
    for path in ["/etc/kubernetes/kubelet.conf", "relative", "../x"] {
        assert_eq!(Root::default().follow(Path::new(path)), Path::new(path));
    }
}

#[test]
fn links_lead_back_below_the_root() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let at = Root::new(root);
    fs::create_dir_all(root.join("var/lib/pki")).unwrap();
    fs::write(root.join("var/lib/pki/one.pem"), "").unwrap();
    symlink(
        "/var/lib/pki/one.pem",
        root.join("var/lib/pki/absolute.pem"),
    )
    .unwrap();
    symlink("one.pem", root.join("var/lib/pki/relative.pem")).unwrap();
    symlink("../../../../../../var/lib/pki", root.join("escape")).unwrap();
    for path in [
        "/var/lib/pki/absolute.pem",
        "var/lib/pki/relative.pem",
        "/escape/one.pem",
    ] {
        assert_eq!(
            at.follow(Path::new(path)),
            root.join("var/lib/pki/one.pem"),
            "{path}"
        );
    }
    assert_eq!(
        at.follow(Path::new("/../gone/x")),
        root.join("gone/x"),
        "missing parts stay as written"
    );
}

#[test]
fn a_loop_of_links_ends() {
    let folder = tempfile::tempdir().unwrap();
    symlink("/b", folder.path().join("a")).unwrap();
    symlink("/a", folder.path().join("b")).unwrap();
    assert!(
        Root::new(folder.path())
            .follow(Path::new("/a"))
            .starts_with(folder.path())
    );
}

#[test]
fn every_path_stays_under_the_root() {
    let joined = |root: &str, path: &str| Root::new(root).join(path).display().to_string();
    assert_eq!(joined("/", "/run/x"), "/run/x");
    assert_eq!(joined("/srv/host", "/run/x"), "/srv/host/run/x");
    assert_eq!(joined("/srv/host", "run/../etc"), "/srv/host/etc");
    assert_eq!(joined("/srv/host", "/../../etc"), "/srv/host/etc");
}

#[test]
fn the_real_root_is_told_from_any_other() {
    assert!(Root::default().is_real());
    assert!(Root::new("/.").is_real());
    assert!(!Root::new("/srv").is_real());
    assert!(!Root::new("srv").is_real());
}
