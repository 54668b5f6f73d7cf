package store

import (
	"encoding/json"
	"net/http"
)

// errorHeader repeats the text of an error, for clients that do not read bodies.
const errorHeader = "X-Influxdb-Error"

// answerWriter keeps the handler's error header readable. The handler copies the text of an error into it as it is, with
// whatever bytes a hostile query or line holds; a control character in it breaks the whole answer for the client.
type answerWriter struct {
	http.ResponseWriter
}

func (w answerWriter) WriteHeader(status int) {
	if v := w.Header().Get(errorHeader); v != "" {
		w.Header().Set(errorHeader, oneLine(v))
	}
	w.ResponseWriter.WriteHeader(status)
}

// Flush implements http.Flusher, by which the handler sends chunks.
func (w answerWriter) Flush() {
	// An answer that cannot be flushed comes at once at its end.
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

// CloseNotify implements the interface by which the handler ends the query of a client that left.
func (w answerWriter) CloseNotify() <-chan bool {
	if n, ok := w.ResponseWriter.(http.CloseNotifier); ok { //nolint:staticcheck // the handler asks for it
		return n.CloseNotify()
	}
	return nil
}

// Unwrap is for http.ResponseController.
func (w answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// refuse answers in the form of the handler's errors.
func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	version(w)
	w.Header().Set(errorHeader, oneLine(message[:min(len(message), maxErrorHeader)]))
	w.WriteHeader(status)
	// The connection may be gone; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(map[string]string{"error": message})
}

// maxErrorHeader is how much of an error the handler puts into its header.
const maxErrorHeader = 1024

// version sets the headers by which clients know an InfluxDB.
func version(w http.ResponseWriter) {
	w.Header().Set("X-Influxdb-Version", engineVersion)
	w.Header().Set("X-Influxdb-Build", engineBuild)
}

// oneLine replaces what a header cannot carry by spaces.
func oneLine(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			b[i] = ' '
		}
	}
	return string(b)
}
