// Package xdsclient asks a control plane what an Envoy would ask, and reads all of the answer.
package xdsclient

import (
	"context"
	"fmt"
	"sort"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/anypb"
)

// What Envoy calls the kinds of resources.
const (
	Listeners  = "type.googleapis.com/envoy.config.listener.v3.Listener"
	Routes     = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
	Clusters   = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
	Endpoints  = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
	Extensions = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"
)

// largest is the size of an answer that is still read; Envoy has no limit of its own.
const largest = 256 << 20

// Client is one proxy's stream.
type Client struct {
	connection *grpc.ClientConn
	stream     discovery.AggregatedDiscoveryService_StreamAggregatedResourcesClient
	node       *core.Node
}

// Dial opens the stream of the proxy that `node` says.
func Dial(ctx context.Context, address string, node *core.Node) (*Client, error) {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(largest)))
	if err != nil {
		return nil, err
	}
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(connection).StreamAggregatedResources(ctx)
	if err != nil {
		return nil, fmt.Errorf("the control plane at %s does not answer: %w", address, err)
	}
	return &Client{connection, stream, node}, nil
}

// Close ends the stream.
func (c *Client) Close() error { return c.connection.Close() }

// Ask is answered with every resource of a kind that has one of `names`, or with all of them where a proxy asks for all (no names).
func (c *Client) Ask(kind string, names []string) ([]*anypb.Any, error) {
	sort.Strings(names)
	request := &discovery.DiscoveryRequest{Node: c.node, TypeUrl: kind, ResourceNames: names}
	if err := c.stream.Send(request); err != nil {
		return nil, err
	}
	for {
		answer, err := c.stream.Recv()
		if err != nil {
			return nil, fmt.Errorf("the control plane ended the stream: %w", err)
		}
		// A push of something that was asked for before.
		if answer.TypeUrl != kind {
			continue
		}
		acknowledged := &discovery.DiscoveryRequest{
			TypeUrl: kind, ResourceNames: names, VersionInfo: answer.VersionInfo, ResponseNonce: answer.Nonce,
		}
		return answer.Resources, c.stream.Send(acknowledged)
	}
}
