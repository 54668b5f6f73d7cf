package agent

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"kvarts/collector/buffer"
	"kvarts/collector/worker"
	"kvarts/historian/telemetry"
)

// memory is what a new worker must know of one server: how its tags were numbered, and up to when its groups are on
// disk.
type memory struct {
	tracks worker.Tracks
	resume map[string]telemetry.Instant // by group: publish time of the newest durable message
	seq    uint64                       // every record of the server up to seq is in it
}

// memories keeps the memory of each server beside the buffer: a checkpoint file written now and then, brought up to
// date from the records that the buffer got since. The buffer is told (Pin) to keep these records.
//
// A checkpoint that is lost or damaged costs nothing but the time to read the whole buffer; what had left the buffer
// by then is forgotten, so a sample that the server repeats exactly would still meet its old number 0.
type memories struct {
	dir string
	log *buffer.Log

	mu     sync.Mutex
	pinned map[string]bool // servers whose records are kept; the buffer must not keep those of others for ever
}

func newMemories(dir string, log *buffer.Log) *memories {
	return &memories{dir: dir, log: log, pinned: map[string]bool{}}
}

// keep pins, before anything can be delivered and deleted, what the memories of servers lack. It returns findings.
func (m *memories) keep(servers []string) (findings []string) {
	const all = "tracks" // no server's pin: these have names of two words
	m.log.Pin(all, 1)
	defer m.log.Unpin(all)
	for _, s := range servers {
		mem, finding := m.load(s)
		if finding != "" {
			findings = append(findings, finding)
		}
		m.pin(s, mem.seq+1)
	}
	return findings
}

// pin keeps the records of server from seq on.
func (m *memories) pin(server string, seq uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pinned[server] = true
	m.log.Pin(pinName(server), seq)
}

// only lets go of the records of all servers but these.
func (m *memories) only(servers []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for s := range m.pinned {
		if !slices.Contains(servers, s) {
			delete(m.pinned, s)
			m.log.Unpin(pinName(s))
		}
	}
}

// checkpointVersion is the version of the file:
//
//	"KVTR" | version 2 | length of header 4 | header (JSON) | tracks | CRC32C of all before 4
const checkpointVersion = 1

const checkpointMagic = "KVTR"

