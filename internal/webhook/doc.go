// Package webhook owns what Meta tells us: it proves that a body is Meta's, reads it tolerantly into one sender.Inbox, and
// answers 200 only when that is durably stored and every opt-out in it is in force.
package webhook
