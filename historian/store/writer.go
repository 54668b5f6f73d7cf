package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/influxdata/influxdb/coordinator"
	"github.com/influxdata/influxdb/models"
	"github.com/influxdata/influxdb/services/meta"
	"github.com/influxdata/influxdb/tsdb"
)

// pointsWriter is the engine's way in; coordinator.PointsWriter.
type pointsWriter interface {
	WritePointsWithContext(ctx context.Context, database, policy string, level models.ConsistencyLevel, user meta.User, points []models.Point) error
}

// policies is what shardedWriter asks of the meta data; meta.Client.
type policies interface {
	Database(name string) *meta.DatabaseInfo
	RetentionPolicy(database, policy string) (*meta.RetentionPolicyInfo, error)
}

// shardedWriter writes the shard groups of a batch one after the other. The engine writes them at once and answers as
// soon as one of them fails, so that a rejected line in one week could be reported while the good lines of another week
// are not on disk yet or never get there: the client drops the bad line and believes the rest is stored. Here the
// answer comes when every group is done, and a failure to store outranks a rejected line. A batch within one shard
// group, which is nearly every batch, goes through in one piece.
type shardedWriter struct {
	meta  policies
	next  pointsWriter
	limit int // most shard groups in one batch, points of further ones are dropped; <= 0: no limit
}

// WritePoints implements the handler's PointsWriter.
func (w *shardedWriter) WritePoints(database, policy string, level models.ConsistencyLevel, user meta.User, points []models.Point) error {
	return w.WritePointsWithContext(context.Background(), database, policy, level, user, points)
}

// WritePointsWithContext implements the variant that the handler prefers.
func (w *shardedWriter) WritePointsWithContext(ctx context.Context, database, policy string, level models.ConsistencyLevel, user meta.User, points []models.Point) error {
	groups, left := w.split(database, policy, points)
	if len(groups) == 1 && left == 0 {
		return w.write(ctx, database, policy, level, user, points)
	}
	var partial tsdb.PartialWriteError
	var failed error
	for _, g := range groups {
		err := w.write(ctx, database, policy, level, user, g)
		if p := (tsdb.PartialWriteError{}); errors.As(err, &p) && !deleting(p) {
			if partial.Reason == "" {
				partial.Reason = p.Reason
			}
			partial.Dropped += p.Dropped
		} else if err != nil && failed == nil {
			failed = err
		}
	}
	if left > 0 {
		partial.Reason = fmt.Sprintf("times spread over more than %d shards: is the precision right? Otherwise send fewer lines at once", w.limit)
		partial.Dropped += left
	}
	switch {
	case failed != nil:
		return failed
	case partial.Dropped > 0:
		return partial
	}
	return nil
}

// write hands points to the engine with counters of its own. The engine counts what it wrote through pointers in the
// context, and after a timeout it goes on doing so while the handler already reads them to answer.
func (w *shardedWriter) write(ctx context.Context, database, policy string, level models.ConsistencyLevel, user meta.User, points []models.Point) error {
	own := ctx
	counted := map[*int64]*int64{} // the handler's counter: ours
	for _, key := range [...]coordinator.ContextKey{coordinator.StatPointsWritten, coordinator.StatValuesWritten} {
		if outer, ok := ctx.Value(key).(*int64); ok {
			counted[outer] = new(int64)
			own = context.WithValue(own, key, counted[outer])
		}
	}
	err := w.next.WritePointsWithContext(own, database, policy, level, user, points)
	for outer, n := range counted {
		*outer += atomic.LoadInt64(n)
	}
	return err
}

// deleting says that the points were dropped because their shard is being deleted: the next try meets another shard. That
// is a failure to store, not a rejected line. The engine tells the two apart by words only.
func deleting(p tsdb.PartialWriteError) bool {
	return strings.HasSuffix(p.Reason, "is pending deletion")
}

// split orders points by the shard group of their time, in order of appearance, and within a group as they came. Points
// of groups past the limit are left out and counted. Groups are aligned as the engine aligns new ones; where a policy's
// shard duration was changed an old, differently cut group may get points from two, which only costs a second write.
func (w *shardedWriter) split(database, policy string, points []models.Point) (groups [][]models.Point, left int) {
	span := w.span(database, policy)
	if span <= 0 || len(points) == 0 {
		return [][]models.Point{points}, 0
	}
	if first := points[0].Time().Truncate(span); within(points, first, first.Add(span)) {
		return [][]models.Point{points}, 0
	}
	index := map[time.Time]int{}
	for _, p := range points {
		start := p.Time().Truncate(span)
		i, ok := index[start]
		if !ok {
			if w.limit > 0 && len(groups) >= w.limit {
				left++
				continue
			}
			i = len(groups)
			index[start] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], p)
	}
	return groups, left
}

func within(points []models.Point, from, to time.Time) bool {
	for _, p := range points {
		if t := p.Time(); t.Before(from) || !t.Before(to) {
			return false
		}
	}
	return true
}

// span is the shard duration of a policy, 0 when it does not exist: the engine then says so.
func (w *shardedWriter) span(database, policy string) time.Duration {
	if policy == "" {
		db := w.meta.Database(database)
		if db == nil {
			return 0
		}
		policy = db.DefaultRetentionPolicy
	}
	rp, err := w.meta.RetentionPolicy(database, policy)
	if err != nil || rp == nil {
		return 0
	}
	return rp.ShardGroupDuration
}
