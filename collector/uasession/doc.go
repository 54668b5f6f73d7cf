// Package uasession collects from one OPC UA server: session, subscriptions, publish loop, sequence, recovery.
package uasession
