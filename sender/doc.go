// Package sender owns deliveries on their way out: their states, pacing, the gate before the wire, attempts and outcomes.
package sender
