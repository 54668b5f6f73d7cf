package main

import (
	"strings"
	"unicode/utf8"
)

// fitted cuts text to the width and height of a terminal and gives it with \r\n and the number of lines. Escape sequences have
// no width; a line that is cut ends its colour.
func fitted(text string, width, height int) (string, int) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) > height && height > 0 {
		lines = lines[:height]
	}
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(cut(l, width))
		b.WriteString("\x1b[K\r\n")
	}
	return b.String(), len(lines)
}

// cut is the first width columns of a line.
func cut(line string, width int) string {
	columns := 0
	for i := 0; i < len(line); {
		if line[i] == '\x1b' {
			if end := strings.IndexByte(line[i:], 'm'); end > 0 {
				i += end + 1
				continue
			}
		}
		if columns == width {
			return line[:i] + "\x1b[0m"
		}
		_, n := utf8.DecodeRuneInString(line[i:])
		columns++
		i += n
	}
	return line
}
