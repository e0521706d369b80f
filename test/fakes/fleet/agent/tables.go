package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

const detailPrefix = "fleet_detail_query_"

// answer gives each query its rows. The stand-in has no SQL engine: it knows Fleet's detail queries by their names and
// says of all others that their table is not there, which is what osquery says on a platform that lacks one.
func (d *osqueryd) answer(queries map[string]string) map[string]any {
	rows, statuses, messages := map[string]any{}, map[string]int{}, map[string]string{}
	for name := range queries {
		row := d.row(strings.TrimPrefix(name, detailPrefix))
		if row == nil {
			rows[name], statuses[name] = []any{}, 1
			messages[name] = "no such table"
			continue
		}
		rows[name], statuses[name] = []map[string]string{row}, 0
	}
	return map[string]any{"queries": rows, "statuses": statuses, "messages": messages}
}

func (d *osqueryd) row(table string) map[string]string {
	switch table {
	case "system_info":
		return d.systemInfoRow()
	case "osquery_info":
		return d.osqueryInfoRow()
	case "os_version":
		return d.osVersionRow()
	case "orbit_info":
		return map[string]string{"version": orbitVersion, "enrolled": "1", "uptime": d.uptime()}
	case "uptime":
		return uptimeRow()
	default:
		return nil
	}
}

func (d *osqueryd) systemInfoRow() map[string]string {
	return map[string]string{
		"uuid":            d.hardware.UUID,
		"hardware_serial": d.hardware.Serial,
		"hardware_model":  d.hardware.Model,
		"hardware_vendor": d.hardware.Vendor,
		"hostname":        d.hardware.Hostname,
		"computer_name":   d.hardware.Hostname,
	}
}

func (d *osqueryd) osqueryInfoRow() map[string]string {
	return map[string]string{
		"version":        osqueryVersion,
		"pid":            strconv.Itoa(os.Getpid()),
		"uuid":           d.hardware.UUID,
		"build_platform": "linux",
		"start_time":     strconv.FormatInt(d.started.Unix(), 10),
	}
}

func (d *osqueryd) osVersionRow() map[string]string {
	return map[string]string{
		"name":          d.hardware.OSName,
		"version":       d.hardware.OSVersion,
		"platform":      d.hardware.Platform,
		"platform_like": d.hardware.Like,
	}
}

func (d *osqueryd) uptime() string {
	return strconv.Itoa(int(time.Since(d.started).Seconds()))
}

func uptimeRow() map[string]string {
	var seconds float64
	if text, err := os.ReadFile("/proc/uptime"); err == nil {
		_, _ = fmt.Sscanf(string(text), "%f", &seconds)
	}
	return map[string]string{"total_seconds": strconv.Itoa(int(seconds))}
}
