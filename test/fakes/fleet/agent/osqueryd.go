package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	distributedInterval = 10 * time.Second
	// acceleratedInterval is osquery's own: while a server asks for haste, queries are fetched so often.
	acceleratedInterval = 5 * time.Second
	logInterval         = 10 * time.Second
	enrollRetryLimit    = 10 * time.Minute
)

var errNodeInvalid = errors.New("Request failed: Invalid node key")

type osqueryd struct {
	flags    map[string]string
	client   *fleetClient
	hardware hardware
	started  time.Time
	key      string
	// accelerateUntil is when a wish of the server's for haste ends.
	accelerateUntil time.Time
}

// runOsqueryd enrolls on the osquery plane for as long as it takes, then fetches and answers queries.
func runOsqueryd(ctx context.Context, arguments []string) int {
	flags := parseFlags(arguments)
	client, err := newClient("https://"+flags["tls_hostname"], flags["tls_server_certs"], proxyOf(flags))
	if err != nil {
		logOsquery("E", "tls.cpp:203", "Cannot read TLS server certificate(s): "+flags["tls_server_certs"])
		return 1
	}
	d := &osqueryd{flags: flags, client: client, hardware: readHardware(), started: time.Now()}
	if err := os.MkdirAll(flags["database_path"], 0o700); err != nil {
		logOsquery("E", "init.cpp:672", "osqueryd initialize failed: could not open RocksDB: "+err.Error())
		return 1
	}
	if stored, err := os.ReadFile(d.keyPath()); err == nil {
		d.key = string(stored)
	}
	for ctx.Err() == nil {
		if d.key == "" && !d.enrollUntilAccepted(ctx) {
			break
		}
		if err := d.serve(ctx); errors.Is(err, errNodeInvalid) {
			d.key = ""
			_ = os.Remove(d.keyPath())
		}
	}
	return 0
}

func (d *osqueryd) keyPath() string { return filepath.Join(d.flags["database_path"], "node_key") }

func (d *osqueryd) enrollUntilAccepted(ctx context.Context) bool {
	for step := time.Duration(1); ; step++ {
		err := d.enroll(ctx)
		if err == nil {
			return true
		}
		logOsquery("W", "tls_enroll.cpp:101", fmt.Sprintf("Failed enrollment request to https://%s%s (%s) retrying...",
			d.flags["tls_hostname"], d.flags["enroll_tls_endpoint"], err))
		select {
		case <-ctx.Done():
			return false
		case <-time.After(min(step*step*time.Second, enrollRetryLimit)):
		}
	}
}

