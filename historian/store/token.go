package store

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/influxdata/influxdb/services/meta"
)

// minSecret is the shortest secret that is accepted: 16 random characters of base32 are 80 bits.
const minSecret = 16

// Token lets its bearer use the store: as `Authorization: Token SECRET`, `Bearer SECRET`, as the password of basic
// authentication or as the parameter p, with any user name.
type Token struct {
	Name     string // for messages; unique
	Secret   string // at least 16 characters, no space
	ReadOnly bool   // may only run SELECT (without INTO), SHOW and EXPLAIN
}

// NewSecret makes a secret of 128 random bits.
func NewSecret() string { return rand.Text() }

// ParseTokens reads a token file: one `name read|write secret` per line; empty lines and lines that begin with # are
// skipped. Errors name the line and never the secret.
func ParseTokens(text []byte) ([]Token, error) {
	var tokens []Token
	for i, line := range bytes.Split(text, []byte("\n")) {
		f := strings.Fields(string(line))
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if len(f) != 3 {
			return nil, fmt.Errorf("token line %d: has %d words: write `name read|write secret`", i+1, len(f))
		}
		if f[1] != "read" && f[1] != "write" {
			return nil, fmt.Errorf("token line %d: %q grants %q: write `read` or `write` (which may read too)", i+1, f[0], f[1])
		}
		tokens = append(tokens, Token{Name: f[0], Secret: f[2], ReadOnly: f[1] == "read"})
	}
	return tokens, checkTokens(tokens)
}

func checkTokens(tokens []Token) error {
	names, secrets := map[string]bool{}, map[string]bool{}
	for _, t := range tokens {
		switch {
		case t.Name == "":
			return errors.New("token without a name")
		case names[t.Name]:
			return fmt.Errorf("token %q: the name is used twice", t.Name)
		case secrets[t.Secret]:
			return fmt.Errorf("token %q: another token has the same secret", t.Name)
		case len(t.Secret) < minSecret:
			return fmt.Errorf("token %q: the secret has %d characters: use at least %d", t.Name, len(t.Secret), minSecret)
		case strings.ContainsAny(t.Secret, " \t\r\n:"):
			return fmt.Errorf("token %q: the secret holds a space or a colon, which no header can carry", t.Name)
		}
		names[t.Name], secrets[t.Secret] = true, true
	}
	return nil
}

// readTokenFile reads and checks a token file. One that every user of the machine can read is refused.
func readTokenFile(path string) ([]Token, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read token file: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode()&0o007 != 0 {
		return nil, fmt.Errorf("read token file %s: mode %04o lets every user read it: chmod 0640", path, info.Mode()&fs.ModePerm)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read token file: %w", err)
	}
	tokens, err := ParseTokens(text)
	if err != nil {
		return nil, fmt.Errorf("read token file %s: %w", path, err)
	}
	if len(tokens) == 0 {
		return nil, fmt.Errorf("read token file %s: holds no token: add a line `name read|write secret`", path)
	}
	return tokens, nil
}

// tokenSet is the tokens in use; it is replaced as a whole.
type tokenSet struct {
	entries []tokenEntry
}

type tokenEntry struct {
	hash [sha256.Size]byte
	user *meta.UserInfo
}

func newTokenSet(tokens []Token) *tokenSet {
	s := &tokenSet{}
	for _, t := range tokens {
		s.entries = append(s.entries, tokenEntry{
			hash: sha256.Sum256([]byte(t.Secret)),
			user: &meta.UserInfo{Name: t.Name, Admin: !t.ReadOnly},
		})
	}
	return s
}

// find is the user of a secret, or nil. Its time does not depend on how much of a secret was right.
func (s *tokenSet) find(secret string) *meta.UserInfo {
	hash := sha256.Sum256([]byte(secret))
	var found *meta.UserInfo
	for _, e := range s.entries {
		if subtle.ConstantTimeCompare(hash[:], e.hash[:]) == 1 {
			found = e.user
		}
	}
	return found
}

func (s *tokenSet) named(name string) *meta.UserInfo {
	for _, e := range s.entries {
		if e.user.Name == name {
			return e.user
		}
	}
	return nil
}

// tokens is the door between the handler's idea of users and tokens. All methods may be called at once.
type tokens struct {
	set  atomic.Pointer[tokenSet]
	file string  // "" when there is none
	own  []Token // of Options
}

// loadTokens reads the token file, if there is one, and keeps it for reload.
func loadTokens(o Options) (*tokens, error) {
	t := &tokens{file: o.TokenFile, own: o.Tokens}
	return t, t.reload()
}

// reload reads the token file again. On an error the old tokens stay.
func (t *tokens) reload() error {
	all := append([]Token(nil), t.own...)
	if t.file != "" {
		read, err := readTokenFile(t.file)
		if err != nil {
			return err
		}
		all = append(all, read...)
	}
	if err := checkTokens(all); err != nil {
		return err
	}
	t.set.Store(newTokenSet(all))
	return nil
}

// required says whether requests need a token.
func (t *tokens) required() bool { return len(t.set.Load().entries) > 0 }
