//go:build race

package simulation

// racing says that the race detector is on: SQLite, being Go here, then takes twenty times as long, so that less is tried.
const racing = true
