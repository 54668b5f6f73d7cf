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
	if err := checkStatement(stmt); err != nil {
		return err
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

// Limits of one statement. The engine plans a chain of n operators in time that grows with its third power, nested
// subqueries with their second, and cannot be interrupted meanwhile: 1,000 operators take seconds, 4,000 minutes.
const (
	maxExpression = 1_000
	maxSubqueries = 100
)

// checkStatement refuses a statement that would take the engine too long to plan. AND and OR are operators too.
func checkStatement(stmt influxql.Statement) error {
	operators, subqueries := 0, 0
	influxql.WalkFunc(stmt, func(node influxql.Node) {
		switch node.(type) {
		case *influxql.BinaryExpr:
			operators++
		case *influxql.SubQuery:
			subqueries++
		}
	})
	if operators > maxExpression {
		return fmt.Errorf("statement has %d operators, more than %d: use a regular expression for a long list of tag values", operators, maxExpression)
	}
	if subqueries > maxSubqueries {
		return fmt.Errorf("statement has %d subqueries, more than %d", subqueries, maxSubqueries)
	}
	return nil
}
