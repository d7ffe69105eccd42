package secrets

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
)

func TestAWorkloadIsWhoItsServiceAccountSaysAndTheRootVouchesForIt(t *testing.T) {
	authority, err := NewAuthority("cluster.local")
	if err != nil {
		t.Fatal(err)
	}
	issued, err := authority.Issue("bookinfo", "default")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(issued.Chain, issued.Key)
	if err != nil {
		t.Fatal("the key is not the certificate's:", err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if len(leaf.URIs) != 1 || leaf.URIs[0].String() != "spiffe://cluster.local/ns/bookinfo/sa/default" {
		t.Error("its name is", leaf.URIs)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority.Root()) {
		t.Fatal("the root is not PEM")
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth} {
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{usage}}); err != nil {
			t.Error("the root does not vouch for it:", err)
		}
	}
}

func TestWhoDoesNotSayItsNameGetsNoCertificate(t *testing.T) {
	authority, err := NewAuthority("cluster.local")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := authority.Issue("bookinfo", ""); err == nil {
		t.Error("a certificate without a name was issued")
	}
}
