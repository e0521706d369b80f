package main

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
)

const dmiDir = "/sys/class/dmi/id"

// hardware is what the agent tells of the machine it runs on.
type hardware struct {
	UUID, Serial, Model, Vendor, Hostname string
	OSName, OSVersion, Platform, Like     string
}

func readHardware() hardware {
	release := readOSRelease()
	hostname, _ := os.Hostname()
	return hardware{
		UUID:      readDMI("product_uuid"),
		Serial:    readDMI("product_serial"),
		Model:     readDMI("product_name"),
		Vendor:    readDMI("sys_vendor"),
		Hostname:  hostname,
		OSName:    release["NAME"],
		OSVersion: release["VERSION"],
		Platform:  release["ID"],
		Like:      firstWord(release["ID_LIKE"], release["ID"]),
	}
}

func readDMI(name string) string {
	text, err := os.ReadFile(filepath.Join(dmiDir, name))
	if err != nil {
		return ""
	}
	return strings.TrimRight(string(text), " \n") // osquery leaves the beginning as it is
}

func readOSRelease() map[string]string {
	values := map[string]string{}
	file, err := os.Open("/etc/os-release")
	if err != nil {
		return values
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if name, value, found := strings.Cut(lines.Text(), "="); found {
			values[name] = strings.Trim(value, `"'`)
		}
	}
	return values
}

func firstWord(text, fallback string) string {
	if words := strings.Fields(text); len(words) > 0 {
		return words[0]
	}
	return fallback
}
