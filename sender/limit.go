package sender

import (
	"strconv"
	"strings"
)

// AnyNumber is the messaging limit of a portfolio that has none.
const AnyNumber = -1

// ParseLimit reads a messaging limit as Meta writes it: TIER_250, TIER_2K, TIER_UNLIMITED, or a bare number, of which -1
// is unlimited (Meta, "Messaging limits" and business_capability_update, read 2026-09-11). It is unique people in a rolling 24
// hours, or AnyNumber; known is false for a text that names none.
func ParseLimit(tier string) (people int, known bool) {
	text := strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(tier)), "TIER_")
	if text == "UNLIMITED" || text == "-1" {
		return AnyNumber, true
	}
	times := 1
	if rest, ok := strings.CutSuffix(text, "K"); ok {
		text, times = rest, 1000
	}
	people, err := strconv.Atoi(text)
	if err != nil || people < 0 || people > 1e9 {
		return 0, false
	}
	return people * times, true
}
