// Package kubelet is the node of a cluster that has none: it runs no container, and answers for every pod that is said to run on it.
//
// What is real is the way there: kubectl, the API server, its authorization of `pods/exec`, the streams. What answers at the end is a
// stand-in (see proxy.go), told by the same objects that a real proxy would be told by.
package kubelet

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	"k8s.io/utils/exec"
)

// Name is the node's.
const Name = "node"

// Patience is how long the server may take to answer, and one request to go on.
const patience = time.Minute

// Start listens, and registers the node as soon as the API server answers.
func Start(ctx context.Context, admin *rest.Config, certificate, key string) error {
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	core, err := kubernetes.NewForConfig(admin)
	if err != nil {
		return err
	}
	custom, err := dynamic.NewForConfig(admin)
	if err != nil {
		return err
	}
	node := &node{proxies: proxies{core: core, custom: custom}}
	// The streams are of HTTP/1.1.
	secure := tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}})
	server := &http.Server{Handler: node, ReadHeaderTimeout: patience}
	go func() { _ = server.Serve(secure) }()
	go register(ctx, core, int32(listener.Addr().(*net.TCPAddr).Port))
	return nil
}

// register makes the node, again and again until the API server has it.
func register(ctx context.Context, core kubernetes.Interface, port int32) {
	status := corev1.NodeStatus{
		Addresses:       []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}},
		DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: port}},
	}
	wanted := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: Name}, Status: status}
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		if _, err := core.CoreV1().Nodes().Create(ctx, wanted, metav1.CreateOptions{}); err == nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

type node struct{ proxies proxies }

// ServeHTTP answers /exec/NAMESPACE/POD/CONTAINER, the one thing that is asked.
func (n *node) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	parts := strings.Split(strings.Trim(request.URL.Path, "/"), "/")
	if len(parts) != 4 || parts[0] != "exec" {
		http.NotFound(answer, request)
		return
	}
	options, err := remotecommand.NewOptions(request)
	if err != nil {
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	pod := pod{n.proxies, parts[1], parts[2]}
	remotecommand.ServeExec(answer, request, pod, parts[2], "", parts[3], request.URL.Query()["command"], options,
		patience, patience, remotecommand.SupportedStreamingProtocols)
}

// pod is one of those that are said to run here.
type pod struct {
	proxies         proxies
	namespace, name string
}

// ExecInContainer implements remotecommand.Executor.
func (p pod) ExecInContainer(ctx context.Context, _, _, _ string, command []string, _ io.Reader, out, errors io.WriteCloser, _ bool,
	_ <-chan remotecommand.TerminalSize, _ time.Duration) error {
	said, err := p.run(ctx, command)
	if err != nil {
		_, _ = io.WriteString(errors, err.Error()+"\n")
		return exec.CodeExitError{Err: err, Code: 1}
	}
	_, err = io.WriteString(out, said)
	return err
}
