"""A real Kubernetes control plane as plain processes of this machine."""
