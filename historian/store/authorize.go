package store

import (
	"fmt"

	"github.com/influxdata/influxdb/query"
	"github.com/influxdata/influxdb/services/meta"
	"github.com/influxdata/influxql"
)

// accounts is what the handler asks about databases and users: databases are the engine's, users are tokens.
type accounts struct {
	*meta.Client
	tokens *tokens
}

// AdminUserExists makes the handler ask for credentials.
func (a accounts) AdminUserExists() bool { return a.tokens.required() }

// Authenticate takes any user name: the secret alone says who it is.
func (a accounts) Authenticate(_, secret string) (meta.User, error) {
	if u := a.tokens.set.Load().find(secret); u != nil {
		return u, nil
	}
	return nil, meta.ErrAuthenticate
}

// User is the token of that name.
func (a accounts) User(name string) (meta.User, error) {
	if u := a.tokens.set.Load().named(name); u != nil {
		return u, nil
	}
	return nil, meta.ErrUserNotFound
}

// authorizer decides what a token may do. It implements the handler's QueryAuthorizer and WriteAuthorizer.
type authorizer struct {
	tokens *tokens
}

func (a authorizer) AuthorizeQuery(u meta.User, q *influxql.Query, database string) (query.FineAuthorizer, error) {
	if u == nil {
		return nil, refusal("", q, database, "a token is required")
	}
	if u.AuthorizeUnrestricted() {
		return query.OpenAuthorizer, nil
	}
	for _, stmt := range q.Statements {
		if !readsOnly(stmt) {
			return nil, refusal(u.ID(), q, database, fmt.Sprintf("statement '%s', requires a token that may write", stmt))
		}
	}
	return query.OpenAuthorizer, nil
}

func (a authorizer) AuthorizeDatabase(u meta.User, priv influxql.Privilege, database string) error {
	if u != nil && (u.AuthorizeUnrestricted() || priv == influxql.ReadPrivilege || priv == influxql.NoPrivileges) {
		return nil
	}
	return refusal("", nil, database, "a token that may write is required")
}

// AuthorizeWrite decides for the token of that name.
func (a authorizer) AuthorizeWrite(name, database string) error {
	if u := a.tokens.set.Load().named(name); u != nil && u.Admin {
		return nil
	}
	return refusal(name, nil, database, fmt.Sprintf("token %q may not write to %s", name, database))
}

func refusal(user string, q *influxql.Query, database, message string) error {
	return meta.ErrAuthorize{Query: q, User: user, Database: database, Message: message}
}

// readsOnly says that a statement changes nothing: neither data nor what the store does. What is not listed is refused.
func readsOnly(stmt influxql.Statement) bool {
	switch stmt := stmt.(type) {
	case *influxql.SelectStatement:
		return stmt.Target == nil
	case *influxql.ExplainStatement:
		return stmt.Statement.Target == nil
	case *influxql.ShowContinuousQueriesStatement, *influxql.ShowDatabasesStatement, *influxql.ShowDiagnosticsStatement,
		*influxql.ShowFieldKeyCardinalityStatement, *influxql.ShowFieldKeysStatement, *influxql.ShowGrantsForUserStatement,
		*influxql.ShowMeasurementCardinalityStatement, *influxql.ShowMeasurementsStatement, *influxql.ShowQueriesStatement,
		*influxql.ShowRetentionPoliciesStatement, *influxql.ShowSeriesCardinalityStatement, *influxql.ShowSeriesStatement,
		*influxql.ShowShardGroupsStatement, *influxql.ShowShardsStatement, *influxql.ShowStatsStatement,
		*influxql.ShowSubscriptionsStatement, *influxql.ShowTagKeyCardinalityStatement, *influxql.ShowTagKeysStatement,
		*influxql.ShowTagValuesCardinalityStatement, *influxql.ShowTagValuesStatement, *influxql.ShowUsersStatement:
		return true
	}
	return false
}
