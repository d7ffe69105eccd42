package secrets

import (
	"fmt"
	"os"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tls "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secret "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/anypb"
)

// root is what Istio calls the secret that others are held to; every other name is the workload's own certificate.
const root = "ROOTCA"

// server answers Envoys, each for the workload that its node says it is. It believes them: this is a test, and they are its own.
type server struct {
	secret.UnimplementedSecretDiscoveryServiceServer
	authority *Authority
}

// Register makes a gRPC server answer for an authority.
func Register(grpc *grpc.Server, authority *Authority) {
	secret.RegisterSecretDiscoveryServiceServer(grpc, &server{authority: authority})
}

// StreamSecrets sends each secret once: none changes while a mesh of a test runs.
func (s *server) StreamSecrets(stream secret.SecretDiscoveryService_StreamSecretsServer) error {
	var node *core.Node
	sent := map[string]bool{}
	for {
		request, err := stream.Recv()
		if err != nil {
			return err
		}
		if request.Node != nil {
			node = request.Node
		}
		if request.ErrorDetail != nil {
			fmt.Fprintf(os.Stderr, "%s refused its secret: %s\n", node.GetId(), request.ErrorDetail.Message)
		}
		for _, name := range request.ResourceNames {
			if sent[name] {
				continue
			}
			sent[name] = true
			resource, err := s.secret(name, node)
			if err != nil {
				return fmt.Errorf("%s: %w", node.GetId(), err)
			}
			response := &discovery.DiscoveryResponse{VersionInfo: "1", Nonce: name, TypeUrl: request.TypeUrl, Resources: []*anypb.Any{resource}}
			if err := stream.Send(response); err != nil {
				return err
			}
		}
	}
}

func (s *server) secret(name string, node *core.Node) (*anypb.Any, error) {
	if name == root {
		trusted := &tls.CertificateValidationContext{TrustedCa: inline(s.authority.Root())}
		return anypb.New(&tls.Secret{Name: name, Type: &tls.Secret_ValidationContext{ValidationContext: trusted}})
	}
	metadata := node.GetMetadata().GetFields()
	issued, err := s.authority.Issue(metadata["NAMESPACE"].GetStringValue(), metadata["SERVICE_ACCOUNT"].GetStringValue())
	if err != nil {
		return nil, err
	}
	own := &tls.TlsCertificate{CertificateChain: inline(issued.Chain), PrivateKey: inline(issued.Key)}
	return anypb.New(&tls.Secret{Name: name, Type: &tls.Secret_TlsCertificate{TlsCertificate: own}})
}

func inline(bytes []byte) *core.DataSource {
	return &core.DataSource{Specifier: &core.DataSource_InlineBytes{InlineBytes: bytes}}
}
