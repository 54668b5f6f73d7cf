package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/term"
)

// screen is drawn in place: over what was drawn before, and no wider or higher than the terminal. What is written to it stands
// above what is drawn. It may be used from any goroutine.
type screen struct {
	out io.Writer

	mu    sync.Mutex // guards what is below
	lines int        // that were drawn
	width int        // of the terminal then
}

// size is that of the terminal.
func (s *screen) size() (width, height int) {
	if f, ok := s.out.(*os.File); ok {
		if w, h, err := term.GetSize(int(f.Fd())); err == nil && w > 0 && h > 0 {
			return w, h
		}
	}
	return 100, 60
}

// draw shows text in a terminal of that width, the first height lines of it.
func (s *screen) draw(text string, width, height int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.width != width && s.lines > 0 { // the terminal has broken its lines anew: where they begin is not known
		fmt.Fprint(s.out, "\x1b[2J\x1b[H")
		s.lines = 0
	}
	body, n := fitted(text, width, height)
	fmt.Fprint(s.out, s.home(), body, "\x1b[J")
	s.lines, s.width = n, width
}

// home goes back to where the drawing began.
func (s *screen) home() string {
	if s.lines == 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA\r", s.lines)
}

// Write puts lines above the drawing, which comes again the next time.
func (s *screen) Write(lines []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := fmt.Fprint(s.out, s.home(), "\x1b[J"); err != nil {
		return 0, err
	}
	s.lines = 0
	return s.out.Write(lines)
}

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

// cut is the first width columns of a line. A line that is longer ends with …, so that no number looks like another one.
func cut(line string, width int) string {
	columns, last := 0, 0 // last: where the last column begins
	for i := 0; i < len(line); {
		if line[i] == '\x1b' {
			if end := strings.IndexByte(line[i:], 'm'); end > 0 {
				i += end + 1
				continue
			}
		}
		if columns == width {
			return line[:last] + "…\x1b[0m"
		}
		last = i
		_, n := utf8.DecodeRuneInString(line[i:])
		columns++
		i += n
	}
	return line
}
