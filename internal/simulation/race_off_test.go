//go:build !race

package simulation

// racing says that the race detector is on.
const racing = false
