package console_test

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// contrast is WCAG 2.2's contrast ratio of two colours written as #rgb or #rrggbb: 1 to 21.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	digits := strings.TrimPrefix(colour, "#")
	if len(digits) == 3 {
		digits = string([]byte{digits[0], digits[0], digits[1], digits[1], digits[2], digits[2]})
	}
	n, err := strconv.ParseUint(digits, 16, 24)
	if err != nil || len(digits) != 6 {
		t.Fatalf("the style sheet lacks a colour: %q", colour)
	}
	channel := func(v uint64) float64 {
		c := float64(v&255) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*channel(n>>16) + 0.7152*channel(n>>8) + 0.0722*channel(n)
}

func TestColoursCanBeRead(t *testing.T) {
	css, err := os.ReadFile("static/console.css")
	if err != nil {
		t.Fatal(err)
	}
	light, rest, _ := strings.Cut(string(css), "@media (prefers-color-scheme: dark)")
	dark, _, _ := strings.Cut(rest, "* { box-sizing")
	pairs := [][2]string{
		{"ink", "ground"}, {"ink", "surface"}, {"ink", "raised"}, {"quiet", "ground"}, {"quiet", "surface"}, {"quiet", "raised"}, {"accent", "ground"}, {"accent", "surface"}, {"on-accent", "accent"},
		{"good", "good-ground"}, {"busy", "busy-ground"}, {"wait", "wait-ground"}, {"bad", "bad-ground"}, {"still", "still-ground"}, {"bad", "surface"}, {"wait", "surface"}, {"wait", "raised"},
	}
	for scheme, text := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]string{}
		for _, found := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{3,6});`).FindAllStringSubmatch(text, -1) {
			colours[found[1]] = found[2]
		}
		for _, pair := range pairs {
			if ratio := contrast(t, colours[pair[0]], colours[pair[1]]); ratio < 4.5 {
				t.Errorf("%s: %s on %s has a contrast of %.2f, less than 4.5", scheme, pair[0], pair[1], ratio)
			}
		}
		// What is not text: the filled part of a progress bar against the empty one, the edge of a field.
		for _, pair := range [][2]string{{"fill", "track"}, {"edge", "ground"}, {"edge", "surface"}} {
			if ratio := contrast(t, colours[pair[0]], colours[pair[1]]); ratio < 3 {
				t.Errorf("%s: %s on %s has a contrast of %.2f, less than 3", scheme, pair[0], pair[1], ratio)
			}
		}
	}
	if lines := strings.Count(string(css), "\n"); lines >= 300 {
		t.Errorf("the style sheet has %d lines", lines)
	}
}
