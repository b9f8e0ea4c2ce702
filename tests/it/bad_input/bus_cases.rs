//! No bus, no logind, and a logind that will not.

use super::case::Case;
use super::host::Host;

async fn logind_says(word: &'static str, words: &[&str]) -> String {
    let mut host = Host::new().await;
    host.bus.logind.lock().unwrap().can_reboot = word;
    host.ask();
    host.start();
    let message = host.tells(words).await;
    host.untouched();
    host.bus.logind.lock().unwrap().can_reboot = "yes";
    host.goes_on().await;
    message
}

const WILLING: &str = "it says yes";

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("no D-Bus", "it comes", async || {
            let mut host = Host::new().await;
            host.bus.hang_up();
            host.ask();
            host.start();
            let message = host
                .tells(&["neither logind nor systemd answers on the system bus"])
                .await;
            host.tells(&["cannot connect to the system bus at unix:path="])
                .await;
            host.untouched();
            host.bus.serve();
            host.goes_on().await;
            message
        }),
        Case::new("no logind", "it runs", async || {
            let mut host = Host::new().await;
            host.bus.logind.lock().unwrap().runs = false;
            host.ask();
            host.start();
            let message = host
                .tells(&["logind does not answer on the system bus"])
                .await;
            host.untouched();
            host.bus.logind.lock().unwrap().runs = true;
            host.goes_on().await;
            message
        }),
        Case::new(
            "logind goes while a reboot is waited for",
            "it runs",
            async || {
                let mut host = Host::new().await;
                host.start();
                host.becomes_idle().await;
                host.bus.logind.lock().unwrap().runs = false;
                host.ask();
                let message = host
                    .tells(&[
                        "cannot ask logind whether it would reboot",
                        "systemctl status systemd-logind",
                    ])
                    .await;
                host.untouched();
                host.bus.logind.lock().unwrap().runs = true;
                host.goes_on().await;
                message
            },
        ),
        Case::new("`CanReboot` = na", WILLING, || {
            logind_says("na", &["CanReboot says \"na\"", "is it a container?"])
        }),
        Case::new("`CanReboot` = no", WILLING, || {
            logind_says("no", &["CanReboot says \"no\"", "a rule of polkit"])
        }),
        Case::new("`CanReboot` = challenge", WILLING, || {
            logind_says(
                "challenge",
                &["CanReboot says \"challenge\"", "rollboot must run as root"],
            )
        }),
    ]
}
