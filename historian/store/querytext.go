package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
)

// readQuery reads the form of a query request (address, urlencoded or multipart body) so that the handler finds it
// read. The text may come as a file named q; it becomes a plain value. A form that does not parse is the handler's to
// judge: it uses what could be read, as influxd does. limit < 0 is none.
func readQuery(w http.ResponseWriter, r *http.Request, limit int64) error {
	memory := int64(32 << 20)
	if limit >= 0 {
		if r.ContentLength > limit || int64(len(r.URL.RawQuery)) > limit {
			return errTooLarge
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		memory = limit // nothing is left to be written to temporary files
	}
	err := r.ParseMultipartForm(memory)
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return errTooLarge
	}
	if r.MultipartForm == nil || strings.TrimSpace(r.Form.Get("q")) != "" {
		return nil
	}
	if files := r.MultipartForm.File["q"]; len(files) > 0 {
		text, err := readPart(files[0])
		if err != nil {
			return fmt.Errorf("read query file: %w", err)
		}
		r.Form.Set("q", text)
	}
	return nil
}

func readPart(h *multipart.FileHeader) (string, error) {
	f, err := h.Open()
	if err != nil {
		return "", err
	}
	defer f.Close()
	var buf bytes.Buffer
	_, err = io.Copy(&buf, f)
	return buf.String(), err
}

// Limits of a query's text, before it is parsed. The parser descends by recursion and prints an expression by copying its
// parts at every level: a text of some hundred kilobytes made of nothing but parentheses or operators would overflow the
// stack, which ends the process, or copy for minutes. Queries that people and panels write have a few dozen of each; a
// regular expression that lists every unit of a plant has some thousand |.
const (
	maxParentheses = 2_000
	maxOperators   = 20_000
	maxStatements  = 1_000
)

// checkQuery refuses a text that is built to exhaust the parser. It counts bytes without regard to quoting, which errs on
// the side of refusing and cannot be misled by it.
func checkQuery(q string) error {
	parentheses, operators, statements := 0, 0, 1
	for i := range len(q) {
		switch q[i] {
		case '(':
			parentheses++
		case '+', '-', '*', '/', '%', '&', '|', '^', '<', '>', '=', '!':
			operators++
		case 'a', 'A', 'o', 'O':
			if (i == 0 || !isWord(q[i-1])) && isLogical(q[i:]) {
				operators++
			}
		case ';':
			statements++
		}
	}
	switch {
	case parentheses > maxParentheses:
		return fmt.Errorf("query has %d parentheses, more than %d", parentheses, maxParentheses)
	case operators > maxOperators:
		return fmt.Errorf("query has %d operators, more than %d", operators, maxOperators)
	case statements > maxStatements:
		return fmt.Errorf("query has %d statements, more than %d", statements, maxStatements)
	}
	return nil
}

// isLogical says that s begins with the word AND or OR.
func isLogical(s string) bool {
	for _, word := range []string{"or", "and"} {
		if n := len(word); len(s) >= n && strings.EqualFold(s[:n], word) && (len(s) == n || !isWord(s[n])) {
			return true
		}
	}
	return false
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
