// Command apiserver is a Kubernetes API server with an etcd of its own, or kubectl when it is called by that name.
//
// One program, because both are made of the same packages and linking them a second time would cost more than all the rest.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"

	"meridian/integration/apiserver/internal/cluster"
)

func main() {
	if filepath.Base(os.Args[0]) == "kubectl" {
		if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
			util.CheckErr(err)
		}
		return
	}
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "give the folder of the cluster and nothing else")
		os.Exit(2)
	}
	if err := cluster.Run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
