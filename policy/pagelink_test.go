package policy_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/permesso/permesso/policy"
)

func TestPageLinks(t *testing.T) {
	links, others := policy.NewPageLinks([]byte("key")), policy.NewPageLinks([]byte("another key"))
	shape := regexp.MustCompile(`^[A-Za-z0-9_-]{48}$`)
	rapid.Check(t, func(t *rapid.T) {
		person := policy.PersonID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "person"))
		until := time.Unix(rapid.Int64Range(1, 1<<24*3600-3600).Draw(t, "until"), 0)
		token := links.Token(person, until)
		if !shape.MatchString(token) {
			t.Fatalf("the token is %q", token)
		}
		if read, err := links.Read(token, until.Add(-time.Second)); err != nil || read != person {
			t.Fatalf("before its end the token reads %s, %v", read, err)
		}
		if _, err := links.Read(token, until.Add(time.Hour)); !errors.Is(err, policy.ErrExpiredLink) {
			t.Fatalf("an hour after its end: %v", err)
		}
		if _, err := others.Read(token, until.Add(-time.Second)); !errors.Is(err, policy.ErrForgedLink) {
			t.Fatalf("under another key: %v", err)
		}
		at := rapid.IntRange(0, len(token)-1).Draw(t, "at")
		letter := rapid.StringMatching(`[A-Za-z0-9_-]`).Draw(t, "letter")
		if changed := token[:at] + letter + token[at+1:]; changed != token {
			if _, err := links.Read(changed, until.Add(-time.Second)); !errors.Is(err, policy.ErrForgedLink) {
				t.Fatalf("with a letter changed: %v", err)
			}
		}
	})
	if links.Token(policy.PersonID{1}, time.Unix(9e8, 0))[6:28] == links.Token(policy.PersonID{2}, time.Unix(9e8, 0))[6:28] {
		t.Error("two persons have one token")
	}
}

func TestSeal(t *testing.T) {
	links := policy.NewPageLinks([]byte("key"))
	seal := links.Seal("token", "on", "offers")
	for _, parts := range [][]string{{"token", "on", "offers", ""}, {"token", "onoffers"}, {"token", "on:offers"}, {"token", "off", "offers"}, {}} {
		if links.Sealed(seal, parts...) {
			t.Errorf("the seal is that of %q too", parts)
		}
	}
	if !links.Sealed(seal, "token", "on", "offers") || links.Sealed("", "token", "on", "offers") {
		t.Error("the seal is not that of its own parts")
	}
}

func FuzzReadPageLink(f *testing.F) {
	links := policy.NewPageLinks([]byte("key"))
	now := time.Unix(1_796_000_000, 0)
	f.Add(links.Token(policy.PersonID{1}, now))
	f.Add("")
	f.Add(strings.Repeat("A", 48))
	f.Add(strings.Repeat("=", 48))
	f.Fuzz(func(t *testing.T, token string) {
		person, err := links.Read(token, now)
		if err == nil && links.Token(person, now) != token && len(token) != 48 {
			t.Errorf("%q opens the page of %s", token, person)
		}
		if err != nil && !errors.Is(err, policy.ErrForgedLink) && !errors.Is(err, policy.ErrExpiredLink) {
			t.Errorf("%q: %v", token, err)
		}
	})
}

func TestFindJoinCode(t *testing.T) {
	for text, want := range map[string]string{
		"JOIN offers K7QF-2MXD": "K7QF-2MXD", "k7qf-2mxd": "K7QF-2MXD", "Ciao, K7QF-2MXD!": "K7QF-2MXD", "\u200fK7QF-2MXD\u200f": "K7QF-2MXD", "non-stop K7QF-2MXD": "K7QF-2MXD",
		"": "", "K7QF2MXD": "", "K7QF-2MX": "", "AK7QF-2MXD": "", "K7QF-2MXDA": "", "K7QF-2MXD-2MXD": "", "K7QE-2MXD": "", "K7QF-2M1D": "", "-": "", "non-stop": "", "K7QF - 2MXD": "",
		"https://a.example/K7QF-2MXD_x": "", strings.Repeat("x", 250) + " K7QF-2MXD": "",
	} {
		if got, ok := policy.FindJoinCode(text); got != want || ok != (want != "") {
			t.Errorf("in %q is %q", text, got)
		}
	}
}

// TestJoinCodesAreNoOptOuts: whatever code it is, the text that people send asks for nothing else.
func TestJoinCodesAreNoOptOuts(t *testing.T) {
	keywords, err := policy.NewKeywords(nil, map[string]policy.Category{"offers": {ID: "offers", Title: map[string]string{"it": "Offerte"}}})
	if err != nil {
		t.Fatal(err)
	}
	chat, err := policy.NewChat(true, map[string][]string{}, keywords)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 2000 {
		code := policy.NewJoinCode()
		for _, text := range []string{"JOIN offers " + code, "JOIN " + code, code} {
			if match := keywords.Match(text); match.Action != policy.MatchNone {
				t.Fatalf("%q is a %s", text, match.Action)
			}
			if heard := chat.Match(text); heard.Action != policy.ChatNone {
				t.Fatalf("%q is heard as %v", text, heard)
			}
			if found, ok := policy.FindJoinCode(text); !ok || found != code {
				t.Fatalf("in %q is %q", text, found)
			}
		}
		seen[code] = true
	}
	if len(seen) < 2000 {
		t.Errorf("of 2000 codes %d are different", len(seen))
	}
}

func FuzzFindJoinCode(f *testing.F) {
	for _, text := range []string{"JOIN offers K7QF-2MXD", "----", "K7QF-2MX", "é-K7QF-2MXD", "K7QF-2MXD"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		code, ok := policy.FindJoinCode(text)
		if ok != (code != "") || ok && !strings.Contains(strings.ToUpper(text), code) {
			t.Errorf("in %q is %q", text, code)
		}
		if again, found := policy.FindJoinCode(code); ok && (!found || again != code) {
			t.Errorf("%q is a code in a text and none by itself", code)
		}
	})
}
