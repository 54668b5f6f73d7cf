package store

import (
	"fmt"
	"strings"

	"github.com/rs/zerolog"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// bridge hands the engine's log to zerolog: warnings and errors, and those of its Info entries that carry an error,
// because the engine reports a shard that cannot be opened or deleted at that level.
type bridge struct {
	to     zerolog.Logger
	fields []zapcore.Field
}

func newEngineLogger(to zerolog.Logger) *zap.Logger { return zap.New(&bridge{to: to}) }

// Enabled lets everything from Info on through to Write, which can see the fields.
func (b *bridge) Enabled(l zapcore.Level) bool { return l >= zapcore.InfoLevel }

func (b *bridge) With(fields []zapcore.Field) zapcore.Core {
	return &bridge{to: b.to, fields: append(b.fields[:len(b.fields):len(b.fields)], fields...)}
}

func (b *bridge) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if b.Enabled(e.Level) {
		return ce.AddCore(e, b)
	}
	return ce
}

func (b *bridge) Write(e zapcore.Entry, fields []zapcore.Field) error {
	level := zerolog.WarnLevel
	switch {
	case e.Level >= zapcore.ErrorLevel:
		level = zerolog.ErrorLevel
	case e.Level < zapcore.WarnLevel && !carriesError(fields):
		return nil
	}
	enc := zapcore.NewMapObjectEncoder()
	for _, f := range append(b.fields[:len(b.fields):len(b.fields)], fields...) {
		f.AddTo(enc)
	}
	b.to.WithLevel(level).Fields(enc.Fields).Msg(e.Message)
	return nil
}

func (*bridge) Sync() error { return nil }

func carriesError(fields []zapcore.Field) bool {
	for _, f := range fields {
		if f.Type == zapcore.ErrorType {
			return true
		}
	}
	return false
}

// logWriter gives code that wants a writer for its log lines a place in the engine's log.
type logWriter struct {
	to      func(string, ...zap.Field) // Warn or Error of a logger
	subject string
}

func (w logWriter) Write(p []byte) (int, error) {
	w.to(w.subject, zap.String("detail", strings.TrimSpace(string(p))))
	return len(p), nil
}

// recovered reports a panic that was kept from ending the process.
func recovered(to *zap.Logger, where string, v any, stack []byte) {
	to.Error("recovered from a panic", zap.String("in", where), zap.String("panic", fmt.Sprint(v)), zap.ByteString("stack", stack))
}
