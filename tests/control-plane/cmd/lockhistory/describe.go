package main

import (
	"fmt"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
)

const (
	nodes = "/registry/minions/"
	pods  = "/registry/pods/"
)

// lockLine is one revision of the lock. A deleted one has neither UID nor content.
type lockLine struct {
	Kind        string            `json:"kind"`
	Revision    int64             `json:"revision"`
	Deleted     bool              `json:"deleted"`
	UID         string            `json:"uid,omitempty"`
	Annotations map[string]string `json:"annotations"`
	Data        map[string]string `json:"data"`
}

// nodeLine is one revision of a Node: what a reboot changes about it.
type nodeLine struct {
	Kind          string            `json:"kind"`
	Revision      int64             `json:"revision"`
	Deleted       bool              `json:"deleted"`
	Name          string            `json:"name"`
	UID           string            `json:"uid,omitempty"`
	Unschedulable bool              `json:"unschedulable"`
	Annotations   map[string]string `json:"annotations"`
	BootID        string            `json:"boot_id"`
	Ready         string            `json:"ready"`
	ReadyReason   string            `json:"ready_reason"`
}

// podLine is one revision of a pod: where it is and how it does.
type podLine struct {
	Kind        string `json:"kind"`
	Revision    int64  `json:"revision"`
	Deleted     bool   `json:"deleted"`
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
	UID         string `json:"uid,omitempty"`
	Node        string `json:"node"`
	Controller  string `json:"controller"`
	Phase       string `json:"phase"`
	Ready       bool   `json:"ready"`
	Terminating bool   `json:"terminating"`
}

// describer turns events of etcd into lines. It leaves out a revision of a Node
// or pod that changes nothing of its line, such as a heartbeat.
type describer struct {
	lock   string
	decode runtime.Decoder
	seen   map[string]string
}

// newDescriber reads what the API server stores: protobuf or JSON of core/v1.
func newDescriber(lock string) *describer {
	scheme := runtime.NewScheme()
	utilruntime.Must(corev1.AddToScheme(scheme))
	return &describer{
		lock:   lock,
		decode: serializer.NewCodecFactory(scheme).UniversalDeserializer(),
		seen:   map[string]string{},
	}
}

// describe returns the line of an event, or nil if there is nothing to tell.
func (d *describer) describe(event *clientv3.Event) (any, error) {
	key, revision := string(event.Kv.Key), event.Kv.ModRevision
	if key != d.lock && !strings.HasPrefix(key, nodes) && !strings.HasPrefix(key, pods) {
		return nil, nil
	}
	if event.Type == clientv3.EventTypeDelete {
		delete(d.seen, key)
		return d.gone(key, revision), nil
	}
	object, _, err := d.decode.Decode(event.Kv.Value, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("%s at revision %d: %w", key, revision, err)
	}
	switch object := object.(type) {
	case *corev1.ConfigMap:
		return lockLine{
			Kind: "lock", Revision: revision, UID: string(object.UID),
			Annotations: filled(object.Annotations), Data: filled(object.Data),
		}, nil
	case *corev1.Node:
		line := nodeOf(object)
		if !d.news(key, line) {
			return nil, nil
		}
		line.Revision = revision
		return line, nil
	case *corev1.Pod:
		line := podOf(object)
		if !d.news(key, line) {
			return nil, nil
		}
		line.Revision = revision
		return line, nil
	default:
		return nil, fmt.Errorf("%s at revision %d is a %T", key, revision, object)
	}
}

// gone is the line of a deletion.
func (d *describer) gone(key string, revision int64) any {
	if name, ok := strings.CutPrefix(key, nodes); ok {
		return nodeLine{Kind: "node", Revision: revision, Deleted: true, Name: name, Annotations: filled(nil)}
	}
	if path, ok := strings.CutPrefix(key, pods); ok {
		namespace, name, _ := strings.Cut(path, "/")
		return podLine{Kind: "pod", Revision: revision, Deleted: true, Namespace: namespace, Name: name}
	}
	return lockLine{Kind: "lock", Revision: revision, Deleted: true, Annotations: filled(nil), Data: filled(nil)}
}

// news remembers the line of a key and says whether it differs from the last one.
func (d *describer) news(key string, line any) bool {
	text := fmt.Sprintf("%v", line)
	if d.seen[key] == text {
		return false
	}
	d.seen[key] = text
	return true
}

func nodeOf(node *corev1.Node) nodeLine {
	line := nodeLine{
		Kind: "node", Name: node.Name, UID: string(node.UID), Unschedulable: node.Spec.Unschedulable,
		Annotations: map[string]string{}, BootID: node.Status.NodeInfo.BootID,
	}
	for key, value := range node.Annotations {
		if strings.HasPrefix(key, "rollboot.io/") {
			line.Annotations[key] = value
		}
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			line.Ready, line.ReadyReason = string(condition.Status), condition.Reason
		}
	}
	return line
}

func podOf(pod *corev1.Pod) podLine {
	line := podLine{
		Kind: "pod", Namespace: pod.Namespace, Name: pod.Name, UID: string(pod.UID), Node: pod.Spec.NodeName,
		Phase: string(pod.Status.Phase), Terminating: pod.DeletionTimestamp != nil,
	}
	for _, owner := range pod.OwnerReferences {
		if owner.Controller != nil && *owner.Controller {
			line.Controller = owner.Kind
		}
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			line.Ready = condition.Status == corev1.ConditionTrue
		}
	}
	return line
}

// filled makes an absent map an empty one, so that readers need no special case.
func filled(values map[string]string) map[string]string {
	if values == nil {
		return map[string]string{}
	}
	return values
}
