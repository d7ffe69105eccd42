package cluster

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// files are what an API server needs on disk, made anew for each: nothing of it is worth keeping or stealing.
type files struct {
	address, token                        string
	certificate, key, accountKey, granted string
}

// prepare writes them into a folder, with the token of who may do everything.
func prepare(folder, address string) (files, error) {
	secret := make([]byte, 16)
	if _, err := rand.Read(secret); err != nil {
		return files{}, err
	}
	at := func(name string) string { return filepath.Join(folder, name) }
	made := files{address, hex.EncodeToString(secret), at("tls.crt"), at("tls.key"), at("account.key"), at("tokens.csv")}
	certificate, key, err := cert.GenerateSelfSignedCertKey("127.0.0.1", nil, []string{"localhost"})
	if err != nil {
		return files{}, err
	}
	account, err := keyutil.MakeEllipticPrivateKeyPEM()
	if err != nil {
		return files{}, err
	}
	for name, text := range map[string][]byte{
		made.certificate: certificate, made.key: key, made.accountKey: account,
		made.granted: []byte(made.token + ",admin,admin,system:masters\n"),
		at("token"):  []byte(made.token),
	} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			return files{}, err
		}
	}
	// Last: who finds it may read all of the others.
	return made, os.WriteFile(at("address"), []byte(address), 0o600)
}

// admin is how to reach the server as who may do everything.
func (f files) admin() *rest.Config {
	return &rest.Config{Host: "https://" + f.address, BearerToken: f.token, TLSClientConfig: rest.TLSClientConfig{CAFile: f.certificate}}
}

// arguments are the server's own: as a cluster has them, where they matter to who installs.
func (f files) arguments() []string {
	return []string{
		"--authorization-mode=RBAC",
		"--token-auth-file=" + f.granted,
		"--tls-cert-file=" + f.certificate,
		"--tls-private-key-file=" + f.key,
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + f.accountKey,
		"--service-account-signing-key-file=" + f.accountKey,
		"--service-cluster-ip-range=10.96.0.0/16",
		// Of a namespace without controllers nobody makes the account that pods have.
		"--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
		"--kubelet-preferred-address-types=InternalIP",
		"--anonymous-auth=false",
		"--v=0",
	}
}
