package phone_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"github.com/permesso/permesso/internal/phone"
)

func TestMasked(t *testing.T) {
	tests := []struct {
		n    phone.Number
		want string
	}{
		{"+393471234567", "+39•••••••67"},
		{"+12125550123", "+1•••••••23"},
		{"+79161234567", "+7•••••••67"},
		{"+351912345678", "+351•••••••78"},
		{"+5511981234578", "+55•••••••78"},
		{"+6831234", "+683•••••••34"},
		{"", ""},
		{"3471234567", "•••••••"},
		{"+39 347 1234567", "•••••••"},
		{"IT.13491208655302741918", "•••••••"},
	}
	for _, tt := range tests {
		if got := tt.n.Masked(); got != tt.want {
			t.Errorf("Masked(%q) = %q, want %q", string(tt.n), got, tt.want)
		}
	}
}

// The calling code that is shown must be exactly the country's, or a digit of the person shows.
func TestMaskedShowsTheCallingCodeOnly(t *testing.T) {
	for code := range phonenumbers.GetSupportedCallingCodes() {
		n := phone.Number(fmt.Sprintf("+%d77777742", code))
		if got, want := n.Masked(), fmt.Sprintf("+%d•••••••42", code); got != want {
			t.Errorf("Masked(%s) = %s, want %s", n.String(), got, want)
		}
	}
}

func TestLogsNeverShowANumber(t *testing.T) {
	const n = phone.Number("+393471234567")
	pointer := n
	secret := "34712345"
	handlers := map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	}
	logs := map[string]func(*slog.Logger){
		"argument":     func(l *slog.Logger) { l.Info("sent", "phone", n) },
		"any":          func(l *slog.Logger) { l.Info("sent", slog.Any("phone", n)) },
		"pointer":      func(l *slog.Logger) { l.Info("sent", "phone", &pointer) },
		"group":        func(l *slog.Logger) { l.Info("sent", slog.Group("to", "phone", n)) },
		"with":         func(l *slog.Logger) { l.With("phone", n).Info("sent") },
		"with group":   func(l *slog.Logger) { l.WithGroup("to").With("phone", n).Info("sent") },
		"masked":       func(l *slog.Logger) { l.Info("sent to " + n.Masked()) },
		"wrong number": func(l *slog.Logger) { l.Info("sent", "phone", phone.Number("39"+secret+"67")) },
	}
	for handler, build := range handlers {
		for name, log := range logs {
			var out bytes.Buffer
			log(slog.New(build(&out)))
			if strings.Contains(out.String(), secret) || !strings.Contains(out.String(), "•••••••") {
				t.Errorf("%s, %s: %s", handler, name, out.String())
			}
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "% x", "%#q"} {
		out := fmt.Sprintf(verb, n.LogValue())
		hex := fmt.Sprintf("%x", secret)
		if strings.Contains(out, secret) || strings.Contains(strings.ToLower(strings.ReplaceAll(out, " ", "")), hex) {
			t.Errorf("LogValue under %s shows the number: %s", verb, out)
		}
	}
	for name, refusal := range refusals {
		if strings.Contains(refusal.Error(), secret) {
			t.Errorf("%s holds a number", name)
		}
	}
}

func TestStringIsTheWholeNumber(t *testing.T) {
	const n = phone.Number("+393471234567")
	if got := fmt.Sprintf("%s|%v|%q", n, n, n); got != `+393471234567|+393471234567|"+393471234567"` {
		t.Errorf("printed as %s", got)
	}
}
