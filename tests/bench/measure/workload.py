"""Owns what is drained: a Node, and applications of Deployments with pods on it.

No controller runs: what they would say, the harness has written into the status
of each object, so that both drains find the same and nothing else happens meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .api import MERGE, Api

_APPS = "/apis/apps/v1/namespaces/default"
_PODS = "/api/v1/namespaces/default/pods"
_BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"


@dataclass(frozen=True)
class Workload:
    """So many Deployments, each with so many pods on the node; two more are Ready elsewhere."""

    api: Api
    node: str
    deployments: int
    pods_each: int

    @property
    def pods(self) -> int:
        """How many pods have to go."""
        return self.deployments * self.pods_each

    @property
    def controllers(self) -> int:
        """Each Deployment has one ReplicaSet."""
        return 2 * self.deployments

    def create(self) -> None:
        """Makes it, and waits for nothing: objects are there once the server has said so."""
        # A label, as a kubelet gives it: without any field to own the server keeps no account of owners.
        meta = {"name": self.node, "labels": {"kubernetes.io/hostname": self.node}}
        self.api.call("POST", "/api/v1/nodes", {"metadata": meta})
        status = {
            "nodeInfo": {"bootID": Path("/proc/sys/kernel/random/boot_id").read_text().strip()},
            "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}],
        }
        self.api.call("PATCH", f"/api/v1/nodes/{self.node}/status", {"status": status}, MERGE)
        self.api.each(self._deployment, range(self.deployments))

    def budget(self) -> None:
        """Puts a budget over all its pods that allows nothing."""
        body = {"metadata": {"name": self.node}, "spec": {"minAvailable": 2, "selector": {"matchLabels": {"node": self.node}}}}
        self.api.call("POST", _BUDGETS, body)
        self._allow(0)

    def open_budget(self) -> None:
        """What the controller of budgets writes once there are enough elsewhere."""
        self._allow(self.pods)

    def _allow(self, disruptions: int) -> None:
        status = {
            "observedGeneration": 1, "disruptionsAllowed": disruptions, "currentHealthy": disruptions + 2,
            "desiredHealthy": 2, "expectedPods": self.pods + 2,
        }
        self.api.call("PATCH", f"{_BUDGETS}/{self.node}/status", {"status": status}, MERGE)

    def _deployment(self, number: int) -> None:
        name = f"{self.node}-{number}"
        deployment = self._controller("deployments", name, None)
        replica_set = self._controller("replicasets", name, _owner("apps/v1", "Deployment", deployment))
        for pod in range(self.pods_each):
            self._pod(f"{name}-{pod}", _owner("apps/v1", "ReplicaSet", replica_set))

    def _controller(self, plural: str, name: str, owner: dict[str, Any] | None) -> dict[str, Any]:
        labels = {"app": name}
        body = {
            "metadata": {"name": name, "ownerReferences": [owner] if owner else []},
            "spec": {
                "replicas": self.pods_each + 2, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [_CONTAINER]}},
            },
        }
        made = self.api.call("POST", f"{_APPS}/{plural}", body)
        count = self.pods_each + 2
        status = {
            "observedGeneration": made["metadata"]["generation"], "replicas": count, "readyReplicas": count,
            "availableReplicas": count,
        }
        self.api.call("PATCH", f"{_APPS}/{plural}/{name}/status", {"status": status}, MERGE)
        return made

    def _pod(self, name: str, owner: dict[str, Any]) -> None:
        labels = {"app": name.rpartition("-")[0], "node": self.node}
        spec = {"nodeName": self.node, "containers": [_CONTAINER], "volumes": [{"name": "scratch", "emptyDir": {}}]}
        self.api.call("POST", _PODS, {"metadata": {"name": name, "labels": labels, "ownerReferences": [owner]}, "spec": spec})
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        self.api.call("PATCH", f"{_PODS}/{name}/status", {"status": status}, MERGE)


_CONTAINER = {
    "name": "app", "image": "rollboot.test/app:1", "command": ["/app", "--port=8080"],
    "env": [{"name": f"SETTING_{number}", "value": "a value of usual length, as they are"} for number in range(12)],
    "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
    "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}},
}


def _owner(version: str, kind: str, made: dict[str, Any]) -> dict[str, Any]:
    meta = made["metadata"]
    return {"apiVersion": version, "kind": kind, "name": meta["name"], "uid": meta["uid"], "controller": True}
