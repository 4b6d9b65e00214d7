// Package scheduler owns campaigns, occurrences and runs: when a message goes out, and for whom.
package scheduler
