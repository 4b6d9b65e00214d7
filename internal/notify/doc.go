// Package notify tells operators' own systems what they should know: signed webhooks, in order, tried again until they are taken.
package notify
