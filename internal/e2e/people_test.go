package e2e

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// importResult is what an import prints (documented by `contacts import --json` itself).
type importResult struct {
	Rows, Added, Changed, Unchanged, Repeated, Rejected int
	ByReason                                            map[string]int `json:"by_reason"`
	RejectedFile                                        string         `json:"rejected_file"`
}

// plainPhone is the phone of the i-th ordinary person.
func plainPhone(i int) string { return fmt.Sprintf("+3934700%05d", i) }

// plainPeople imports n ordinary people, all of whom may be written to.
func (h *house) plainPeople(n int) []string {
	h.t.Helper()
	var all []string
	contacts := [][]string{{"phone", "name", "language", "points", "gift", "coupon"}}
	consents := [][]string{{"phone", "category", "action", "at", "source", "wording"}}
	for i := range n {
		all = append(all, personOf(plainPhone(i)))
		contacts = append(contacts, []string{plainPhone(i), fmt.Sprintf("Anna %d", i), "it", "50", fmt.Sprintf("un libro %d", i), fmt.Sprintf("c%d", i)})
		consents = append(consents, []string{plainPhone(i), "offers", "granted", "2026-01-02T10:00:00Z", "web_form", "Sì alle offerte di Libreria Aurora"})
	}
	h.imports("contacts", contacts, n)
	h.imports("consent", consents, n)
	return all
}

// imports writes rows, the first of which is the header, and imports them; added is how many must be new.
func (h *house) imports(verb string, rows [][]string, added int) importResult {
	h.t.Helper()
	result := object[importResult](h, verb, "import", h.write(verb+".csv", csvText(h.t, rows)))
	if result.Added != added {
		h.t.Fatalf("importing %s: %+v, want %d added", verb, result, added)
	}
	return result
}

func csvText(t *testing.T, rows [][]string) string {
	t.Helper()
	var text strings.Builder
	w := csv.NewWriter(&text)
	if err := w.WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// everyone fails the test unless exactly these people got a message, once each.
func (h *house) everyone(people []string) {
	h.t.Helper()
	got := takenOnce(h.t, h.meta.posts())
	for _, who := range people {
		if _, ok := got[who]; !ok {
			h.t.Errorf("…%s got nothing", who[len(who)-5:])
		}
	}
	for who := range got {
		if !slices.Contains(people, who) {
			h.t.Errorf("…%s got a message that was not for them", who[len(who)-5:])
		}
	}
}
