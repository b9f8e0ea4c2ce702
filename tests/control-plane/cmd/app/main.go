// Command app is the workload of the test machines: an HTTP server that is
// healthy after a start-up delay and ends gracefully after a stop delay, so
// that scenarios can make pods slow to become Ready or slow to go away.
//
//	APP_START_DELAY  how long /healthz answers 503 after the start (default 0s)
//	APP_STOP_DELAY   how long SIGTERM takes to end the process (default 0s)
//	APP_LISTEN       address (default :8080)
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		os.Exit(1)
	}
}

func run() error {
	startDelay, err := duration("APP_START_DELAY")
	if err != nil {
		return err
	}
	stopDelay, err := duration("APP_STOP_DELAY")
	if err != nil {
		return err
	}
	listen := os.Getenv("APP_LISTEN")
	if listen == "" {
		listen = ":8080"
	}

	healthyFrom := time.Now().Add(startDelay)
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if time.Now().Before(healthyFrom) {
			http.Error(w, "starting", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	server := &http.Server{Addr: listen, Handler: mux, ReadHeaderTimeout: 5 * time.Second}

	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	time.Sleep(stopDelay)
	return server.Close()
}

// duration reads a duration from the environment; a missing one is zero.
func duration(name string) (time.Duration, error) {
	text := os.Getenv(name)
	if text == "" {
		return 0, nil
	}
	value, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return value, nil
}
