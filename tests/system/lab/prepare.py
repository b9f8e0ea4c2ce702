"""Owns what must exist before a lab starts: tools, binaries, machine roots."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from .images import pack
from .places import CONTROL_PLANE, cache
from .shell import run, run_logged

_TOOLS = {
    "mmdebstrap": "mmdebstrap", "systemd-nspawn": "systemd-container", "ip": "iproute2", "openssl": "openssl",
    "nsenter": "util-linux", "journalctl": "systemd",
}

# Everything the machines and the package under test need, so that a lab needs no network.
_PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "polkitd", "tzdata", "libc6", "libgcc-s1", "iproute2", "runc",
    "containernetworking-plugins", "procps", "kmod", "util-linux", "ca-certificates",
)

_INOTIFY_INSTANCES = 4096

_UNWANTED = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer",
    "console-getty.service", "getty@.service", "systemd-networkd.service", "systemd-networkd.socket",
    "systemd-networkd-wait-online.service", "systemd-timesyncd.service", "e2scrub_reap.service", "cron.service",
)


def install_tools() -> None:
    """Installs the programs that are missing, by apt."""
    missing = sorted({package for tool, package in _TOOLS.items() if shutil.which(tool) is None})
    if not missing:
        return
    print(f"installing {' '.join(missing)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    log = cache() / "apt.log"
    run_logged(["apt-get", "update"], log, env=environment)
    run_logged(["apt-get", "install", "-y", "--no-install-recommends", *missing], log, env=environment)


def binaries() -> Path:
    """The folder with the control plane's and the machines' programs, built if need be."""
    done = subprocess.run([CONTROL_PLANE / "build"], stdout=subprocess.PIPE, text=True, check=True)
    return Path(done.stdout.strip())


def images(programs: Path) -> Path:
    """The container images as one archive that containerd imports."""
    archive = programs / "images.tar"
    if not archive.exists():
        fresh = archive.with_suffix(f".{os.getpid()}")
        pack(fresh, {"rollboot.test/pause:1": programs / "pause", "rollboot.test/app:1": programs / "app"})
        fresh.rename(archive)
    return archive


def base(suite: str) -> Path:
    """A Debian root with systemd, shared by every machine of that suite."""
    recipe = " ".join((suite, *_PACKAGES, *_UNWANTED))
    root = cache() / f"base-{suite}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    root.parent.mkdir(parents=True, exist_ok=True)
    with (cache() / f"base-{suite}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            _bootstrap(suite, root)
    return root


def _bootstrap(suite: str, root: Path) -> None:
    print(f"making a {suite} root (under a minute)", flush=True)
    fresh = root.with_name(root.name + ".new")
    if fresh.exists():
        shutil.rmtree(fresh)
    run_logged(
        ["mmdebstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}", suite, str(fresh),
         "http://deb.debian.org/debian"],
        cache() / f"base-{suite}.log",
    )
    for unit in _UNWANTED:
        (fresh / "etc/systemd/system" / unit).unlink(missing_ok=True)
        (fresh / "etc/systemd/system" / unit).symlink_to("/dev/null")
    (fresh / "etc/machine-id").unlink(missing_ok=True)
    (fresh / "var/log/journal").mkdir(exist_ok=True)
    (fresh / "etc/resolv.conf").unlink(missing_ok=True)
    # A failed remount of a root that is not a block device would mark the boot degraded.
    (fresh / "etc/fstab").write_text("")
    fresh.rename(root)


def check_root() -> None:
    """Fails early, in words, where the lab cannot work."""
    if os.geteuid() != 0:
        raise SystemExit("the system tests start machines: run them as root")
    if "overlay" not in run(["cat", "/proc/filesystems"]):
        raise SystemExit("the system tests need the kernel's overlay file system")


def raise_limits() -> None:
    """Raises the one limit of the kernel that several machines run into.

    All of root's inotify instances count together, those of every machine too.
    """
    limit = Path("/proc/sys/fs/inotify/max_user_instances")
    if int(limit.read_text()) < _INOTIFY_INSTANCES:
        limit.write_text(str(_INOTIFY_INSTANCES))
