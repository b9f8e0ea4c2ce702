"""Owns those who have a say in the API server about evictions: a policy, and a webhook. Each has it until its `with` ends."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .app import NAMESPACE, App, apply
from .network import GATEWAY
from .waiting import wait_until

from plane.plane import KubectlError, Plane  # the plane's library, see places.py

_NAME = "lab-evictions"
_RULES = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods/eviction"]}]


@contextmanager
def policy(app: App, says: str) -> Iterator[None]:
    """A ValidatingAdmissionPolicy that denies each eviction of this app's pods."""
    apply(app.plane, {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": _NAME},
        "spec": {
            "failurePolicy": "Fail", "matchConstraints": {"resourceRules": _RULES},
            "validations": [{"expression": f"!request.name.startsWith('{app.name}-')", "message": says}],
        },
    })
    apply(app.plane, {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": _NAME},
        "spec": {"policyName": _NAME, "validationActions": ["Deny"]},
    })
    try:
        wait_until("the policy is in force", lambda: says in _evict_dry(app))
        yield
    finally:
        for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
            app.plane.kubectl("delete", kind, _NAME, "--ignore-not-found")
        wait_until("the policy is out of force", lambda: says not in _evict_dry(app))


@contextmanager
def webhook(app: App, status: int, says: str) -> Iterator[None]:
    """A webhook that answers each eviction of this app's pods with this status."""
    class Answer(BaseHTTPRequestHandler):
        """One question of the API server."""

        def do_POST(self) -> None:
            """Denies it."""
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            denied = {"uid": review["request"]["uid"], "allowed": False, "status": {"code": status, "message": says}}
            body = json.dumps({"apiVersion": review["apiVersion"], "kind": review["kind"], "response": denied}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Says nothing."""

    with _serve(app.plane, Answer) as (address, authority):
        apply(app.plane, {
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": _NAME},
            "webhooks": [{
                "name": "evictions.example.test", "admissionReviewVersions": ["v1"], "sideEffects": "None", "timeoutSeconds": 5,
                "failurePolicy": "Fail", "clientConfig": {"url": f"https://{address}/", "caBundle": authority},
                "matchConditions": [{"name": "of-the-app", "expression": f"request.name.startsWith('{app.name}-')"}],
                "rules": _RULES,
            }],
        })
        try:
            wait_until("the webhook is asked", lambda: says in _evict_dry(app))
            yield
        finally:
            app.plane.kubectl("delete", "validatingwebhookconfiguration", _NAME, "--ignore-not-found")
            wait_until("the webhook is asked no more", lambda: says not in _evict_dry(app))


@contextmanager
def _serve(plane: Plane, handler: type[BaseHTTPRequestHandler]) -> Iterator[tuple[str, str]]:
    """Serves HTTPS in the lab's network; gives the address, and by whom it is certified."""
    pki = plane.authority.folder
    plane.authority.issue("webhook", "webhook", "", (f"IP:{GATEWAY}",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "webhook.crt", pki / "webhook.key")
    server = ThreadingHTTPServer((GATEWAY, 0), handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"{GATEWAY}:{server.server_port}", base64.b64encode(plane.authority.certificate.read_bytes()).decode()
    finally:
        server.shutdown()
        server.server_close()


def _evict_dry(app: App) -> str:
    """What the API server says to the eviction of a pod of this app, which is only asked about."""
    name = app.pods()[0]["metadata"]["name"]
    eviction = {
        "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": NAMESPACE},
        "deleteOptions": {"dryRun": ["All"]},
    }
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{name}/eviction?dryRun=All"
    try:
        return app.plane.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))
    except KubectlError as error:
        return str(error)
