package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

const answerLimit = 4 << 20

var (
	errUnauthenticated     = errors.New("unauthenticated, or invalid token")
	errEndUserAuthRequired = errors.New("end user authentication required")
	errNotFound            = errors.New("The resource was not found")
)

// unreachableError is a fault that time may mend: nothing answered, or a server said that it is not well.
type unreachableError struct{ cause error }

func (e *unreachableError) Error() string { return e.cause.Error() }
func (e *unreachableError) Unwrap() error { return e.cause }

// fleetClient sends JSON to one server, trusting one set of roots.
type fleetClient struct {
	base string
	http *http.Client
}

// newClient trusts the PEM file at rootsPath and nothing else, or the operating system's store where it is empty.
// proxy chooses the way out: orbit asks the environment, osqueryd does not.
func newClient(base, rootsPath string, proxy func(*http.Request) (*url.URL, error)) (*fleetClient, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if rootsPath != "" {
		pem, err := os.ReadFile(rootsPath)
		if err != nil {
			return nil, fmt.Errorf("reading root CA: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("failed to add certificates to root CA pool")
		}
	}
	transport := &http.Transport{Proxy: proxy, TLSClientConfig: config, ForceAttemptHTTP2: true}
	return &fleetClient{
		base: strings.TrimRight(base, "/"),
		http: &http.Client{Transport: transport, Timeout: 2 * time.Minute},
	}, nil
}

// exchange sends one request and returns status and body. A fault of transport is an error, a refusal is not.
func (c *fleetClient) exchange(ctx context.Context, verb, path string, question any) (int, []byte, error) {
	var body io.Reader
	if question != nil {
		encoded, err := json.Marshal(question)
		if err != nil {
			return 0, nil, err
		}
		body = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, verb, c.base+path, body)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, answerLimit))
	return response.StatusCode, answer, err
}

// orbitRequest is exchange with orbit's reading of refusals: the texts of its errors are what its log shows.
func (c *fleetClient) orbitRequest(ctx context.Context, verb, path string, question, answer any) error {
	status, body, err := c.exchange(ctx, verb, path, question)
	if err != nil {
		return &unreachableError{fmt.Errorf("%s %s: %w", verb, path, err)}
	}
	switch {
	case status == http.StatusNotFound:
		return errNotFound
	case status == http.StatusUnauthorized && bytes.Contains(body, []byte("END_USER_AUTH_REQUIRED")):
		return errEndUserAuthRequired
	case status == http.StatusUnauthorized:
		return errUnauthenticated
	case status >= 500:
		return &unreachableError{fmt.Errorf("%s %s received status %d %s", verb, path, status, serverText(body))}
	case status < 200 || status > 299:
		return fmt.Errorf("%s %s received status %d %s", verb, path, status, serverText(body))
	}
	if answer == nil || status == http.StatusNoContent {
		return nil
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return fmt.Errorf("%s %s: decode response: %w", verb, path, err)
	}
	return nil
}

func serverText(body []byte) string {
	var refusal struct {
		Message string
		Errors  []struct{ Name, Reason string }
	}
	if json.Unmarshal(body, &refusal) != nil {
		return "unknown"
	}
	text := refusal.Message
	for _, e := range refusal.Errors {
		text += ": " + e.Reason
	}
	return text
}
