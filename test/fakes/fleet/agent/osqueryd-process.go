package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// secretVariable carries the enroll secret to osqueryd: an argument would be readable by everybody on the machine.
const secretVariable = "ENROLL_SECRET"

// startOsqueryd starts the child process and returns a channel that tells how it ended.
func startOsqueryd(ctx context.Context, o *orbit, fleetURL, certificate string) (<-chan error, error) {
	server, err := hostPort(fleetURL)
	if err != nil {
		return nil, err
	}
	identifier := "uuid"
	if o.osqueryIdentifier != "" {
		identifier = "instance"
	}
	flags := []string{
		"--pidfile=" + filepath.Join(o.root, "osquery.pid"),
		"--database_path=" + filepath.Join(o.root, "osquery.db"),
		"--host_identifier=" + identifier,
		"--tls_hostname=" + server,
		"--enroll_tls_endpoint=/api/v1/osquery/enroll",
		"--config_tls_endpoint=/api/v1/osquery/config",
		"--distributed_tls_read_endpoint=/api/v1/osquery/distributed/read",
		"--distributed_tls_write_endpoint=/api/v1/osquery/distributed/write",
		"--logger_tls_endpoint=/api/v1/osquery/log",
		"--enroll_secret_env=" + secretVariable,
		// Orbit without a certificate of its own leaves osqueryd with the public roots that the package brought: it
		// has no look at the operating system's store.
		"--tls_server_certs=" + firstOf(certificate, filepath.Join(o.root, "certs.pem")),
	}
	if flagfile := filepath.Join(o.root, "osquery.flags"); fileExists(flagfile) {
		flags = append(flags, "--flagfile="+flagfile)
	}
	child := exec.CommandContext(ctx, filepath.Join(o.root, "bin", "osqueryd", platformDir(), "stable", "osqueryd"), flags...)
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	// Nothing of orbit's own environment, so no proxy either.
	child.Env = []string{secretVariable + "=" + o.secret}
	child.Cancel = func() error { return child.Process.Signal(syscall.SIGTERM) }
	child.WaitDelay = 5 * time.Second
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := child.Start(); err != nil {
		return nil, err
	}
	exited := make(chan error, 1)
	go func() {
		err := child.Wait()
		if err == nil {
			err = errors.New("exit status 0")
		}
		exited <- err
	}()
	return exited, nil
}

func firstOf(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
