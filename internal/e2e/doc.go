// Package e2e owns the tests of the whole program from outside: real processes, real databases, a Graph API of its own.
package e2e
