package ledger_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/ledger"
)

const installation = "0123456789ab"

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func key(letter string) ledger.Key {
	return ledger.NewKey([]byte(strings.Repeat(letter, ledger.SecretSize)))
}

func link(letter string) (l ledger.Link) {
	copy(l[:], strings.Repeat(letter, len(l)))
	return l
}

// written are the lines of checkpoints in which one chain grows.
func written(t testing.TB, k ledger.Key, heads ...ledger.Head) (lines [][]byte) {
	t.Helper()
	var before []byte
	for i, h := range heads {
		h.Chain, h.Key = 7, k.ID
		line, err := k.Line(ledger.Checkpoint{Line: int64(i + 1), At: noon.Add(time.Duration(i) * time.Minute), Instance: installation, Heads: []ledger.Head{h}}, before)
		if err != nil {
			t.Fatal(err)
		}
		lines, before = append(lines, line), line
	}
	return lines
}

func TestCheckpointComesBackAsItWasWritten(t *testing.T) {
	k := key("a")
	line := written(t, k, ledger.Head{Seq: 3, Link: link("x")})[0]
	c, err := ledger.ParseLine(line)
	if err != nil || c.Line != 1 || !c.At.Equal(noon) || c.Instance != installation || c.Events() != 3 || c.Key() != k.ID ||
		c.Heads[0] != (ledger.Head{Chain: 7, Seq: 3, Link: link("x"), Key: k.ID}) {
		t.Errorf("%+v, %v", c, err)
	}
	if !ledger.Signed(line, c) {
		t.Error("the signature does not hold")
	}
	forged := bytes.Replace(line, []byte(`"seq":3`), []byte(`"seq":2`), 1)
	if c, err := ledger.ParseLine(forged); err != nil || ledger.Signed(forged, c) {
		t.Errorf("the signature holds for another text: %v", err)
	}
}

func TestFollows(t *testing.T) {
	head := func(seq int64, l string) ledger.Head { return ledger.Head{Chain: 7, Seq: seq, Link: link(l)} }
	for name, tt := range map[string]struct {
		later []ledger.Head
		want  bool
	}{
		"the same":        {[]ledger.Head{head(3, "x")}, true},
		"grown":           {[]ledger.Head{head(4, "y")}, true},
		"another chain":   {[]ledger.Head{head(3, "x"), {Chain: 9, Seq: 1}}, true},
		"shorter":         {[]ledger.Head{head(2, "w")}, false},
		"of another link": {[]ledger.Head{head(3, "z")}, false},
		"gone":            {nil, false},
	} {
		if got := (ledger.Checkpoint{Heads: []ledger.Head{head(3, "x")}}).Follows(tt.later); got != tt.want {
			t.Errorf("%s: %t, want %t", name, got, tt.want)
		}
	}
}

func TestHistoryFindsWhatHappenedToTheFile(t *testing.T) {
	k := key("a")
	lines := written(t, k, ledger.Head{Seq: 1, Link: link("x")}, ledger.Head{Seq: 2, Link: link("y")}, ledger.Head{Seq: 5, Link: link("z")})
	strangers := written(t, key("b"), ledger.Head{Seq: 1, Link: link("x")})
	for name, tt := range map[string]struct {
		lines [][]byte
		known int64
		want  ledger.FindingKind // "" for none
	}{
		"whole":                 {lines, 3, ""},
		"longer than is known":  {lines, 1, ""},
		"never written":         {nil, 0, ""},
		"missing":               {nil, 3, ledger.CheckpointsMissing},
		"shortened":             {lines[:2], 3, ledger.CheckpointsShortened},
		"a line taken out":      {[][]byte{lines[0], lines[2]}, 3, ledger.CheckpointEdited},
		"the first taken out":   {lines[1:], 3, ledger.CheckpointEdited},
		"two swapped":           {[][]byte{lines[0], lines[2], lines[1]}, 3, ledger.CheckpointEdited},
		"one edited":            {[][]byte{bytes.Replace(lines[0], []byte("12:00"), []byte("12:01"), 1), lines[1], lines[2]}, 3, ledger.CheckpointEdited},
		"the last edited":       {[][]byte{lines[0], lines[1], bytes.Replace(lines[2], []byte(`"seq":5`), []byte(`"seq":4`), 1)}, 3, ledger.CheckpointEdited},
		"not a line":            {[][]byte{lines[0], []byte("x")}, 1, ledger.CheckpointEdited},
		"of another key":        {strangers, 1, ledger.CheckpointEdited},
		"of another permesso":   {[][]byte{bytes.Replace(lines[0], []byte(installation), []byte("another"), 1)}, 1, ledger.CheckpointEdited},
		"only what is unsigned": {[][]byte{[]byte("x")}, 0, ledger.CheckpointEdited},
	} {
		t.Run(name, func(t *testing.T) {
			keys := map[ledger.KeyID]ledger.Key{k.ID: k}
			h := ledger.NewHistory(installation)
			for _, line := range tt.lines {
				h.Read(line)
			}
			h.End(tt.known, keys)
			var r ledger.Report
			r.Begin(h)
			if tt.want == "" && !r.Whole() || tt.want != "" && (r.Whole() || r.Findings[0].Kind != tt.want) {
				t.Errorf("found %+v, want %q", r.Findings, tt.want)
			}
			if h.Sound(keys) && tt.want != "" {
				t.Error("it is taken for sound")
			}
		})
	}
}

func FuzzParseLine(f *testing.F) {
	k := key("a")
	f.Add(written(f, k, ledger.Head{Seq: 3, Link: link("x")})[0])
	f.Add([]byte(`x {"n":1,"at":"2026-11-22T12:00:00Z","heads":[{"chain":"ffffffff","seq":-1}],"public":"00"}`))
	f.Add([]byte(`  {}`))
	f.Add([]byte(`AAAA null`))
	f.Fuzz(func(t *testing.T, line []byte) {
		c, err := ledger.ParseLine(line)
		if err == nil && ledger.Signed(line, c) && c.Key() == k.ID && !bytes.Contains(line, []byte(`"chain":"00000007"`)) {
			t.Errorf("%q is signed by a key that never signed it", line)
		}
		h := ledger.NewHistory(c.Instance)
		h.Read(line)
		h.Read(line)
		h.End(1, map[ledger.KeyID]ledger.Key{k.ID: k})
		var r ledger.Report
		if r.Begin(h); r.Whole() {
			t.Errorf("%q, twice, is taken for two checkpoints", line)
		}
	})
}
