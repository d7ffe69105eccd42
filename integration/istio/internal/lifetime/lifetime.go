// Package lifetime ends a program with the one that started it.
//
// A server that outlives its test keeps an address and 100 MiB, and the next run talks to yesterday's mesh. Not every way to start a
// program ties the two together, so the program looks for itself.
package lifetime

import (
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const look = 250 * time.Millisecond

// Wait returns when the program should end: it was asked to, its parent is gone, or its standard input, if that is a pipe, has ended.
func Wait() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGINT, syscall.SIGTERM)
	orphaned := time.NewTicker(look)
	defer orphaned.Stop()
	parent, ended := os.Getppid(), inputEnds()
	for {
		select {
		case <-asked:
			return
		case <-ended:
			return
		case <-orphaned.C:
			if os.Getppid() != parent {
				return
			}
		}
	}
}

// inputEnds never fires unless standard input is a pipe: `/dev/null` and a terminal say nothing about who is there.
func inputEnds() <-chan struct{} {
	ended := make(chan struct{})
	if info, err := os.Stdin.Stat(); err == nil && info.Mode()&os.ModeNamedPipe != 0 {
		go func() {
			defer close(ended)
			// Whatever ends the reading, nobody will write any more.
			_, _ = io.Copy(io.Discard, os.Stdin)
		}()
	}
	return ended
}
