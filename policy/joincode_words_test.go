package policy

import "testing"

func TestCodesThatAreWordsAreDrawnAgain(t *testing.T) {
	for code, want := range map[string]bool{"GDPR-KXG2": true, "KXG2-RGPD": true, "LGPD-7QX2": true, "K7QF-2MXD": false} {
		if got := saysMore(code); got != want {
			t.Errorf("%s says more: %t", code, got)
		}
	}
}
