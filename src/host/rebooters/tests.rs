use super::super::scratch::{Scratch, skipped};
use super::super::stand_in::StandIn;
use super::*;

fn host(files: &[(&str, &str)]) -> (Scratch, Root) {
    let scratch = Scratch::new();
    let root = Root::new(scratch.path());
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    (scratch, root)
}

const TRUE: &str = "Unattended-Upgrade::Automatic-Reboot \"true\";\n";
const NESTED: &str = "// apt's own grammar\nUnattended-Upgrade { Automatic-Reboot \"yes\"; };\n";
const FALSE: &str = "Unattended-Upgrade::Automatic-Reboot \"false\";\n";

#[tokio::test]
async fn unattended_upgrades_counts_where_it_is_installed_and_the_last_file_says_so() {
    let (_scratch, empty) = host(&[]);
    if apt_says(&empty, AUTOMATIC_REBOOT).await.is_err() {
        return skipped("there is no apt here");
    }
    let program = ("/usr/bin/unattended-upgrade", "");
    let part = |name: &'static str, text: &'static str| (name, text);
    for (files, expected) in [
        (vec![part("/etc/apt/apt.conf.d/50u", TRUE)], false),
        (vec![program], false),
        (vec![program, part("/etc/apt/apt.conf.d/50u", TRUE)], true),
        (
            vec![
                program,
                part("/etc/apt/apt.conf.d/50u", TRUE),
                part("/etc/apt/apt.conf.d/99r", FALSE),
            ],
            false,
        ),
        (
            vec![
                program,
                part("/etc/apt/apt.conf.d/50u", FALSE),
                part("/etc/apt/apt.conf", TRUE),
            ],
            true,
        ),
        (
            vec![program, part("/etc/apt/apt.conf.d/50u.dpkg-old", TRUE)],
            false,
        ),
        (vec![program, part("/etc/apt/apt.conf.d/50u", NESTED)], true),
    ] {
        let (_scratch, root) = host(&files);
        let found = unattended_upgrades(&root).await.unwrap();
        assert_eq!(found.len(), usize::from(expected), "{files:?}");
    }
}

#[test]
fn dnf_automatic_counts_when_it_is_told_to() {
    for (value, expected) in [
        ("never", false),
        ("when-needed", true),
        ("when-changed", true),
    ] {
        let text = format!("[commands]\nreboot = {value}\n");
        let (_scratch, root) = host(&[("/etc/dnf/automatic.conf", &text)]);
        assert_eq!(dnf_automatic(&root).is_some(), expected, "{value}");
    }
}

#[test]
fn an_administrator_may_tell_transactional_update_not_to() {
    let (_scratch, root) = host(&[]);
    assert!(transactional_update_reboots(&root));
    let distribution = ("/usr/etc/transactional-update.conf", "REBOOT_METHOD=auto\n");
    let administrator = ("/etc/transactional-update.conf", "REBOOT_METHOD=none\n");
    let (_scratch, root) = host(&[distribution, administrator]);
    assert!(!transactional_update_reboots(&root));
}

#[tokio::test]
async fn active_units_are_found_and_without_a_bus_that_is_said() {
    let (_scratch, root) = host(&[]);
    let stand_in = StandIn::new();
    let unit = |name: &str| zbus::OwnedObjectPath::try_from(format!("/u/{name}")).unwrap();
    for name in ["rebootmgr", "zincati", "locksmithd", "transactional"] {
        let full = UNITS.iter().find(|(full, _)| full.starts_with(name));
        stand_in.reply(&format!("LoadUnit({})", full.unwrap().0), &unit(name));
        let state = if name == "rebootmgr" {
            "active"
        } else {
            "inactive"
        };
        stand_in.property(&format!("/u/{name}.ActiveState"), state);
    }
    stand_in.property("LoadState", "not-found");
    let found = find(&root, &stand_in.bus()).await;
    assert_eq!(found.blind, [""; 0]);
    let found: Vec<_> = found.found.iter().map(|it| it.found.as_str()).collect();
    assert_eq!(found, ["rebootmgr.service is active"]);

    let nobody = Bus::at("unix:path=/nonexistent/bus");
    let found = find(&root, &nobody).await;
    assert_eq!((found.blind, found.found.len()), (vec!["units"], 0));
}

#[tokio::test]
async fn settings_that_apt_cannot_read_are_not_taken_for_none() {
    let (_scratch, root) = host(&[
        ("/usr/bin/unattended-upgrade", ""),
        ("/etc/apt/apt.conf", "\"}"),
    ]);
    let nobody = Bus::at("unix:path=/nonexistent/bus");
    let blind = find(&root, &nobody).await.blind;
    assert_eq!(blind, ["settings of apt", "units"]);
}
