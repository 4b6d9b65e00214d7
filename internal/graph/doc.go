// Package graph owns the wire to Meta's WhatsApp Cloud API: it posts messages, reads templates and numbers, and is the
// one place that knows Meta's error codes.
package graph
