// Package quiet keeps Istio's logging out of a program's answer.
package quiet

import (
	"fmt"

	"istio.io/istio/pkg/log"
)

// Logs sends what Istio logs to standard error, from `level` up; it would go to standard output.
func Logs(level log.Level) error {
	options := log.DefaultOptions()
	options.OutputPaths = []string{"stderr"}
	options.SetDefaultOutputLevel(log.OverrideScopeName, level)
	if err := log.Configure(options); err != nil {
		return fmt.Errorf("logging cannot be set up: %w", err)
	}
	return nil
}
