// Package store is an etcd inside the program, which forgets everything when its folder is removed.
package store

import (
	"fmt"
	"net/url"
	"os"

	"go.etcd.io/etcd/server/v3/embed"
)

// Store is a running etcd.
type Store struct {
	// Address is where its clients find it.
	Address string
	etcd    *embed.Etcd
}

// Start starts an etcd that keeps its data in a folder and listens to sockets there: no port is taken, and nobody else can reach it. The
// folder becomes the program's own, because etcd takes the names of sockets only as if they were those of a machine.
func Start(folder string) (*Store, error) {
	if err := os.Chdir(folder); err != nil {
		return nil, err
	}
	config := embed.NewConfig()
	config.Dir = "etcd"
	config.LogLevel = "error"
	// Nobody needs the data after a power cut.
	config.UnsafeNoFsync = true
	clients := url.URL{Scheme: "unix", Host: "clients:0"}
	peers := url.URL{Scheme: "unix", Host: "peers:0"}
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{clients}, []url.URL{clients}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peers}, []url.URL{peers}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return nil, err
	}
	select {
	case <-etcd.Server.ReadyNotify():
		return &Store{Address: clients.String(), etcd: etcd}, nil
	case err := <-etcd.Err():
		etcd.Close()
		return nil, fmt.Errorf("it stops at once: %w", err)
	}
}

// Close stops it.
func (s *Store) Close() { s.etcd.Close() }
