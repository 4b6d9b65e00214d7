package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/internal/report"
	"github.com/permesso/permesso/policy"
)

// Erase erases the person whom an identity names, and then waits for what is on its way to them, which may leave an id behind.
func (a *App) Erase(ctx context.Context, who policy.Identity, reason, by string) (report.Erased, error) {
	erased, people, err := a.Store.Erase(ctx, who, reason, by)
	if len(people) == 0 {
		return erased, err
	}
	a.StopAndWait(ctx, people)
	return erased, errors.Join(err, a.Store.EraseLate(ctx, people))
}

// PersonFile is everything that is on record of one person, for an access request.
type PersonFile struct {
	report.Held
	Consents   report.ConsentProof `json:"consents"` // with their stops, and the messages by the consent that each relied on
	Deliveries []report.Line       `json:"deliveries"`
}

// PersonFile puts together what the database holds of a number's person, and notes in the audit log that it was read.
func (a *App) PersonFile(ctx context.Context, number phone.Number, by string) (PersonFile, error) {
	file := PersonFile{Deliveries: []report.Line{}}
	var err error
	if file.Held, err = a.Store.Held(ctx, number); err != nil {
		return file, err
	}
	if file.Consents, err = a.ProveConsent(ctx, number, by); err != nil {
		return file, err
	}
	for line, err := range a.Store.Log(ctx, report.Filter{Phone: number}) {
		if err != nil {
			return file, err
		}
		file.Deliveries = append(file.Deliveries, line)
	}
	return file, a.Store.Audit(ctx, by, "contacts.export", file.Person, fmt.Sprintf("the file of one person: %d deliveries", len(file.Deliveries)))
}

// NoteProof notes in the audit log that the proof of a number's person was handed out.
func (a *App) NoteProof(ctx context.Context, number phone.Number, by string) error {
	people, err := a.Store.Find(ctx, number)
	if err != nil || len(people) == 0 {
		return err
	}
	return a.Store.Audit(ctx, by, "consent.export", people[0].String(), "")
}
