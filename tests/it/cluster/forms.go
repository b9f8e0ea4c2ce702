// Loads each kubeconfig of a folder as the kubelet does and says whether client-go takes it, and what it would send.
package main

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/transport"
)

// An answer without a network: what arrives here would have been sent.
type sink struct{ header http.Header }

func (s *sink) RoundTrip(request *http.Request) (*http.Response, error) {
	s.header = request.Header
	return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
}

func look(path string) (string, error) {
	rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: path}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return "", err
	}
	server, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return "", err
	}
	secure, err := rest.TLSConfigFor(config)
	if err != nil {
		return "", err
	}
	options, err := config.TransportConfig()
	if err != nil {
		return "", err
	}
	to := &sink{}
	wrapped, err := transport.HTTPWrappersForConfig(options, to)
	if err != nil {
		return "", err
	}
	request, err := http.NewRequest("GET", server.String(), nil)
	if err != nil {
		return "", err
	}
	if _, err := wrapped.RoundTrip(request); err != nil {
		return "", err
	}
	said := []string{server.String()}
	if header := to.header.Get("Authorization"); header != "" {
		if strings.ContainsAny(header, "\r\n") {
			return "", fmt.Errorf("net/http sends no such header: %q", header)
		}
		said = append(said, "authorization="+header)
	}
	if secure != nil {
		if secure.RootCAs != nil {
			//lint:ignore SA1019 only counted
			said = append(said, fmt.Sprintf("roots=%d", len(secure.RootCAs.Subjects())))
		}
		if secure.ServerName != "" {
			said = append(said, "name="+secure.ServerName)
		}
		if secure.InsecureSkipVerify {
			said = append(said, "unverified")
		}
		if secure.GetClientCertificate != nil {
			certificate, err := secure.GetClientCertificate(&tls.CertificateRequestInfo{})
			if err != nil {
				return "", err
			}
			if len(certificate.Certificate) > 0 {
				said = append(said, fmt.Sprintf("certificates=%d", len(certificate.Certificate)))
			}
		}
	}
	return strings.Join(said, " "), nil
}

func main() {
	paths, err := filepath.Glob(filepath.Join(os.Args[1], "*.yaml"))
	if err != nil {
		panic(err)
	}
	sort.Strings(paths)
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		said, err := look(path)
		if err != nil {
			fmt.Printf("%s\tno\n", name)
			if len(os.Args) > 2 {
				fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			}
			continue
		}
		fmt.Printf("%s\tyes\t%s\n", name, said)
	}
}
