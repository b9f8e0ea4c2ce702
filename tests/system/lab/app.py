"""Owns the workload: Deployments, DaemonSets and budgets, as plain manifests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .waiting import wait_until

from plane.plane import Plane  # the plane's library, see places.py

NAMESPACE = "app"


@dataclass
class App:
    """A Deployment of the test server, spread over the nodes."""

    plane: Plane
    name: str
    replicas: int
    stop_delay: str = "0s"
    start_delay: str = "0s"
    node: str | None = None
    kind: str = "Deployment"
    # Of every taint: a cordon does not keep its pods off.
    tolerates: bool = False
    # A folder of its host without which its containers are not started.
    host_folder: str | None = None

    def create(self) -> App:
        """Creates it and waits until every pod is Ready."""
        apply(self.plane, self._manifest())
        self.wait_ready()
        return self

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Waits until all that is wanted is Ready."""
        wait_until(f"{self.name} is Ready", self.ready, timeout)

    def ready(self) -> bool:
        """Whether all that is wanted is Ready, and nothing else is there."""
        pods = self.pods()
        wanted = self.replicas if self.kind == "Deployment" else len(pods)
        fine = [pod for pod in pods if _ready(pod) and "deletionTimestamp" not in pod["metadata"]]
        return len(fine) == wanted == len(pods) and wanted > 0

    def pods(self) -> list[dict[str, Any]]:
        """Its pods, finished ones left out."""
        text = self.plane.kubectl("get", "pods", "-n", NAMESPACE, "-l", f"app={self.name}", "-o", "json")
        return [pod for pod in json.loads(text)["items"] if pod["status"].get("phase") not in ("Succeeded", "Failed")]

    def pods_on(self, node: str) -> list[dict[str, Any]]:
        """Its pods on one node."""
        return [pod for pod in self.pods() if pod["spec"].get("nodeName") == node]

    def terminating_on(self, node: str) -> bool:
        """Whether one of its pods on that node is being ended: a drain is under way."""
        return any("deletionTimestamp" in pod["metadata"] for pod in self.pods_on(node))

    def budget(self, **rule: int | str) -> None:
        """Gives it a budget, such as `min_available=2`, or changes the one it has."""
        field_name = {"min_available": "minAvailable", "max_unavailable": "maxUnavailable"}
        spec: dict[str, Any] = {field_name[key]: value for key, value in rule.items()}
        spec["selector"] = {"matchLabels": {"app": self.name}}
        try:
            self.plane.kubectl("delete", "poddisruptionbudget", "-n", NAMESPACE, self.name, "--ignore-not-found")
        finally:
            apply(self.plane, {
                "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
                "metadata": {"name": self.name, "namespace": NAMESPACE}, "spec": spec,
            })
        wait_until("the budget is known", lambda: json.loads(self.plane.kubectl(
            "get", "poddisruptionbudget", "-n", NAMESPACE, self.name, "-o", "json",
        )).get("status", {}).get("observedGeneration"))

    def _manifest(self) -> dict[str, Any]:
        labels = {"app": self.name}
        spec: dict[str, Any] = {
            "terminationGracePeriodSeconds": 60,
            "containers": [{
                "name": "app", "image": "rollboot.test/app:1", "imagePullPolicy": "Never",
                "env": [
                    {"name": "APP_STOP_DELAY", "value": self.stop_delay},
                    {"name": "APP_START_DELAY", "value": self.start_delay},
                ],
                "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1},
            }],
        }
        if self.host_folder is not None:
            spec["volumes"] = [{"name": "host", "hostPath": {"path": self.host_folder, "type": "Directory"}}]
            spec["containers"][0]["volumeMounts"] = [{"name": "host", "mountPath": "/host"}]
        if self.tolerates:
            spec["tolerations"] = [{"operator": "Exists"}]
        if self.node is not None:
            spec["nodeSelector"] = {"kubernetes.io/hostname": self.node}
        elif self.kind == "Deployment":
            spec["topologySpreadConstraints"] = [{
                "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": labels},
            }]
        manifest: dict[str, Any] = {
            "apiVersion": "apps/v1", "kind": self.kind, "metadata": {"name": self.name, "namespace": NAMESPACE},
            "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}},
        }
        if self.kind == "Deployment":
            manifest["spec"]["replicas"] = self.replicas
        return manifest


def apply(plane: Plane, manifest: dict[str, Any]) -> None:
    """Applies one object."""
    plane.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))


def _ready(pod: dict[str, Any]) -> bool:
    return any(
        each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", [])
    )
