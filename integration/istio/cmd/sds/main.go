// Command sds gives proxies the certificates that Istio's agent would give them, over plain gRPC, from an authority that it makes when
// it starts. One serves a whole mesh: clusters trust each other because they have one root.
//
// It prints one line of JSON when it serves, with the address it listens on, and ends when its parent does.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"

	"google.golang.org/grpc"

	"meridian/integration/istio/internal/lifetime"
	"meridian/integration/istio/internal/secrets"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	address := flag.String("listen", "127.0.0.1:0", "where proxies ask, over plain gRPC")
	trustDomain := flag.String("trust-domain", "cluster.local", "the trust domain of the mesh")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("it takes no arguments (see sds -help)")
	}
	authority, err := secrets.NewAuthority(*trustDomain)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return fmt.Errorf("%s cannot be listened on: %w", *address, err)
	}
	server := grpc.NewServer()
	secrets.Register(server, authority)
	go func() {
		err := server.Serve(listener)
		fmt.Fprintln(os.Stderr, "The certificates ended:", err)
		os.Exit(1)
	}()
	if err := json.NewEncoder(os.Stdout).Encode(map[string]string{"sds": listener.Addr().String()}); err != nil {
		return err
	}
	lifetime.Wait()
	return nil
}
