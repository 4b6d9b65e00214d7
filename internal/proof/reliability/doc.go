// Package reliability owns docs/RELIABILITY.md: what is promised, what fails, which tests show that it holds all the same, and
// the figures of those that were played at length.
package reliability
