// Command istiod serves the xDS that the control plane in one cluster of a mesh would serve, with no Kubernetes under it.
//
// The mesh is a folder (see the package documentation of meridian/integration/istio). It prints one line of JSON when it serves, with
// the addresses it listens on, and ends when its parent does.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"meridian/integration/istio/internal/lifetime"
	"meridian/integration/istio/internal/plane"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	folder := flag.String("mesh", "", "the folder of the mesh")
	own := flag.String("cluster", "primary", "the cluster that this control plane sits in")
	ads := flag.String("ads", "127.0.0.1:0", "where proxies ask, over plain gRPC")
	control := flag.String("control", "127.0.0.1:0", "where the mesh is changed, over HTTP")
	debounce := flag.Duration("debounce", 20*time.Millisecond, "how long changes are collected before they are pushed")
	flag.Parse()
	if *folder == "" || flag.NArg() > 0 {
		return fmt.Errorf("say which mesh to serve: istiod -mesh FOLDER (and see istiod -help)")
	}
	adsListener, err := listen(*ads)
	if err != nil {
		return err
	}
	controlListener, err := listen(*control)
	if err != nil {
		return err
	}
	mesh, err := plane.Start(plane.Options{Folder: *folder, Cluster: *own, Listener: adsListener, Debounce: *debounce})
	if err != nil {
		return err
	}
	go func() {
		err := http.Serve(controlListener, mesh.Control())
		fmt.Fprintln(os.Stderr, "The control interface ended:", err)
		os.Exit(1)
	}()
	ready := map[string]string{"ads": adsListener.Addr().String(), "control": controlListener.Addr().String()}
	if err := json.NewEncoder(os.Stdout).Encode(ready); err != nil {
		return err
	}
	lifetime.Wait()
	return nil
}

func listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be listened on: %w", address, err)
	}
	return listener, nil
}
