package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	scriptRequestPath = "/api/fleet/orbit/scripts/request"
	scriptResultPath  = "/api/fleet/orbit/scripts/result"

	scriptsDisabledExitCode = -2
	scriptTimeout           = 5 * time.Minute
)

// runScript fetches one pending script, runs it where scripts are allowed, and reports how it ended. Locking and
// wiping a Linux host are such scripts.
func (o *orbit) runScript(ctx context.Context, id string) error {
	var script struct {
		Contents string `json:"script_contents"`
		ExitCode *int   `json:"exit_code"`
	}
	if err := o.authenticated(ctx, scriptRequestPath, map[string]any{"execution_id": id}, &script); err != nil {
		return fmt.Errorf("get host script: %w", err)
	}
	if script.ExitCode != nil {
		return nil
	}
	started := time.Now()
	exitCode, output := scriptsDisabledExitCode, "Scripts are disabled"
	if o.scriptsEnabled {
		var err error
		if exitCode, output, err = executeScript(ctx, script.Contents); err != nil {
			return fmt.Errorf("run script %s: %w", id, err)
		}
	}
	return o.authenticated(ctx, scriptResultPath, map[string]any{
		"execution_id": id,
		"exit_code":    exitCode,
		"output":       output,
		"runtime":      int(time.Since(started).Seconds()),
	}, nil)
}

func executeScript(ctx context.Context, contents string) (int, string, error) {
	dir, err := os.MkdirTemp("", "fleet-")
	if err != nil {
		return 0, "", err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "script.sh")
	if err := os.WriteFile(path, []byte(contents), 0o700); err != nil {
		return 0, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, scriptTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, "/bin/sh", path)
	// The service's environment holds the enroll secret; a script has no need of it.
	command.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	output, err := command.CombinedOutput()
	if command.ProcessState == nil {
		return 0, "", err
	}
	return command.ProcessState.ExitCode(), string(output), nil
}
