"""Owns the container images: one static program each, packed as an OCI archive."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path


def pack(archive: Path, programs: dict[str, Path]) -> None:
    """Writes an archive with one image per name, each holding just its program."""
    blobs: dict[str, bytes] = {}
    manifests: list[dict[str, object]] = []
    for name, program in programs.items():
        layer = _layer(program)
        config = _json({
            "architecture": _architecture(), "os": "linux",
            "config": {"Entrypoint": [f"/{program.name}"], "Env": []},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        })
        manifest = _json({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
            "layers": [_descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
        })
        for blob in (layer, config, manifest):
            blobs[_digest(blob)] = blob
        manifests.append({
            **_descriptor("application/vnd.oci.image.manifest.v1+json", manifest),
            "annotations": {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name},
        })
    with tarfile.open(archive, "w") as tar:
        _add(tar, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(tar, "index.json", _json({"schemaVersion": 2, "manifests": manifests}))
        for digest, blob in blobs.items():
            _add(tar, "blobs/" + digest.replace(":", "/"), blob)


def _layer(program: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        _add(tar, program.name, program.read_bytes(), mode=0o755)
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))


def _descriptor(kind: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": kind, "digest": _digest(blob), "size": len(blob)}


def _digest(blob: bytes) -> str:
    return "sha256:" + hashlib.sha256(blob).hexdigest()


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _architecture() -> str:
    machine = os.uname().machine
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
