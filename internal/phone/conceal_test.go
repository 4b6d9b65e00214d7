package phone_test

import (
	"testing"

	"github.com/permesso/permesso/internal/phone"
)

func TestConceal(t *testing.T) {
	for text, want := range map[string]string{
		"No account of 393471234567":                    "No account of …",
		"Recipient +39 347-123 4567 not in list":        "Recipient … not in list",
		"ask 347 1234567":                               "ask …",
		"ask 347/1234567 or 347-1234567":                "ask … or …",
		"ask 347-123-4567":                              "ask …",
		"ask 347 123 45 67":                             "ask …",
		"Object 111222333444 does not exist":            "Object 111222333444 does not exist",
		"Object 111222333445 does not exist":            "Object … does not exist",
		"at 2026-11-22T18:00:00+01:00, 2026-11-23":      "at 2026-11-22T18:00:00+01:00, 2026-11-23",
		"run 20261121-1800-k3f9xa, 131048 of 25000, 4%": "run 20261121-1800-k3f9xa, 131048 of 25000, 4%",
		"": "",
	} {
		if got := phone.Conceal(text, "111222333444"); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
