package store

import (
	"fmt"

	"github.com/influxdata/influxdb/coordinator"
	"github.com/influxdata/influxdb/query"
	"github.com/influxdata/influxql"
)

// statements executes what influxd executes, except the statements whose effect would never come: accepting a
// continuous query that nobody runs or a user whom nobody asks for would be a silent lie.
type statements struct {
	*coordinator.StatementExecutor
}

// ExecuteStatement implements query.StatementExecutor.
func (s statements) ExecuteStatement(ctx *query.ExecutionContext, stmt influxql.Statement) error {
	if why := unsupported(stmt); why != "" {
		return fmt.Errorf("statement not supported by this store: %s", why)
	}
	return s.StatementExecutor.ExecuteStatement(ctx, stmt)
}

// unsupported is the reason why a statement is refused, or "".
func unsupported(stmt influxql.Statement) string {
	switch stmt.(type) {
	case *influxql.CreateContinuousQueryStatement:
		return "continuous queries are not run"
	case *influxql.CreateSubscriptionStatement:
		return "writes are not forwarded to subscribers"
	case *influxql.CreateUserStatement, *influxql.DropUserStatement, *influxql.SetPasswordUserStatement,
		*influxql.GrantStatement, *influxql.GrantAdminStatement, *influxql.RevokeStatement, *influxql.RevokeAdminStatement:
		return "users are the tokens of its configuration"
	}
	return ""
}
