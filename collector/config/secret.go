package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
)

// maxSecretBytes bounds a password or token. Tokens of InfluxDB 3 (JWT) have some 1000 bytes.
const maxSecretBytes = 64 << 10

// Secret reads the user's password from its file or environment variable, now: a password changed on disk is used at
// the next connect. It is empty for an anonymous Auth. Errors name the file or variable, never what it holds.
func (a Auth) Secret() (string, error) {
	return readSecret("password", a.PasswordFile, a.PasswordEnv)
}

// Secret reads the token, or the password when User is set, now. It is empty when the destination needs none.
func (d Destination) Secret() (string, error) {
	if d.User != "" {
		return readSecret("password", d.SecretFile, d.SecretEnv)
	}
	return readSecret("token", d.SecretFile, d.SecretEnv)
}

func readSecret(what, file, env string) (string, error) {
	switch {
	case file != "":
		return readSecretFile(what, file)
	case env == "":
		return "", nil
	}
	s, ok := os.LookupEnv(env)
	if !ok || s == "" {
		return "", fmt.Errorf("read %s: the environment variable %s is not set; set it in the service's environment, or use %s_file", what, env, what)
	}
	return s, nil
}

// readSecretFile reads one line. A file that everybody on the machine may read or change is refused: a secret that is
// not one should be noticed at installation.
func readSecretFile(what, name string) (secret string, err error) {
	f, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", what, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", fmt.Errorf("read %s: %w", what, err)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("read %s: %s is not a regular file", what, name)
	case openToAll(info.Mode()):
		return "", fmt.Errorf("read %s: every user of this machine may read or change %s (mode %04o); run: chmod o= %s", what, name, info.Mode().Perm(), name)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSecretBytes+1))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", what, err)
	}
	data = bytes.TrimRight(data, "\r\n")
	switch {
	case len(data) > maxSecretBytes:
		return "", fmt.Errorf("read %s: %s is longer than %d bytes", what, name, maxSecretBytes)
	case len(data) == 0:
		return "", fmt.Errorf("read %s: %s is empty", what, name)
	case bytes.ContainsAny(data, "\r\n\x00"):
		return "", fmt.Errorf("read %s: %s holds more than one line of text", what, name)
	}
	return string(data), nil
}

// openToAll reports rights of others. Windows keeps rights elsewhere and shows 0666 for everything.
func openToAll(mode fs.FileMode) bool { return runtime.GOOS != "windows" && mode&0o006 != 0 }
