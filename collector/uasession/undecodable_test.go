package uasession

import (
	"strings"
	"testing"

	"kvarts/deploy/simplant/uaserver"
	"kvarts/historian/telemetry"
)

// garbage is a response of a service whose rest no decoder takes.
func garbage(typeID uint16) func(at uaserver.DateTime, handle uint32) []byte {
	return func(at uaserver.DateTime, handle uint32) []byte {
		return append(uaserver.ResponseHead(typeID, at, handle), 0xFF, 0xFF)
	}
}

const (
	publishResponse   = 829
	republishResponse = 835
)

func TestUndecodableMessageIsGivenUp(t *testing.T) {
	// One message is missing, and each time it is asked for the answer cannot be decoded; the next message is fine.
	sc := newScenario(t, uaserver.Options{}, nil)
	for range maxDecodeTries {
		sc.srv.GarbageBody("Republish", garbage(republishResponse))
	}
	sc.srv.DropNotification(sc.upcoming(), true)
	eventually(t, "it is given up", func() bool { return sc.counters().Undecodable > 0 })
	sc.finish()
	if c := sc.counters(); c.Connects != 1 || c.Undecodable != 1 || c.Lost != 1 || c.Republished != 0 {
		t.Errorf("counters %+v, want one undecodable message", c)
	}
	gaps := sc.r.gapsOf(telemetry.CauseDecode)
	if len(gaps) != 1 || len(sc.r.gaps) != 1 || !strings.Contains(gaps[0].Detail, "cannot be decoded") {
		t.Errorf("gaps %+v, want one for the message", sc.r.gaps)
	}
}

func TestUndecodableOnTheLineIsAskedForAgain(t *testing.T) {
	// Only the line garbled it: the server has it still.
	sc := newScenario(t, uaserver.Options{}, nil)
	sc.srv.GarbageBody("Publish", garbage(publishResponse))
	sc.srv.GarbageBody("Republish", garbage(republishResponse))
	eventually(t, "it is had again", func() bool { return sc.counters().Republished > 0 })
	sc.finish()
	sc.inSequence()
	if c := sc.counters(); c.Connects != 1 || c.Gaps != 0 || c.Undecodable != 0 {
		t.Errorf("counters %+v, want one message republished", c)
	}
}
