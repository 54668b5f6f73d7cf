package store

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/influxdata/influxdb/coordinator"
	"github.com/influxdata/influxdb/models"
	"github.com/influxdata/influxdb/monitor"
	"github.com/influxdata/influxdb/query"
	"github.com/influxdata/influxdb/services/httpd"
	"github.com/influxdata/influxdb/services/meta"
	"github.com/influxdata/influxdb/services/precreator"
	"github.com/influxdata/influxdb/services/retention"
	"github.com/influxdata/influxdb/toml"
	"github.com/influxdata/influxdb/tsdb"
	"go.uber.org/zap"

	_ "github.com/influxdata/influxdb/tsdb/engine" // registers tsm1
	_ "github.com/influxdata/influxdb/tsdb/index"  // registers inmem and tsi1, so that shards of either can be read
)

// What clients see in X-Influxdb-Version, X-Influxdb-Build and /health: the release whose code answers them.
const (
	engineVersion = "1.8.10"
	engineBuild   = "OSS"
)

// defaultPolicy is the name influxd gives the retention policy of a new database.
const defaultPolicy = "autogen"

// engine is InfluxDB without its network: the parts influxd's run.Server wires together, less the services that this
// store does not run (subscriptions, continuous queries, monitoring into _internal, usage reports, other protocols).
type engine struct {
	meta     *meta.Client
	store    *tsdb.Store
	writer   *coordinator.PointsWriter
	executor *query.Executor
	monitor  *monitor.Monitor
	services []service // running, closed in reverse order
	handler  *httpd.Handler
}

type service interface {
	WithLogger(*zap.Logger)
	Open() error
	Close() error
}

// openEngine opens the data directory and starts the services. On an error nothing stays open.
func openEngine(ctx context.Context, o Options, t *tokens, lg *zap.Logger) (e *engine, err error) {
	metaConfig := meta.NewConfig()
	metaConfig.Dir = filepath.Join(o.Dir, "meta")
	if err := os.MkdirAll(metaConfig.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("make store directory: %w", err)
	}
	e = &engine{meta: meta.NewClient(metaConfig)}
	e.meta.WithLogger(lg)
	if err := e.meta.Open(); err != nil {
		return nil, fmt.Errorf("open %s: %w", filepath.Join(metaConfig.Dir, "meta.db"), err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.close())
			e = nil
		}
	}()
	e.store = newTSDB(o, lg)
	e.wire(o, lg)
	if err := e.store.Open(); err != nil {
		return e, fmt.Errorf("open data in %s: %w", o.Dir, err)
	}
	if err := ctx.Err(); err != nil {
		return e, fmt.Errorf("open data in %s: %w", o.Dir, err)
	}
	if err := e.ensureDatabase(o); err != nil {
		return e, err
	}
	if err := e.startServices(o, lg); err != nil {
		return e, err
	}
	e.handler = e.newHandler(o, t, lg)
	return e, nil
}

func newTSDB(o Options, lg *zap.Logger) *tsdb.Store {
	c := tsdb.NewConfig()
	c.Dir = filepath.Join(o.Dir, "data")
	c.WALDir = filepath.Join(o.Dir, "wal")
	c.Index = tsdb.InmemIndexName // see the package comment
	c.WALFsyncDelay = 0           // a write returns after the fsync of its log
	c.QueryLogEnabled = false
	c.CacheMaxMemorySize = toml.Size(o.Engine.CacheBytes)
	c.CacheSnapshotMemorySize = toml.Size(o.Engine.SnapshotBytes)
	c.CompactThroughput = toml.Size(o.Engine.CompactBytesPerSecond)
	c.CompactThroughputBurst = toml.Size(o.Engine.CompactBytesPerSecond)
	c.MaxConcurrentCompactions = unlimitedAsZero(o.Engine.Compactions)
	c.MaxSeriesPerDatabase = unlimitedAsZero(o.Engine.Series)

	s := tsdb.NewStore(c.Dir)
	s.EngineOptions.Config = c
	s.EngineOptions.EngineVersion = c.Engine
	s.EngineOptions.IndexVersion = c.Index
	s.WithLogger(lg)
	return s
}

// wire connects writer, executor and monitor to the store.
func (e *engine) wire(o Options, lg *zap.Logger) {
	e.writer = coordinator.NewPointsWriter()
	e.writer.TSDBStore = e.store
	e.writer.MetaClient = e.meta
	e.writer.WithLogger(lg)

	mc := monitor.NewConfig()
	mc.StoreEnabled = false // no _internal database: SHOW STATS answers from memory
	e.monitor = monitor.New(e, mc)
	e.monitor.Version = engineVersion
	e.monitor.MetaClient = e.meta
	e.monitor.WithLogger(lg)

	e.executor = query.NewExecutor()
	e.executor.WithLogger(lg)
	e.executor.TaskManager.QueryTimeout = unlimitedAsZero(o.Limits.QueryTimeout)
	e.executor.StatementExecutor = statements{&coordinator.StatementExecutor{
		MetaClient:  e.meta,
		TaskManager: e.executor.TaskManager,
		TSDBStore:   e.store,
		ShardMapper: &coordinator.LocalShardMapper{
			MetaClient: e.meta,
			TSDBStore:  coordinator.LocalTSDBStore{Store: e.store},
		},
		Monitor:           e.monitor,
		PointsWriter:      e.writer,
		MaxSelectBucketsN: unlimitedAsZero(o.Limits.Buckets),
	}}
}

