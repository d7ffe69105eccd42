// Package secrets hands out what Istio's agent hands its proxy: a certificate of its workload and the root that others are held to.
//
// Without it mutual TLS cannot be tried: istiod sends an Envoy listeners and clusters that ask for secrets, and an Envoy that is not
// answered waits for ever and says nothing. The authority lives as long as the program, and no key of it leaves memory.
package secrets

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"time"
)

const (
	valid = 24 * time.Hour
	// Clocks of one machine agree, but a certificate is not to be younger than who looks at it.
	since = -time.Minute
)

// Authority signs the certificates of a mesh. Clusters trust each other because they have one.
type Authority struct {
	trustDomain string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// Certificate is a workload's, with its key, as PEM.
type Certificate struct{ Chain, Key []byte }

// NewAuthority makes one for a trust domain.
func NewAuthority(trustDomain string) (*Authority, error) {
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "Root of " + trustDomain},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	certificate, err := sign(template, template, key, key)
	if err != nil {
		return nil, err
	}
	return &Authority{trustDomain: trustDomain, certificate: certificate, key: key}, nil
}

// Root is what certificates are held to, as PEM.
func (a *Authority) Root() []byte { return pemOf("CERTIFICATE", a.certificate.Raw) }

// Issue gives a workload its certificate: its name is its service account, as everywhere in Istio.
func (a *Authority) Issue(namespace, serviceAccount string) (Certificate, error) {
	if namespace == "" || serviceAccount == "" {
		return Certificate{}, fmt.Errorf("the node does not say its NAMESPACE and SERVICE_ACCOUNT, so it has no name")
	}
	name := &url.URL{Scheme: "spiffe", Host: a.trustDomain, Path: "/ns/" + namespace + "/sa/" + serviceAccount}
	template := &x509.Certificate{
		URIs:        []*url.URL{name},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Certificate{}, err
	}
	certificate, err := sign(template, a.certificate, key, a.key)
	if err != nil {
		return Certificate{}, err
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Certificate{}, err
	}
	chain := append(pemOf("CERTIFICATE", certificate.Raw), a.Root()...)
	return Certificate{Chain: chain, Key: pemOf("PRIVATE KEY", encoded)}, nil
}

func sign(template, parent *x509.Certificate, own, signer *ecdsa.PrivateKey) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.NotBefore, template.NotAfter = time.Now().Add(since), time.Now().Add(valid)
	encoded, err := x509.CreateCertificate(rand.Reader, template, parent, &own.PublicKey, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(encoded)
}

func pemOf(kind string, bytes []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes})
}
