//go:build tools

// Package tools names the command that the build script compiles, so that
// go.mod and go.sum pin it. Nothing imports it.
package tools

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
)
