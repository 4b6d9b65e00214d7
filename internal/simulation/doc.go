// Package simulation owns the trial of the whole in one process: fake time, real SQL, and a WhatsApp, people, operators
// and failures that a seed decides.
package simulation
