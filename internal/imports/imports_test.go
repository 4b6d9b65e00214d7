package imports_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/permesso/permesso/internal/imports"
	"github.com/permesso/permesso/internal/phone"
	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func options() imports.Options {
	return imports.Options{
		Region:       "IT",
		BusinessName: "Libreria Aurora",
		Categories: map[string]policy.Category{
			"offers": {ID: "offers", Kind: policy.Marketing},
			"orders": {ID: "orders", Kind: policy.Utility},
		},
		Now: now,
	}
}

// memory is a sink that keeps what it gets, by the rules of the store: the same rows again change nothing.
type memory struct {
	batches  []int
	contacts map[phone.Number]scheduler.ContactRecord
	consents map[string]scheduler.ConsentRecord
	stops    map[string]scheduler.SuppressionRecord
	fail     error
}

func newMemory() *memory {
	return &memory{
		contacts: map[phone.Number]scheduler.ContactRecord{},
		consents: map[string]scheduler.ConsentRecord{},
		stops:    map[string]scheduler.SuppressionRecord{},
	}
}

func (m *memory) ImportContacts(_ context.Context, records []scheduler.ContactRecord) (scheduler.ImportCounts, error) {
	m.batches = append(m.batches, len(records))
	if m.fail != nil {
		return scheduler.ImportCounts{}, m.fail
	}
	var counts scheduler.ImportCounts
	for _, r := range records {
		key := r.Phone.Canonical()
		before, known := m.contacts[key]
		after := before
		after.Phone, after.Number = r.Phone, r.Number
		after.Name = cmp.Or(r.Name, before.Name)
		after.Language = cmp.Or(r.Language, before.Language)
		after.Zone = cmp.Or(r.Zone, before.Zone)
		after.ExternalID = cmp.Or(r.ExternalID, before.ExternalID)
		after.Tags = slices.Compact(slices.Sorted(slices.Values(slices.Concat(before.Tags, r.Tags))))
		after.Attributes = maps.Clone(before.Attributes)
		if after.Attributes == nil {
			after.Attributes = map[string]string{}
		}
		maps.Copy(after.Attributes, r.Attributes)
		m.contacts[key] = after
		switch {
		case !known:
			counts.Added++
		case gocmp.Equal(before, after):
			counts.Unchanged++
		default:
			counts.Changed++
		}
	}
	return counts, nil
}

func (m *memory) ImportConsents(_ context.Context, records []scheduler.ConsentRecord) (scheduler.ImportCounts, error) {
	m.batches = append(m.batches, len(records))
	var counts scheduler.ImportCounts
	for _, r := range records {
		key := fmt.Sprint(r.Phone.Canonical(), r.Event)
		if _, known := m.consents[key]; known {
			counts.Unchanged++
			continue
		}
		m.consents[key] = r
		counts.Added++
	}
	return counts, m.fail
}

func (m *memory) ImportSuppressions(_ context.Context, records []scheduler.SuppressionRecord) (scheduler.ImportCounts, error) {
	m.batches = append(m.batches, len(records))
	var counts scheduler.ImportCounts
	for _, r := range records {
		key := fmt.Sprint(r.Phone.Canonical(), r.Scope)
		if _, known := m.stops[key]; known {
			counts.Unchanged++
			continue
		}
		m.stops[key] = r
		counts.Added++
	}
	return counts, m.fail
}

func importContacts(t *testing.T, file string, o imports.Options) (*memory, imports.Result) {
	t.Helper()
	sink := newMemory()
	result, err := imports.Contacts(t.Context(), strings.NewReader(file), sink, o)
	if err != nil {
		t.Fatalf("Contacts: %v", err)
	}
	return sink, result
}

