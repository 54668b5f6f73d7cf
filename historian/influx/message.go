package influx

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxMessage bounds what is kept of a server's words: enough for a line of line protocol and what is wrong with it.
const maxMessage = 1024

// message is what an answer says of itself.
type message struct {
	text    string // the server's words, raw
	code    string // 2.x: machine-readable code
	html    bool   // a page for people: not an InfluxDB speaks, but something in front of it
	influx  bool   // headers or body are those of an InfluxDB
	dropped int    // lines that the server says it refused, -1 when it gives no number
}

// errorBody is the union of the error bodies of 1.x ({"error"}), 2.x ({"code","message"}) and 3 ({"error","data"}).
type errorBody struct {
	Error   *string         `json:"error"`
	Code    string          `json:"code"`
	Message *string         `json:"message"`
	Data    json.RawMessage `json:"data"`
}

// rejectedLine is how InfluxDB 3 names a line that it refused.
type rejectedLine struct {
	Line   int    `json:"line_number"`
	Reason string `json:"error_message"`
}

// maxNamedLines is how many refused lines InfluxDB 3 names; there may be more.
const maxNamedLines = 100

// readMessage finds the server's words in an answer of any version, and of what stands in front of it.
func readMessage(status int, h http.Header, body []byte) message {
	m := message{dropped: -1, influx: isInflux(h)}
	trimmed := bytes.TrimSpace(body)
	media, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	switch {
	case media == "text/html" || looksLikeHTML(trimmed):
		m.html = true
		m.text = "an HTML page" + titleOf(trimmed)
	case len(trimmed) > 0 && trimmed[0] == '{' && m.readJSON(trimmed):
		m.influx = true
	default:
		m.text = string(trimmed)
	}
	if said := h.Get("X-Influxdb-Error"); said != "" && (m.text == "" || m.html) {
		m.text = said
	}
	if m.text == "" {
		m.text = http.StatusText(status)
	}
	if m.dropped < 0 {
		m.dropped = droppedCount(m.text)
	}
	return m
}

func (m *message) readJSON(b []byte) bool {
	var e errorBody
	if json.Unmarshal(b, &e) != nil || e.Error == nil && e.Message == nil {
		return false
	}
	m.code = e.Code
	switch {
	case e.Error != nil && *e.Error != "":
		m.text = *e.Error
	case e.Message != nil:
		m.text = *e.Message
	}
	var lines []rejectedLine
	if json.Unmarshal(e.Data, &lines) == nil && len(lines) > 0 {
		if len(lines) < maxNamedLines {
			m.dropped = len(lines)
		}
		m.text += ": line " + strconv.Itoa(lines[0].Line) + ": " + lines[0].Reason
	}
	return true
}

// isInflux says that only an InfluxDB, or what passes for one, sets these headers.
func isInflux(h http.Header) bool {
	for _, k := range []string{headerVersion, headerBuild, headerGemini, "X-Influxdb-Error", "X-Platform-Error-Code"} {
		if h.Get(k) != "" {
			return true
		}
	}
	return false
}

func looksLikeHTML(b []byte) bool {
	head := strings.ToLower(string(b[:min(len(b), 64)]))
	return strings.HasPrefix(head, "<!doctype html") || strings.HasPrefix(head, "<html")
}

// titleOf a page, for the message: " \"Sign in\"".
func titleOf(page []byte) string {
	low := bytes.ToLower(page)
	from := bytes.Index(low, []byte("<title>"))
	if from < 0 {
		return ""
	}
	from += len("<title>")
	to := bytes.Index(low[from:], []byte("</title>"))
	if to < 0 || len(low) != len(page) {
		return ""
	}
	return " " + strconv.Quote(clean(string(bytes.TrimSpace(page[from:from+min(to, 100)]))))
}

// droppedCount reads the number behind the last "dropped=" of 1.x and 2.x. Both say 0 when they did not count.
func droppedCount(s string) int {
	const mark = "dropped="
	i := strings.LastIndex(s, mark)
	if i < 0 {
		return -1
	}
	digits := s[i+len(mark):]
	if end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		digits = digits[:end]
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n <= 0 {
		return -1
	}
	return n
}

// clean makes a text from outside fit for a log, a page and a terminal: valid UTF-8, no control characters, not long.
func clean(s string) string {
	if len(s) > 4*maxMessage {
		s = s[:4*maxMessage]
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) <= maxMessage {
		return s
	}
	cut := maxMessage
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
