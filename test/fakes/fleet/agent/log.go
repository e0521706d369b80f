package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// logOrbit writes a line as orbit's console logger does: time, level, message, then fields.
func logOrbit(level, message string, err error) {
	line := time.Now().UTC().Format(time.RFC3339Nano) + " " + level + " " + message
	if err != nil {
		line += " error=" + quoteIfNeeded(err.Error())
	}
	fmt.Fprintln(os.Stderr, line)
}

// logOsquery writes a line as osqueryd (glog) does: level and date, process, source line, message.
func logOsquery(level, source, message string) {
	stamp := time.Now().Format("0102 15:04:05.000000")
	fmt.Fprintf(os.Stderr, "%s%s %d %s] %s\n", level, stamp, os.Getpid(), source, message)
}

func quoteIfNeeded(text string) string {
	if strings.ContainsAny(text, " \"\n") {
		return strconv.Quote(text)
	}
	return text
}