// Statistics feeds SHOW STATS.
func (e *engine) Statistics(tags map[string]string) []models.Statistic {
	var all []models.Statistic
	all = append(all, e.executor.Statistics(tags)...)
	all = append(all, e.store.Statistics(tags)...)
	all = append(all, e.writer.Statistics(tags)...)
	return append(all, e.handler.Statistics(tags)...)
}

// ensureDatabase makes the database exist with the retention that Options ask for. Doing it again changes nothing.
func (e *engine) ensureDatabase(o Options) error {
	shard := o.ShardDuration
	db := e.meta.Database(o.Database)
	if db == nil || db.DefaultRetentionPolicy == "" {
		one := 1
		spec := &meta.RetentionPolicySpec{Name: defaultPolicy, Duration: &o.Retention, ReplicaN: &one, ShardGroupDuration: shard}
		if _, err := e.meta.CreateDatabaseWithRetentionPolicy(o.Database, spec); err != nil {
			return fmt.Errorf("create database %q: %w", o.Database, err)
		}
		return nil
	}
	rp := db.RetentionPolicy(db.DefaultRetentionPolicy)
	if rp == nil {
		return fmt.Errorf("database %q: its default retention policy %q does not exist: make one with CREATE RETENTION POLICY on a real influxd", o.Database, db.DefaultRetentionPolicy)
	}
	if shard == 0 && rp.Duration == o.Retention {
		shard = rp.ShardGroupDuration // what was chosen before stays
	}
	if rp.Duration == o.Retention && rp.ShardGroupDuration == shard {
		return nil
	}
	update := &meta.RetentionPolicyUpdate{Duration: &o.Retention, ShardGroupDuration: &shard}
	if err := e.meta.UpdateRetentionPolicy(o.Database, rp.Name, update, false); err != nil {
		return fmt.Errorf("alter retention policy %q of database %q to %v: %w", rp.Name, o.Database, o.Retention, err)
	}
	return nil
}

func (e *engine) startServices(o Options, lg *zap.Logger) error {
	rc := retention.NewConfig()
	rc.CheckInterval = toml.Duration(o.RetentionCheck)
	expire := retention.NewService(rc)
	expire.MetaClient = e.meta
	expire.TSDBStore = e.store

	ahead := precreator.NewService(precreator.NewConfig())
	ahead.MetaClient = e.meta

	for _, s := range []service{e.monitor, ahead, expire} {
		s.WithLogger(lg)
		if err := s.Open(); err != nil {
			return fmt.Errorf("start %T: %w", s, err)
		}
		e.services = append(e.services, s)
	}
	return nil
}

func (e *engine) newHandler(o Options, t *tokens, lg *zap.Logger) *httpd.Handler {
	c := httpd.NewConfig()
	c.AuthEnabled = t.required()
	c.LogEnabled = false
	c.FluxEnabled = false
	c.PprofEnabled = false
	c.MaxBodySize = int(max(o.Limits.BodyBytes, 0))
	c.MaxRowLimit = unlimitedAsZero(o.Limits.Rows)

	h := httpd.NewHandler(c)
	h.Version = engineVersion
	h.BuildType = engineBuild
	h.MetaClient = accounts{e.meta, t}
	h.QueryAuthorizer = authorizer{t}
	h.WriteAuthorizer = authorizer{t}
	h.QueryExecutor = e.executor
	h.Monitor = e.monitor
	h.PointsWriter = &shardedWriter{meta: e.meta, next: e.writer, limit: o.Limits.ShardsPerWrite}
	h.Logger = lg
	h.CLFLogger = log.New(logWriter{lg.Error, "panic in a request"}, "", 0) // the handler writes there only when it recovered
	return h
}

// interrupt ends every running query and refuses new ones.
func (e *engine) interrupt() error { return e.executor.Close() }

// close ends the services and closes caches, logs and files. No request may be running.
func (e *engine) close() error {
	var errs []error
	for i := len(e.services) - 1; i >= 0; i-- {
		errs = append(errs, e.services[i].Close())
	}
	if e.writer != nil {
		errs = append(errs, e.writer.Close())
	}
	if e.store != nil {
		errs = append(errs, e.store.Close())
	}
	errs = append(errs, e.meta.Close())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}
