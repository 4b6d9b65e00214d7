package graph_test

import (
	"strings"
	"testing"

	"github.com/permesso/permesso/internal/graph"
	"github.com/permesso/permesso/sender"
)

// reactions is Meta's table once more, by reaction, so that a slip in one of the two shows.
var reactions = map[sender.Reaction][]int{
	sender.PauseToken:    {0, 3, 10, 104, 190, 200, 201, 250, 299, 131005},
	sender.PauseAccount:  {368, 131031, 131042, 131044, 131064},
	sender.PauseNumber:   {33, 803, 131037, 131045, 131048, 133000, 133005, 133006, 133008, 133009, 133010, 133015, 133016},
	sender.PauseTemplate: {132000, 132001, 132008, 132012, 132015, 132016, 132068, 134102},
	sender.PauseRun:      {131014, 131030, 131055, 131061, 131063, 134011, 134100},
	sender.SlowDown:      {4, 80007, 130429, 131057, 132069, 2494100},
	sender.PairLimit:     {131056},
	sender.Retry:         {1, 2, 131000, 131016, 131053, 131059, 133004, 134101},
	sender.Cooldown:      {131049, 137000},
	sender.Suppress:      {131050},
	sender.Undeliverable: {131026},
	sender.FailMessage: {100, 130403, 130472, 130497, 131008, 131009, 131021, 131047, 131051, 131052, 131060, 131062, 131065, 131070, 132005, 132007, 132018,
		135000, 136024, 138038, 139100, 139101, 139102, 139103, 139200, 147001, 147002, 147003, 147004, 147005, 200005, 200006, 200007, 1752041, 2388318, 2388330},
}

func TestClassify(t *testing.T) {
	for want, codes := range reactions {
		for _, code := range codes {
			// The code decides, whatever else is said.
			for _, status := range []int{0, 400, 401, 403, 429, 500, 503} {
				for _, transient := range []bool{false, true} {
					if got := graph.Classify(code, 0, status, transient); got != want {
						t.Errorf("Classify(%d, 0, %d, %v) = %q, want %q", code, status, transient, got, want)
					}
				}
			}
			title, advice, ok := graph.Explain(code)
			if !ok || title == "" || !strings.HasSuffix(advice, ".") {
				t.Errorf("Explain(%d) = %q, %q, %v", code, title, advice, ok)
			}
		}
	}
	unknown := []struct {
		code, subcode, status int
		transient             bool
		want                  sender.Reaction
	}{
		{999999, 0, 400, false, sender.FailMessage}, {999999, 0, 0, false, sender.FailMessage}, {999999, 0, 0, true, sender.Retry},
		{999999, 0, 500, false, sender.Retry}, {999999, 0, 503, false, sender.Retry}, {999999, 0, 400, true, sender.Retry},
		{999999, 0, 401, false, sender.PauseToken}, {999999, 0, 429, false, sender.SlowDown}, {-1, 0, 400, false, sender.FailMessage},
		{300, 0, 400, false, sender.FailMessage}, {199, 0, 400, false, sender.FailMessage},
		{100, 33, 400, false, sender.PauseNumber}, {100, 2494073, 400, false, sender.FailMessage},
	}
	for _, tt := range unknown {
		if got := graph.Classify(tt.code, tt.subcode, tt.status, tt.transient); got != tt.want {
			t.Errorf("Classify(%d, %d, %d, %v) = %q, want %q", tt.code, tt.subcode, tt.status, tt.transient, got, tt.want)
		}
	}
	if _, _, ok := graph.Explain(999999); ok {
		t.Error("Explain knows a code that nobody knows")
	}
}
