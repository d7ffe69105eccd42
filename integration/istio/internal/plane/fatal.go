package plane

import (
	"fmt"
	"os"
)

// fatal is what Istio's test server reports to. Outside a test there is nothing to fail but the program.
type fatal struct{}

func (fatal) Fatal(args ...any) {
	fmt.Fprintln(os.Stderr, append([]any{"The control plane cannot go on:"}, args...)...)
	os.Exit(1)
}

func (f fatal) Fatalf(format string, args ...any) { f.Fatal(fmt.Sprintf(format, args...)) }
func (f fatal) Fail()                             { f.Fatal("it failed") }
func (f fatal) FailNow()                          { f.Fatal("it failed") }
func (f fatal) Skip(args ...any)                  { f.Fatal(args...) }
func (fatal) Log(args ...any)                     { fmt.Fprintln(os.Stderr, args...) }
func (fatal) Logf(format string, args ...any)     { fmt.Fprintf(os.Stderr, format+"\n", args...) }
func (fatal) Helper()                             {}

// Cleanup has nothing to do: what is cleaned up ends with the program.
func (fatal) Cleanup(func()) {}

func (f fatal) TempDir() string {
	folder, err := os.MkdirTemp("", "istiod-")
	if err != nil {
		f.Fatal(err)
	}
	return folder
}
