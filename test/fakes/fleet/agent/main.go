// Command orbit is a stand-in for Fleet's agent: orbit, and osqueryd when called by that name. It is for tests only. It
// speaks both planes to a Fleet server, from the paths, the unit and the environment that the real package uses.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

const (
	orbitVersion   = "1.48.0"
	osqueryVersion = "5.18.1"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if filepath.Base(os.Args[0]) == "osqueryd" {
		os.Exit(runOsqueryd(ctx, os.Args[1:]))
	}
	if len(os.Args) > 1 && (os.Args[1] == "version" || os.Args[1] == "--version") {
		fmt.Println("orbit " + orbitVersion)
		return
	}
	if len(os.Args) > 1 {
		// Not the service by mistake: a sub-command that this stand-in lacks must be seen to be lacking.
		fmt.Fprintf(os.Stderr, "No help topic for '%s'\n", os.Args[1])
		os.Exit(3)
	}
	os.Exit(runOrbit(ctx))
}
