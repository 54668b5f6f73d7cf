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
	if n := operators(stmt); n > maxExpression {
		return fmt.Errorf("statement has %d operators, more than %d: use a regular expression for a long list of tag values", n, maxExpression)
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

// maxExpression is the largest number of operators in one statement. The engine plans a chain of n operators in time
// that grows with its third power and cannot be interrupted meanwhile: 1,000 take seconds, 4,000 minutes.
const maxExpression = 1_000

// operators counts the binary operators of a statement, AND and OR included.
func operators(stmt influxql.Statement) int {
	n := 0
	influxql.WalkFunc(stmt, func(node influxql.Node) {
		if _, ok := node.(*influxql.BinaryExpr); ok {
			n++
		}
	})
	return n
}