func (d *osqueryd) enroll(ctx context.Context) error {
	identifier := d.hardware.UUID
	if d.flags["host_identifier"] == "instance" {
		var err error
		if identifier, err = instanceID(filepath.Dir(d.flags["database_path"])); err != nil {
			return err
		}
	}
	status, body, err := d.client.exchange(ctx, http.MethodPost, d.flags["enroll_tls_endpoint"], map[string]any{
		"enroll_secret":   os.Getenv(d.flags["enroll_secret_env"]),
		"host_identifier": identifier,
		"platform_type":   "9",
		"host_details": map[string]any{
			"os_version":    d.osVersionRow(),
			"osquery_info":  d.osqueryInfoRow(),
			"system_info":   d.systemInfoRow(),
			"platform_info": map[string]string{"vendor": d.hardware.Vendor},
		},
	})
	if err != nil {
		return requestError(err)
	}
	var answer struct {
		NodeKey string `json:"node_key"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return fmt.Errorf("Error parsing JSON: status %d", status)
	}
	if answer.NodeKey == "" {
		return errors.New("No node key returned from TLS enroll plugin")
	}
	if err := writePrivate(d.keyPath(), answer.NodeKey); err != nil {
		return err
	}
	d.key = answer.NodeKey
	return nil
}

// serve works with one node key, until that is refused or the process is told to stop.
func (d *osqueryd) serve(ctx context.Context) error {
	if _, err := d.ask(ctx, "config_tls_endpoint", map[string]any{}); err != nil {
		logOsquery("W", "tls_config.cpp:117", "Error reading config: "+err.Error())
		if errors.Is(err, errNodeInvalid) {
			return err
		}
	}
	lastLog := time.Time{}
	for {
		if err := d.distributed(ctx); err != nil && ctx.Err() == nil {
			logOsquery("E", "distributed.cpp:83", "Error reading/writing distributed queries: "+err.Error())
			if errors.Is(err, errNodeInvalid) {
				return err
			}
		}
		if time.Since(lastLog) >= logInterval {
			lastLog = time.Now()
			if _, err := d.ask(ctx, "logger_tls_endpoint", map[string]any{"log_type": "status", "data": []any{}}); err != nil && ctx.Err() == nil {
				logOsquery("W", "buffered.cpp:94", "Error sending status logs: "+err.Error())
			}
		}
		interval := distributedInterval
		if time.Now().Before(d.accelerateUntil) {
			interval = acceleratedInterval
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(interval):
		}
	}
}

// distributed fetches the waiting queries and answers them. The first call comes right after the enrollment, so that
// the host's details are there within the same second.
func (d *osqueryd) distributed(ctx context.Context) error {
	body, err := d.ask(ctx, "distributed_tls_read_endpoint", map[string]any{})
	if err != nil {
		return err
	}
	var work struct {
		Queries    map[string]string `json:"queries"`
		Discovery  map[string]string `json:"discovery"`
		Accelerate int               `json:"accelerate"`
	}
	if err := json.Unmarshal(body, &work); err != nil {
		return err
	}
	if work.Accelerate > 0 {
		d.accelerateUntil = time.Now().Add(time.Duration(work.Accelerate) * time.Second)
	}
	if len(work.Queries) == 0 {
		return nil
	}
	_, err = d.ask(ctx, "distributed_tls_write_endpoint", d.answer(work.Queries))
	return err
}

func (d *osqueryd) ask(ctx context.Context, endpointFlag string, question map[string]any) ([]byte, error) {
	question["node_key"] = d.key
	status, body, err := d.client.exchange(ctx, http.MethodPost, d.flags[endpointFlag], question)
	if err != nil {
		return nil, requestError(err)
	}
	var refusal struct {
		NodeInvalid bool   `json:"node_invalid"`
		Error       string `json:"error"`
	}
	if err := json.Unmarshal(body, &refusal); err != nil {
		return nil, fmt.Errorf("Error parsing JSON: status %d", status)
	}
	if refusal.NodeInvalid {
		return nil, fmt.Errorf("%w: %s", errNodeInvalid, refusal.Error)
	}
	if refusal.Error != "" {
		return nil, errors.New("Request failed: " + refusal.Error)
	}
	return body, nil
}

// requestError gives a fault of transport in osquery's words. It never says which certificate it did not trust.
func requestError(err error) error {
	if text := err.Error(); strings.Contains(text, "x509:") || strings.Contains(text, "tls:") {
		return errors.New("Request error: certificate verify failed")
	}
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return fmt.Errorf("Request error: %w", err)
}

func parseFlags(arguments []string) map[string]string {
	flags := map[string]string{}
	for _, argument := range arguments {
		name, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(argument), "--"), "=")
		if name == "flagfile" {
			if text, err := os.ReadFile(value); err == nil {
				for name, value := range parseFlags(strings.Split(string(text), "\n")) {
					flags[name] = value
				}
			}
			continue
		}
		if name != "" && !strings.HasPrefix(name, "#") {
			flags[name] = value
		}
	}
	return flags
}

// proxyOf is osquery's way: only the flag counts, the environment does not.
func proxyOf(flags map[string]string) func(*http.Request) (*url.URL, error) {
	proxy := flags["proxy_hostname"]
	if proxy == "" {
		return nil
	}
	return http.ProxyURL(&url.URL{Scheme: "http", Host: proxy})
}

// instanceID is the identity of an osquery database, for hosts that are not told apart by their hardware.
func instanceID(root string) (string, error) {
	path := filepath.Join(root, "osquery.db", "instance_id")
	if known, err := os.ReadFile(path); err == nil {
		return string(known), nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	id := randomUUID()
	return id, writePrivate(path, id)
}
