"""An admission webhook that never answers makes each write take as long as its time limit; the turn takes longer, and ends."""

import base64
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from lab.network import GATEWAY
from lab.scenario import Lab

# The API server goes on without an answer after so long: more than the daemon once had patience for.
_SECONDS = 12


def run(lab: Lab) -> None:
    """It stands in the way of cordon, eviction, lock and uncordon, on both sides of the reboot."""
    node = lab.machines[0]
    app = lab.app(replicas=3)
    lab.install()
    with _dead_webhook(lab):
        node.ask_for_reboot()
        lab.wait_rolled(node, timeout=400)
    app.wait_ready(120)
    lab.judge({node.name: 1})


@contextmanager
def _dead_webhook(lab: Lab) -> Iterator[None]:
    """A listener that takes connections and says nothing, asked about everything that rollboot writes."""
    listener = socket.create_server((GATEWAY, 0), backlog=128)
    authority = base64.b64encode(lab.plane.authority.certificate.read_bytes()).decode()
    lab.plane.kubectl("apply", "-f", "-", stdin=json.dumps({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "dead"},
        "webhooks": [{
            "name": "dead.example.test", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "timeoutSeconds": _SECONDS, "failurePolicy": "Ignore",
            "clientConfig": {"url": f"https://{GATEWAY}:{listener.getsockname()[1]}/", "caBundle": authority},
            "matchConditions": [{"name": "by-a-node", "expression": "request.userInfo.username.startsWith('system:node:')"}],
            "rules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["configmaps", "nodes"]},
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods/eviction"]},
            ],
        }],
    }))
    try:
        yield
    finally:
        lab.plane.kubectl("delete", "validatingwebhookconfiguration", "dead", "--ignore-not-found", timeout=60)
        listener.close()