func TestContacts(t *testing.T) {
	o := options()
	o.Tag = "autumn"
	sink, result := importContacts(t, "\ufeffPhone , NAME,Language,timezone,external_id,tags,Punti Fedeltà,birthday\r\n"+
		"+39 347 123 4567,Anna,it_it,Europe/Rome,c-1,vip; reader ;vip,120,1990-05-01\r\n"+
		"\"347 765 4321\",\"Bruno \"\"Bibi\"\"\nRossi\",,,,,,\r\n"+
		",,,,,,,\r\n"+
		"'+44 20 7946 0958,'-,en,,,,,\r\n", o)
	want := []scheduler.ContactRecord{
		{
			Phone: "+393471234567", Name: new("Anna"), Language: new("it-IT"), Zone: new("Europe/Rome"), ExternalID: new("c-1"),
			Tags: []string{"autumn", "reader", "vip"}, Attributes: map[string]string{"punti_fedelt_": "120", "birthday": "1990-05-01"},
			Number: scheduler.NumberFacts{Country: "IT", Zones: []string{"Europe/Rome", "Europe/Vatican"}, MainZone: "Europe/Rome"},
		},
		{
			Phone: "+393477654321", Name: new("Bruno \"Bibi\"\nRossi"), Tags: []string{"autumn"}, Attributes: map[string]string{},
			Number: scheduler.NumberFacts{Country: "IT", Zones: []string{"Europe/Rome", "Europe/Vatican"}, MainZone: "Europe/Rome"},
		},
		{
			Phone: "+442079460958", Name: new("-"), Language: new("en"), Tags: []string{"autumn"}, Attributes: map[string]string{},
			Number: scheduler.NumberFacts{Country: "GB", Zones: []string{"Europe/London"}, MainZone: "Europe/London"},
		},
	}
	got := slices.SortedFunc(maps.Values(sink.contacts), func(a, b scheduler.ContactRecord) int { return cmp.Compare(a.Phone, b.Phone) })
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("contacts (-want +got):\n%s", diff)
	}
	if result.Rows != 3 || result.Rejected != 0 || result.Counts.Added != 3 || len(result.Warnings) != 0 {
		t.Errorf("result %+v, want 3 rows, all added", result)
	}
}

func TestAFileThatEndsInAPhoneNumber(t *testing.T) {
	for file, want := range map[string][]string{
		"name,phone\nAnna,+393471234567":     {"the file ends inside line 2, right behind a phone number: check that the number is whole"},
		"name,phone\nAnna,+393471234567\n":   nil,
		"phone,name\n+393471234567,Anna":     nil,
		"name,phone\nAnna,+393471234567\r\n": nil,
	} {
		if _, result := importContacts(t, file, options()); !slices.Equal(result.Warnings, want) || result.Counts.Added != 1 {
			t.Errorf("%q: %d added, warnings %q, want %q", file, result.Counts.Added, result.Warnings, want)
		}
	}
}

func TestEmptyCellsSayNothing(t *testing.T) {
	var got []scheduler.ContactRecord
	sink := contactsOnly(func(records []scheduler.ContactRecord) { got = append(got, records...) })
	if _, err := imports.Contacts(t.Context(), strings.NewReader("phone,name,language,points\n+393471234567, ,,\n"), sink, options()); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 {
		t.Fatalf("%d records, want 1", len(got))
	}
	if r := got[0]; r.Line != 2 || r.Name != nil || r.Language != nil || r.Zone != nil || r.ExternalID != nil || r.Tags != nil || r.Attributes != nil {
		t.Errorf("got %+v, want line 2 with nothing but the phone", r)
	}
}

// contactsOnly is a sink for contacts alone.
type contactsOnly func([]scheduler.ContactRecord)

func (c contactsOnly) ImportContacts(_ context.Context, records []scheduler.ContactRecord) (scheduler.ImportCounts, error) {
	c(records)
	return scheduler.ImportCounts{Added: len(records)}, nil
}

func (contactsOnly) ImportConsents(context.Context, []scheduler.ConsentRecord) (scheduler.ImportCounts, error) {
	panic("a file of contacts holds no consents")
}

func (contactsOnly) ImportSuppressions(context.Context, []scheduler.SuppressionRecord) (scheduler.ImportCounts, error) {
	panic("a file of contacts holds no suppressions")
}

func TestEachNumberKnowsItsPlace(t *testing.T) {
	numbers := []phone.Number{
		"+393471234567", "+442079460958", "+447911123456", "+12125550123", "+13105550123", "+14165550123", "+5511981234567",
		"+5592981234567", "+79161234567", "+61412345678", "+61291234567", "+5215512345678", "+34612345678", "+4915112345678", "+393477654321",
	}
	var file strings.Builder
	file.WriteString("phone\n")
	for _, n := range numbers {
		fmt.Fprintln(&file, n)
	}
	sink, _ := importContacts(t, file.String(), options())
	for _, n := range numbers {
		want := scheduler.NumberFacts{Country: n.Country(), Zones: n.Zones(), MainZone: n.Zone()}
		if diff := gocmp.Diff(want, sink.contacts[n.Canonical()].Number); diff != "" {
			t.Errorf("%s (-want +got):\n%s", n, diff)
		}
	}
}

