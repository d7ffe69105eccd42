// Command record writes down what a control plane tells a proxy: listeners, routes, clusters, endpoints and extensions, as canonical
// JSON on standard output.
//
//	record -node node.json -mesh FOLDER [-cluster ID]     what the control plane of a mesh in a folder would say
//	record -node node.json -ads HOST:PORT                 what one that runs says, a real istiod's plain port included
//
// node.json is the `node` of an Envoy's bootstrap, or a whole bootstrap.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/encoding/protojson"

	"meridian/integration/istio/internal/plane"
	"meridian/integration/istio/internal/xdsclient"
)

const patience = 30 * time.Second

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	nodeFile := flag.String("node", "", "the proxy, as JSON")
	ads := flag.String("ads", "", "a control plane that runs")
	folder := flag.String("mesh", "", "the folder of a mesh")
	own := flag.String("cluster", "primary", "the cluster that the control plane of that mesh sits in")
	flag.Parse()
	if *nodeFile == "" || (*ads == "") == (*folder == "") || flag.NArg() > 0 {
		return fmt.Errorf("say who asks, and whom: record -node FILE, and either -mesh FOLDER or -ads HOST:PORT")
	}
	node, err := readNode(*nodeFile)
	if err != nil {
		return fmt.Errorf("%s: %w", *nodeFile, err)
	}
	if *folder != "" {
		if *ads, err = serve(*folder, *own); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client, err := xdsclient.Dial(ctx, *ads, node)
	if err != nil {
		return err
	}
	defer client.Close()
	record, err := client.Record()
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", " ")
	out.SetEscapeHTML(false)
	return out.Encode(record)
}

func readNode(file string) (*core.Node, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var bootstrap struct {
		Node json.RawMessage `json:"node"`
	}
	if err := json.Unmarshal(text, &bootstrap); err != nil {
		return nil, err
	}
	if bootstrap.Node != nil {
		text = bootstrap.Node
	}
	node := &core.Node{}
	return node, protojson.Unmarshal(text, node)
}

func serve(folder, own string) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, err = plane.Start(plane.Options{Folder: folder, Cluster: own, Listener: listener})
	return listener.Addr().String(), err
}
