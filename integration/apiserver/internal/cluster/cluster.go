// Package cluster runs a control plane that is only an API server: real admission, real authorization by RBAC, real validation of custom
// resources, real field management. There is no controller and no scheduler, so what they would make is made by who tests; the one kubelet
// is ours, because a proxy can only be asked through one.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"

	"github.com/spf13/pflag"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/rest"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"

	"meridian/integration/apiserver/internal/kubelet"
	"meridian/integration/apiserver/internal/store"
)

// Run runs a cluster in a folder until it is told to stop. Who may do everything in it finds the token and the certificate there, and its
// address in the file `address` as soon as it listens.
func Run(folder string) error {
	etcd, err := store.Start(folder)
	if err != nil {
		return fmt.Errorf("etcd does not start: %w", err)
	}
	defer etcd.Close()
	// A port that the system chose is nobody else's, as long as it is kept.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	files, err := prepare(folder, listener.Addr().String())
	if err != nil {
		return err
	}
	ctx := genericapiserver.SetupSignalContext()
	if err := kubelet.Start(ctx, files.admin(), files.certificate, files.key); err != nil {
		return fmt.Errorf("the kubelet does not start: %w", err)
	}
	return serve(ctx, listener, append(files.arguments(), "--etcd-servers="+etcd.Address, "--cert-dir="+filepath.Join(folder, "made")))
}

// serve does what the command kube-apiserver does, with a listener that is there already.
func serve(ctx context.Context, listener net.Listener, arguments []string) error {
	run := options.NewServerRunOptions()
	flags := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	for _, set := range run.Flags().FlagSets {
		flags.AddFlagSet(set)
	}
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	run.SecureServing.Listener = listener
	run.SecureServing.BindPort = listener.Addr().(*net.TCPAddr).Port
	if err := run.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return err
	}
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	completed, err := run.Complete(ctx)
	if err != nil {
		return err
	}
	if problems := completed.Validate(); len(problems) != 0 {
		return errors.Join(problems...)
	}
	return app.Run(ctx, completed)
}
