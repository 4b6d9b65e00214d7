// Package proof owns the evidence for permesso's promises: it kills, cuts, floods and stops real processes on real
// databases, and an auditor judges them by what Meta's side, the webhooks' side and the database have on record.
package proof