func TestTheLastRowOfAPersonWins(t *testing.T) {
	sink, result := importContacts(t, "phone;name;language;tags;points;city\n"+
		"+55 11 8123-4567;Ana;pt;\"a;b\";1;Santos\n"+
		"+393471234567;Anna;;;;\n"+
		"+55 11 98123-4567;Ana Maria;;\"b;c\";2;\n", options())
	if len(sink.contacts) != 2 || !slices.Equal(sink.batches, []int{2}) {
		t.Fatalf("%d people in batches %v, want 2 in one", len(sink.contacts), sink.batches)
	}
	ana := sink.contacts["+5511981234567"]
	if *ana.Name != "Ana Maria" || *ana.Language != "pt" || !slices.Equal(ana.Tags, []string{"a", "b", "c"}) ||
		!maps.Equal(ana.Attributes, map[string]string{"points": "2", "city": "Santos"}) {
		t.Errorf("got %+v, want the later row over the earlier one", ana)
	}
	if result.Rows != 3 || result.Repeated != 1 || result.Counts.Added != 2 {
		t.Errorf("result %+v, want 3 rows, 1 repeated, 2 added", result)
	}
}

func TestTheLastRowWinsAcrossBatches(t *testing.T) {
	file := "phone,name\n+393471234567,first\n" + manyContacts(22_000) + "+393471234567,last\n"
	sink, result := importContacts(t, file, options())
	if got := *sink.contacts["+393471234567"].Name; got != "last" {
		t.Errorf("name %q, want that of the last row", got)
	}
	if !slices.Equal(sink.batches, []int{20_000, 2002}) || result.Rows != 22_002 {
		t.Errorf("batches %v of %d rows, want 20,000 and 2,002", sink.batches, result.Rows)
	}
}

// manyContacts returns rows of n different people.
func manyContacts(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "+39348%07d,person %d\n", i, i)
	}
	return b.String()
}

