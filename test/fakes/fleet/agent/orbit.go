package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const (
	pingPath        = "/api/fleet/orbit/ping"
	enrollPath      = "/api/fleet/orbit/enroll"
	configPath      = "/api/fleet/orbit/config"
	deviceTokenPath = "/api/fleet/orbit/device_token"

	configInterval          = 30 * time.Second
	networkErrorLogInterval = 5 * time.Minute
)

// enrollRetries is what orbit waits between its six attempts, before it goes on without having enrolled.
var enrollRetries = []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second}

type orbit struct {
	root     string
	secret   string
	client   *fleetClient
	hardware hardware
	// osqueryIdentifier is empty where the hardware UUID identifies the host, which is the default.
	osqueryIdentifier string
	scriptsEnabled    bool

	lastNetworkErrorLogged time.Time
}

type orbitConfig struct {
	Notifications struct {
		PendingScriptExecutionIDs []string `json:"pending_script_execution_ids"`
	} `json:"notifications"`
}

// runOrbit is the service: it enrolls, starts osqueryd, and asks for its configuration until it is told to stop. It
// ends when osqueryd ends; systemd starts both again.
func runOrbit(ctx context.Context) int {
	root := envOr("ORBIT_ROOT_DIR", "/opt/orbit")
	fleetURL, certificate := os.Getenv("ORBIT_FLEET_URL"), os.Getenv("ORBIT_FLEET_CERTIFICATE")
	logOrbit("INF", "running orbit version="+orbitVersion, nil)
	if fleetURL == "" {
		// The generic package before it is configured: the service runs, and talks to nobody.
		logOrbit("INF", "fleet-url is not set, running without a Fleet server", nil)
		<-ctx.Done()
		return 0
	}
	if !strings.HasPrefix(fleetURL, "http") {
		fleetURL = "https://" + fleetURL
	}
	secret, err := enrollSecret()
	if err != nil {
		logOrbit("FTL", "read enroll secret", err)
		return 1
	}
	checkUpdates(ctx)
	client, err := newClient(fleetURL, certificate, http.ProxyFromEnvironment)
	if err != nil {
		logOrbit("FTL", "error new orbit client", err)
		return 1
	}
	machine := readHardware()
	if machine.UUID == "" {
		logOrbit("FTL", "run osqueryd", errors.New("getting system info: hardware UUID is empty"))
		return 1
	}
	o := &orbit{root: root, secret: secret, client: client, hardware: machine,
		scriptsEnabled: os.Getenv("ORBIT_ENABLE_SCRIPTS") == "true"}
	if os.Getenv("ORBIT_HOST_IDENTIFIER") == "instance" {
		if o.osqueryIdentifier, err = instanceID(root); err != nil {
			logOrbit("FTL", "read osquery instance id", err)
			return 1
		}
	}
	if err := client.orbitRequest(ctx, http.MethodHead, pingPath, nil, nil); err != nil {
		logOrbit("ERR", "pinging server", err)
	}
	if err := o.runConfigReceivers(ctx); err != nil {
		logOrbit("ERR", fmt.Sprintf("failed initial config fetch: %s", err), nil)
	}
	if os.Getenv("ORBIT_FLEET_DESKTOP") == "true" {
		if err := o.shareDeviceToken(ctx); err != nil {
			logOrbit("ERR", "error updating device token", err)
		}
	}
	if ctx.Err() != nil {
		return 0
	}
	return o.superviseOsqueryd(ctx, fleetURL, certificate)
}

func (o *orbit) superviseOsqueryd(ctx context.Context, fleetURL, certificate string) int {
	exited, err := startOsqueryd(ctx, o, fleetURL, certificate)
	if err != nil {
		logOrbit("FTL", "start osqueryd", err)
		return 1
	}
	ticker := time.NewTicker(configInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			<-exited
			logOrbit("INF", "interrupt signal received, exiting", nil)
			return 0
		case err := <-exited:
			if ctx.Err() != nil {
				return 0
			}
			logOrbit("ERR", "unexpected exit of osqueryd", err)
			return 1
		case <-ticker.C:
			if err := o.runConfigReceivers(ctx); err != nil && ctx.Err() == nil {
				logOrbit("ERR", "running config receivers", err)
			}
		}
	}
}

