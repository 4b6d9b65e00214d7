package e2e

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/permesso/permesso/internal/store/storetest"
)

var logRow = regexp.MustCompile(`title="everything for this person">(?:&#43;|\+)([0-9]+)</a>`)

// The operators' log finds by phone, state and reason what the log has.
func TestConsoleSearch(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, target string) {
		t.Parallel()
		h := newHouse(t, target, settings{})
		all := h.plainPeople(6)
		h.must("suppress", "add", plainPhone(0))
		h.must("consent", "revoke", plainPhone(1), "offers", "--source", "phone_call")
		h.must("consent", "revoke", plainPhone(2), "offers", "--source", "phone_call")
		h.meta.with(func(f *faults) {
			f.refuse = func(_ int, p post) *graphError {
				if p.to == plainPhone(3) {
					return &graphError{400, 131026, "Message undeliverable", ""}
				}
				return nil
			}
		})
		run := object[struct{ Run string }](h, "run", "weekend-offer").Run
		h.serve("--only", "console")
		for name, tt := range map[string]struct {
			search url.Values
			want   []string
		}{
			"everything":                  {url.Values{}, all},
			"a run":                       {url.Values{"run": {run}}, all},
			"a campaign":                  {url.Values{"campaign": {"weekend-offer"}}, all},
			"a phone":                     {url.Values{"phone": {plainPhone(4)}}, all[4:5]},
			"a phone as people write it":  {url.Values{"phone": {"347 000 " + plainPhone(4)[9:]}}, all[4:5]},
			"a state":                     {url.Values{"state": {"accepted"}}, all[4:]},
			"a failure":                   {url.Values{"state": {"failed"}}, all[3:4]},
			"a reason":                    {url.Values{"reason": {"consent_revoked"}}, all[1:3]},
			"a phone and a reason":        {url.Values{"phone": {plainPhone(0)}, "reason": {"suppressed"}}, all[:1]},
			"a phone and another reason":  {url.Values{"phone": {plainPhone(0)}, "reason": {"no_consent"}}, nil},
			"a state and a reason, clash": {url.Values{"state": {"accepted"}, "reason": {"suppressed"}}, nil},
		} {
			answer, err := http.Get("http://" + h.console + "/log?" + tt.search.Encode())
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			if err != nil || answer.StatusCode != http.StatusOK {
				t.Errorf("%s: %s, %v", name, answer.Status, err)
			}
			var shown []string
			for _, row := range logRow.FindAllStringSubmatch(string(text), -1) {
				shown = append(shown, personOf("+"+row[1]))
			}
			slices.Sort(shown)
			if diff := cmp.Diff(slices.Sorted(slices.Values(tt.want)), shown); diff != "" {
				t.Errorf("%s: people (-want +shown):\n%s", name, diff)
			}
		}
	})
}
