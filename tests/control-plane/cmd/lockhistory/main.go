// Command lockhistory prints every revision that etcd keeps of the lock, oldest
// first, one JSON object a line; with -all those of Nodes and pods too, in the
// one order that etcd gave them all. It reads etcd and not the API server, so
// it also tells what happened while that server was down or was killed.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

func main() {
	endpoint := flag.String("endpoint", "http://127.0.0.1:2379", "client address of etcd")
	key := flag.String("key", "/registry/configmaps/kube-system/rollboot", "the key of the lock's ConfigMap")
	from := flag.Int64("from", 1, "first revision of interest")
	all := flag.Bool("all", false, "also tell of Nodes and pods")
	timeout := flag.Duration("timeout", 20*time.Second, "give up after this long")
	flag.Parse()

	watched, options := *key, []clientv3.OpOption{clientv3.WithRev(*from)}
	if *all {
		watched, options = "/registry/", append(options, clientv3.WithPrefix())
	}
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	if err := run(ctx, os.Stdout, *endpoint, watched, options, newDescriber(*key)); err != nil {
		fmt.Fprintln(os.Stderr, "lockhistory:", err)
		os.Exit(1)
	}
}

// run copies the history of what is watched to out, up to the revision that is
// current now. A key that is gone has no last revision to ask for, so the end is
// told by etcd's progress notification: everything up to its revision was seen.
func run(
	ctx context.Context, out io.Writer, endpoint, watched string, options []clientv3.OpOption, describer *describer,
) error {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Context: ctx, DialTimeout: 5 * time.Second})
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	current, err := client.Get(ctx, watched)
	if err != nil {
		return err
	}
	last := current.Header.Revision

	encoder := json.NewEncoder(out)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	watch := client.Watch(ctx, watched, options...)
	ask := time.NewTicker(50 * time.Millisecond)
	defer ask.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ask.C:
			if err := client.RequestProgress(ctx); err != nil {
				return err
			}
		case response, open := <-watch:
			if !open {
				return errors.New("the watch ended early")
			}
			if err := response.Err(); err != nil {
				return err
			}
			for _, event := range response.Events {
				if event.Kv.ModRevision > last {
					return nil
				}
				line, err := describer.describe(event)
				if err != nil {
					return err
				}
				if line == nil {
					continue
				}
				if err := encoder.Encode(line); err != nil {
					return err
				}
			}
			if response.IsProgressNotify() && response.Header.Revision >= last {
				return nil
			}
		}
	}
}
