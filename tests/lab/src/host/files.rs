//! What is on a host's disk, and what its kernel shows: just what the daemon reads.

use std::fs;
use std::io;
use std::path::Path;

use jiff::Timestamp;

/// Times as short as the configuration allows: an audience waits. Everything else is the default.
const CONFIG: &str = "\
# The default is half a minute, for upgrades that are still running.
settle = \"0s\"

[drain]
quiet = \"1s\"
";

/// What is there before the first boot.
pub(super) fn install(root: &Path, name: &str, kubeconfig: &str) -> io::Result<()> {
    for folder in [
        "etc/rollboot",
        "etc/kubernetes",
        "proc/sys/kernel/random",
        "var/lib",
        "run",
    ] {
        fs::create_dir_all(root.join(folder))?;
    }
    fs::write(root.join("etc/rollboot/config.toml"), CONFIG)?;
    fs::write(root.join("etc/kubernetes/kubelet.conf"), kubeconfig)?;
    fs::write(root.join("proc/sys/kernel/hostname"), format!("{name}\n"))
}

/// What a boot leaves: an empty `/run`, and a kernel with another boot ID that counts from now.
pub(super) fn boot(root: &Path, boot_id: &str) -> io::Result<()> {
    fs::remove_dir_all(root.join("run"))?;
    fs::create_dir_all(root.join("run/dbus"))?;
    let random = root.join("proc/sys/kernel/random/boot_id");
    fs::write(random, format!("{boot_id}\n"))?;
    let now = Timestamp::now().as_second();
    fs::write(
        root.join("proc/stat"),
        format!("cpu 0 0 0 0\nbtime {now}\n"),
    )
}

/// What `needrestart` and its kind write.
pub(super) fn write_sentinel(root: &Path) -> io::Result<()> {
    fs::write(root.join("run/reboot-required.pkgs"), "linux-image-amd64\n")?;
    fs::write(
        root.join("run/reboot-required"),
        "*** System restart required ***\n",
    )
}