func TestConsents(t *testing.T) {
	sink := newMemory()
	result, err := imports.Consents(t.Context(), strings.NewReader("phone,category,action,at,source,wording,evidence\n"+
		"+393471234567,offers,Granted,2026-11-20T18:30:00+01:00,web_form,\"Sì, LIBRERIA\nAurora può scrivermi\",form-7\n"+
		"+393471234567,offers,revoked,2026-11-21T12:00:00Z,,,\n"+
		"5215512345,orders,revoked,2026-11-20T10:00:00Z,phone_call,,\n"+
		"+393477654321,orders,granted,2026-11-20T10:00:00Z,paper,Yes please,\n"), sink, options())
	if err != nil {
		t.Fatal(err)
	}
	if result.Rows != 4 || result.Rejected != 0 || result.Counts.Added != 4 {
		t.Fatalf("result %+v, want 4 rows added", result)
	}
	want := policy.ConsentEvent{
		Category: "offers", Action: policy.Granted, At: time.Date(2026, 11, 20, 17, 30, 0, 0, time.UTC),
		Source: "web_form", Wording: "Sì, LIBRERIA\nAurora può scrivermi", Evidence: "form-7",
	}
	found := slices.ContainsFunc(slices.Collect(maps.Values(sink.consents)), func(r scheduler.ConsentRecord) bool {
		return r.Line == 2 && r.Phone == "+393471234567" && r.Number.Country == "IT" && gocmp.Equal(r.Event, want)
	})
	if !found {
		t.Errorf("got %+v, want among them %+v", sink.consents, want)
	}
	wantWarnings := []string{
		"the wording of 1 row does not name Libreria Aurora: who agreed may not have known to whom (line 6)",
		"the number of 1 row fits no numbering plan and was stopped as it is written, with a plus in front: check its country code (line 5)",
	}
	if diff := gocmp.Diff(wantWarnings, result.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestOneWarningForManyWordings(t *testing.T) {
	var b strings.Builder
	b.WriteString("phone,category,action,at,source,wording\n")
	for i := range 8 {
		fmt.Fprintf(&b, "+39347123456%d,offers,granted,2026-11-20T10:00:00Z,paper,yes\n", i)
	}
	result, err := imports.Consents(t.Context(), strings.NewReader(b.String()), newMemory(), options())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"the wording of 8 rows does not name Libreria Aurora: who agreed may not have known to whom (lines 2, 3, 4, 5, 6 and 3 more)"}
	if diff := gocmp.Diff(want, result.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestSuppressions(t *testing.T) {
	sink := newMemory()
	result, err := imports.Suppressions(t.Context(), strings.NewReader("phone\treason\tat\tsource\tscope\n"+
		"347 123 4567\tasked in the shop\t2026-11-20T10:00:00Z\ttill\t\n"+
		"+393477654321\t\t2026-11-20T10:00:00Z\t\tkind:marketing\n"+
		"+39000000000\tblocked\t2026-11-20T10:00:00Z\tcrm\tcategory:offers\n"), sink, options())
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	want := []scheduler.SuppressionRecord{
		{Line: 2, Phone: "+393471234567", Scope: policy.ScopeAll, Reason: "asked in the shop", At: at, Source: "till"},
		{Line: 3, Phone: "+393477654321", Scope: "kind:marketing", At: at},
		{Line: 4, Phone: "+39000000000", Scope: "category:offers", Reason: "blocked", At: at, Source: "crm"},
	}
	got := slices.SortedFunc(maps.Values(sink.stops), func(a, b scheduler.SuppressionRecord) int { return a.Line - b.Line })
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("suppressions (-want +got):\n%s", diff)
	}
	if len(result.Warnings) != 1 || result.Rejected != 0 {
		t.Errorf("result %+v, want the number outside the plan kept, with a warning", result)
	}
}

func TestASecondImportChangesNothing(t *testing.T) {
	const contacts = "phone,name,points\n+393471234567,Anna,1\n+393477654321,Bruno,2\n+393471234567,Anna Maria,\n"
	const consents = "phone,category,action,at,source,wording\n+393471234567,offers,granted,2026-11-20T10:00:00Z,paper,Libreria Aurora\n"
	const stops = "phone,reason,at,source\n+393471234567,asked,2026-11-20T10:00:00Z,till\n"
	for name, tt := range map[string]struct {
		file string
		door func(*testing.T, *memory, string) (imports.Result, error)
	}{
		"contacts": {contacts, func(t *testing.T, m *memory, file string) (imports.Result, error) {
			return imports.Contacts(t.Context(), strings.NewReader(file), m, options())
		}},
		"consents": {consents, func(t *testing.T, m *memory, file string) (imports.Result, error) {
			return imports.Consents(t.Context(), strings.NewReader(file), m, options())
		}},
		"suppressions": {stops, func(t *testing.T, m *memory, file string) (imports.Result, error) {
			return imports.Suppressions(t.Context(), strings.NewReader(file), m, options())
		}},
	} {
		t.Run(name, func(t *testing.T) {
			sink := newMemory()
			first, err := tt.door(t, sink, tt.file)
			if err != nil || first.Counts.Added == 0 {
				t.Fatalf("first import: %+v, %v", first, err)
			}
			second, err := tt.door(t, sink, tt.file)
			if err != nil || second.Counts != (scheduler.ImportCounts{Unchanged: first.Counts.Added}) {
				t.Errorf("second import: %+v, %v; want %d unchanged and nothing else", second.Counts, err, first.Counts.Added)
			}
		})
	}
}

func TestDryRun(t *testing.T) {
	o := options()
	o.DryRun = true
	o.RejectedPath = t.TempDir() + "/contacts.csv.rejected.csv"
	sink, result := importContacts(t, "phone,name\n+393471234567,Anna\nnobody,Bruno\n+393471234567,Anna\n", o)
	if len(sink.batches) != 0 {
		t.Errorf("the sink was called %d times", len(sink.batches))
	}
	if result.Rows != 3 || result.Rejected != 1 || result.Repeated != 1 || len(result.Problems) != 1 || result.RejectedFile != "" {
		t.Errorf("result %+v, want 3 rows, 1 rejected, 1 repeated and no file", result)
	}
	mustNotExist(t, o.RejectedPath)
}

func TestProgress(t *testing.T) {
	file := "phone,name\n" + manyContacts(2500)
	o := options()
	var bytes int64
	var rows, calls int
	o.Progress = func(b int64, r int) {
		if b < bytes || r < rows {
			t.Errorf("progress went back from %d bytes, %d rows to %d, %d", bytes, rows, b, r)
		}
		bytes, rows, calls = b, r, calls+1
	}
	importContacts(t, file, o)
	if bytes != int64(len(file)) || rows != 2500 || calls < 3 {
		t.Errorf("%d calls ended at %d bytes and %d rows, want %d and 2500", calls, bytes, rows, len(file))
	}
}