type checkpointHeader struct {
	Log    string                       `json:"log"` // buffer.Log.ID: sequence numbers of another log mean nothing here
	Seq    uint64                       `json:"seq"`
	Resume map[string]telemetry.Instant `json:"resume"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (m *memories) path(server string) string {
	return filepath.Join(m.dir, url.PathEscape(server)+".tracks")
}

func pinName(server string) string { return "tracks " + server }

// save writes the checkpoint of one server, which holds all its records up to mem.seq; they must be durable. The pin of
// a server that was removed meanwhile does not come back.
func (m *memories) save(server string, mem *memory) error {
	b, err := encodeCheckpoint(m.log.ID(), mem)
	if err == nil {
		err = os.MkdirAll(m.dir, 0o700)
	}
	if err == nil {
		err = writeFileAtomic(m.path(server), b)
	}
	if err != nil {
		return fmt.Errorf("save checkpoint of %s: %w", server, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pinned[server] {
		m.log.Pin(pinName(server), mem.seq+1)
	}
	return nil
}

func encodeCheckpoint(logID string, mem *memory) ([]byte, error) {
	header, err := json.Marshal(checkpointHeader{Log: logID, Seq: mem.seq, Resume: mem.resume})
	if err != nil {
		return nil, err
	}
	b := binary.LittleEndian.AppendUint16([]byte(checkpointMagic), checkpointVersion)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(header)))
	return sealed(mem.tracks.AppendBinary(append(b, header...))), nil
}

// sealed appends the checksum of b.
func sealed(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// load reads the checkpoint of one server. A missing one is an empty memory; so is one that cannot be used, which is put
// aside and reported as a finding: the buffer is read instead.
func (m *memories) load(server string) (mem memory, finding string) {
	empty := memory{tracks: worker.Tracks{Server: server}, resume: map[string]telemetry.Instant{}}
	path := m.path(server)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return empty, ""
	}
	if err == nil {
		mem, err = parseCheckpoint(b, m.log.ID())
	}
	if err == nil && mem.tracks.Server != server {
		err = fmt.Errorf("it is of server %q", mem.tracks.Server)
	}
	if err == nil {
		return mem, ""
	}
	// One that cannot even be renamed is replaced by the next checkpoint.
	err = errors.Join(err, os.Rename(path, path+".damaged"))
	return empty, fmt.Sprintf("checkpoint %s cannot be used (%v): the buffer is read instead", path, err)
}

var errCheckpoint = errors.New("damaged")

func parseCheckpoint(b []byte, logID string) (memory, error) {
	const fixed = len(checkpointMagic) + 2 + 4
	if len(b) < fixed+4 || string(b[:4]) != checkpointMagic {
		return memory{}, errCheckpoint
	}
	if v := binary.LittleEndian.Uint16(b[4:]); v != checkpointVersion {
		return memory{}, fmt.Errorf("version %d, this program reads %d", v, checkpointVersion)
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return memory{}, errCheckpoint
	}
	n := binary.LittleEndian.Uint32(b[6:])
	if uint64(n) > uint64(len(body)-fixed) {
		return memory{}, errCheckpoint
	}
	var h checkpointHeader
	if err := json.Unmarshal(body[fixed:fixed+int(n)], &h); err != nil {
		return memory{}, fmt.Errorf("header: %w", err)
	}
	tracks, err := worker.ParseTracks(body[fixed+int(n):])
	if err != nil {
		return memory{}, err
	}
	mem := memory{tracks: tracks, resume: h.Resume, seq: h.Seq}
	if mem.resume == nil {
		mem.resume = map[string]telemetry.Instant{}
	}
	if h.Log != logID {
		mem.seq = 0 // the numbering holds, the position is one of another log
	}
	return mem, nil
}

// recall brings the memories of servers up to everything that the buffer has taken, and saves them. What cannot be read
// or saved is a finding; an error is one of the buffer.
func (m *memories) recall(ctx context.Context, servers []string) (map[string]*memory, []string, error) {
	if len(servers) == 0 {
		return nil, nil, nil
	}
	if err := m.log.Sync(ctx); err != nil {
		return nil, nil, fmt.Errorf("recall tags: %w", err)
	}
	all := make(map[string]*memory, len(servers))
	var findings []string
	durable := m.log.Durable()
	from := durable + 1
	for _, s := range servers {
		mem, finding := m.load(s)
		if finding != "" {
			findings = append(findings, finding)
		}
		m.pin(s, mem.seq+1)
		all[s] = &mem
		from = min(from, mem.seq+1)
	}
	bad, err := m.replay(ctx, from, durable, all)
	if err != nil {
		return nil, nil, err
	}
	findings = append(findings, bad...)
	for s, mem := range all {
		mem.seq = durable
		if err := m.save(s, mem); err != nil {
			findings = append(findings, err.Error())
		}
	}
	return all, findings, nil
}

// replay feeds the records from..to to the memories that do not hold them yet.
func (m *memories) replay(ctx context.Context, from, to uint64, all map[string]*memory) (findings []string, err error) {
	var batch []buffer.Entry
	for from <= to {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if batch, err = m.log.Read(from, 256, 8<<20, batch[:0]); err != nil {
			return nil, fmt.Errorf("recall tags from the buffer: %w", err)
		}
		if len(batch) == 0 {
			return findings, nil
		}
		for i := range batch {
			e := &batch[i]
			from = e.Seq + 1
			mem := all[e.Server]
			if mem == nil || e.Kind != buffer.Data || e.Seq <= mem.seq || e.Seq > to {
				continue
			}
			if err := mem.tracks.Replay(e.Payload); err != nil {
				findings = append(findings, fmt.Sprintf("record %d of the buffer: %v", e.Seq, err))
			}
			mem.resume[e.Group] = max(mem.resume[e.Group], e.Published)
		}
	}
	return findings, nil
}

// writeFileAtomic replaces path by data: after a crash it holds the old or the new text, whole.
func writeFileAtomic(path string, data []byte) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".tmp*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name()) // the first error counts
		}
	}()
	if _, err = tmp.Write(data); err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}

// recall gathers what is known of servers, for a new worker.
func (a *Agent) recall(ctx context.Context, servers []string) (known map[string]*memory, err error) {
	var findings []string
	err = a.hold(ctx, func() (err error) { known, findings, err = a.memories.recall(ctx, servers); return err })
	if err != nil {
		return nil, err
	}
	for _, f := range findings {
		a.events.Warn().Msg(f)
	}
	for server, mem := range known {
		for group, at := range mem.resume {
			a.published.note(server, group, at)
		}
	}
	return known, nil
}
