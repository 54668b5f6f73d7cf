package markup

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// checkBytes refuses what is not text of a sane size and returns it without byte order mark and with Unix line ends.
func (f *Format) checkBytes(data []byte) ([]byte, *Problem) {
	if len(data) > f.MaxBytes {
		return nil, &Problem{Message: fmt.Sprintf("the file has %d bytes, more than %d MiB", len(data), f.MaxBytes>>20),
			Remedy: f.Smaller}
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, &Problem{Message: "the file is UTF-16", Remedy: "save it as UTF-8"}
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	if marks := countMarks(data); marks > f.MaxMarks {
		return nil, &Problem{Message: fmt.Sprintf("the file has %d characters of structure, more than %d", marks, f.MaxMarks),
			Remedy: f.Smaller}
	}
	line := 0
	for text := range bytes.Lines(data) {
		line++
		if p := checkLine(text); p != nil {
			p.Line = line
			return nil, p
		}
	}
	return data, nil
}

// countMarks counts the characters that may begin a token of YAML.
func countMarks(data []byte) int {
	n := 0
	for _, c := range []byte("\n\"'&*-:,[]{}#!?|>%@`") {
		n += bytes.Count(data, []byte{c})
	}
	return n
}

// checkLine refuses bytes that no text needs; the Problem has a column and no line.
func checkLine(line []byte) *Problem {
	indent := line[:len(line)-len(bytes.TrimLeft(line, " \t"))]
	content := bytes.TrimSpace(line[len(indent):])
	if tab := bytes.IndexByte(indent, '\t'); tab >= 0 && len(content) > 0 && content[0] != '#' {
		return &Problem{Column: tab + 1, Message: "a tab is used for indentation", Remedy: "use spaces"}
	}
	column := 0
	for rest := line; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		column++
		switch {
		case r == utf8.RuneError && size == 1:
			return &Problem{Column: column, Message: fmt.Sprintf("the byte 0x%02X is not UTF-8", rest[0]), Remedy: "save the file as UTF-8"}
		case r == '\r':
			return &Problem{Column: column, Message: "a carriage return without line feed", Remedy: "save the file with Unix (LF) or Windows (CRLF) line ends"}
		case r < ' ' && r != '\t' && r != '\n', r == 0x7f:
			return &Problem{Column: column, Message: fmt.Sprintf("the control character 0x%02X is not allowed", r), Remedy: "remove it"}
		}
		rest = rest[size:]
	}
	return nil
}