// runConfigReceivers fetches the configuration, enrolling first where there is no node key, and acts on it.
func (o *orbit) runConfigReceivers(ctx context.Context) error {
	var config orbitConfig
	for {
		err := o.authenticated(ctx, configPath, map[string]any{}, &config)
		if err == nil {
			break
		}
		// A server that is not to be reached is waited for, here, and osqueryd does not start before that: an enrolled
		// laptop without its tunnel is not seen again until at most this interval after the tunnel is back.
		var unreachable *unreachableError
		if !errors.As(err, &unreachable) {
			return fmt.Errorf("RunConfigReceivers get config: %w", err)
		}
		if time.Since(o.lastNetworkErrorLogged) >= networkErrorLogInterval {
			o.lastNetworkErrorLogged = time.Now()
			logOrbit("INF", "network error while fetching config", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(configInterval):
		}
	}
	for _, id := range config.Notifications.PendingScriptExecutionIDs {
		if err := o.runScript(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// authenticated sends a request with the node key. A key that the server does not know is thrown away, so that the
// next request enrolls again.
func (o *orbit) authenticated(ctx context.Context, path string, question map[string]any, answer any) error {
	key, err := o.nodeKey(ctx)
	if err != nil {
		return err
	}
	question["orbit_node_key"] = key
	err = o.client.orbitRequest(ctx, http.MethodPost, path, question, answer)
	if errors.Is(err, errUnauthenticated) {
		if err := os.Remove(o.nodeKeyPath()); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove orbit node key: %w", err)
		}
		logOrbit("INF", "deleted orbit node key file after receiving unauthenticated error", nil)
	}
	return err
}

func (o *orbit) nodeKeyPath() string { return filepath.Join(o.root, "secret-orbit-node-key.txt") }

func (o *orbit) nodeKey(ctx context.Context) (string, error) {
	known, err := os.ReadFile(o.nodeKeyPath())
	if err == nil {
		return string(known), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read orbit node key file: %w", err)
	}
	for attempt := 0; ; attempt++ {
		key, err := o.enroll(ctx)
		if err == nil {
			return key, nil
		}
		logOrbit("INF", "orbit enroll attempt failed", err)
		if errors.Is(err, errNotFound) || attempt == len(enrollRetries) {
			return "", fmt.Errorf("orbit node key enroll failed, attempts=%d", attempt+1)
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(enrollRetries[attempt]):
		}
	}
}

func (o *orbit) enroll(ctx context.Context) (string, error) {
	var answer struct {
		OrbitNodeKey string `json:"orbit_node_key"`
	}
	err := o.client.orbitRequest(ctx, http.MethodPost, enrollPath, map[string]string{
		"enroll_secret":      o.secret,
		"hardware_uuid":      o.hardware.UUID,
		"hardware_serial":    o.hardware.Serial,
		"hostname":           o.hardware.Hostname,
		"platform":           o.hardware.Platform,
		"platform_like":      o.hardware.Like,
		"osquery_identifier": o.osqueryIdentifier,
		"computer_name":      o.hardware.Hostname,
		"hardware_model":     o.hardware.Model,
	}, &answer)
	if err != nil {
		return "", err
	}
	if answer.OrbitNodeKey == "" {
		return "", errors.New("server answered without an orbit node key")
	}
	if err := writePrivate(o.nodeKeyPath(), answer.OrbitNodeKey); err != nil {
		return "", fmt.Errorf("write orbit node key file: %w", err)
	}
	return answer.OrbitNodeKey, nil
}

// shareDeviceToken makes the token by which the user's own page in Fleet is reached, and tells it to the server.
func (o *orbit) shareDeviceToken(ctx context.Context) error {
	path := filepath.Join(o.root, "identifier")
	token, err := os.ReadFile(path)
	if err != nil {
		token = []byte(randomUUID())
		if err := writePrivate(path, string(token)); err != nil {
			return err
		}
	}
	return o.authenticated(ctx, deviceTokenPath, map[string]any{"device_auth_token": string(token)}, nil)
}

// enrollSecret may be empty: an agent that is enrolled on both planes has no need of it any more.
func enrollSecret() (string, error) {
	secret, path := os.Getenv("ORBIT_ENROLL_SECRET"), os.Getenv("ORBIT_ENROLL_SECRET_PATH")
	if path == "" {
		return secret, nil
	}
	if secret != "" {
		return "", errors.New("enroll-secret and enroll-secret-path may not be specified together")
	}
	text, err := os.ReadFile(path)
	return strings.TrimSpace(string(text)), err
}

// checkUpdates is the first thing orbit does with updates on: it asks the update server for its metadata, and goes on
// with what it has where that cannot be reached.
func checkUpdates(ctx context.Context) {
	server := os.Getenv("ORBIT_UPDATE_URL")
	if server == "" || os.Getenv("ORBIT_DISABLE_UPDATES") == "true" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	client, err := newClient(server, os.Getenv("ORBIT_UPDATE_TLS_CERTIFICATE"), http.ProxyFromEnvironment)
	if err == nil {
		_, _, err = client.exchange(ctx, http.MethodGet, "/timestamp.json", nil)
	}
	if err != nil {
		logOrbit("INF", "update metadata. using saved metadata", fmt.Errorf("tuf: failed to download timestamp.json: %w", err))
	}
}

func platformDir() string {
	if runtime.GOARCH == "arm64" {
		return "linux-arm64"
	}
	return "linux"
}

func hostPort(fleetURL string) (string, error) {
	parsed, err := url.Parse(fleetURL)
	if err != nil || parsed.Host == "" {
		return "", fmt.Errorf("parse URL: %q is not a server", fleetURL)
	}
	return parsed.Host + strings.TrimRight(parsed.Path, "/"), nil
}

func envOr(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}

// writePrivate replaces a file in one step; nobody but root can read it at any moment.
func writePrivate(path, text string) error {
	temporary := path + ".new"
	if err := os.WriteFile(temporary, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

func randomUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
