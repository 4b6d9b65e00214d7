package imports

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestFormats(t *testing.T) {
	for code, want := range map[string]format{
		"General": asNumber, "0": asNumber, "#,##0.00": asNumber, "0.00E+00": asNumber, "@": asNumber, "": asNumber, "0%": asNumber,
		`_-* #,##0.00\ "€"_-;\-* #,##0.00`: asNumber, `#,##0 "days"`: asNumber, `[Red]0`: asNumber, `0\d`: asNumber, `[$-409]General`: asNumber,
		`000\ 000\ 0000`: asNumber, `"d/m/y"0`: asNumber, `0;[Red]d`: asNumber, `[>=100]0`: asNumber, `"unclosed d`: asNumber, `[unclosed d`: asNumber,
		"dd/mm/yyyy": asDate, "yyyy-mm-dd": asDate, "mmm": asDate, "d": asDate, `[$-410]dddd d mmmm yyyy`: asDate, "m/d/yy h:mm": asDate,
		`yyyy"年"m"月"d"日"`: asDate, `dd\.mm\.yyyy`: asDate, "YYYY": asDate,
		"h:mm": asTime, "hh:mm:ss": asTime, "mm:ss.0": asTime, "h:mm AM/PM": asTime,
		"[h]:mm:ss": asNumber, "[mm]:ss": asNumber, "[ss]": asNumber,
	} {
		if got := formatOfCode(code); got != want {
			t.Errorf("%q is %d, want %d", code, got, want)
		}
	}
	for id, want := range map[string]format{"0": asNumber, "9": asNumber, "11": asNumber, "14": asDate, "20": asTime, "22": asDate, "46": asNumber, "49": asNumber, "57": asDate, "x": asNumber, "-1": asNumber} {
		if got := formatOfID(id); got != want {
			t.Errorf("format %s is %d, want %d", id, got, want)
		}
	}
}

// A day number means what spreadsheets show for it.
func TestMoments(t *testing.T) {
	for _, tt := range []struct {
		system dateSystem
		serial float64
		want   string // "" for none
	}{
		{system1900, 1, "1900-01-01 00:00:00"}, {system1900, 59, "1900-02-28 00:00:00"}, {system1900, 60, ""}, {system1900, 61, "1900-03-01 00:00:00"},
		{system1900, 25569, "1970-01-01 00:00:00"}, {system1900, 45981.5, "2025-11-20 12:00:00"}, {system1900, 45981.99999999, "2025-11-21 00:00:00"},
		{system1900, 2958465, "9999-12-31 00:00:00"}, {system1900, 2958466, ""}, {system1900, 0.5, ""}, {system1900, -1, ""}, {system1900, math.NaN(), ""},
		{system1904, 0, "1904-01-01 00:00:00"}, {system1904, 60, "1904-03-01 00:00:00"}, {system1904, 44519, "2025-11-20 00:00:00"}, {system1904, 2958465, ""},
	} {
		got, ok := tt.system.moment(tt.serial)
		if ok != (tt.want != "") || ok && got.Format(time.DateTime) != tt.want {
			t.Errorf("%v since %d: %s, %v; want %q", tt.serial, tt.system, got, ok, tt.want)
		}
	}
}

func FuzzNumber(f *testing.F) {
	for _, seed := range []string{"393471234567", "3.93471E+11", "3.93471234567E+11", "1E-400", "-0", "+1", "0x1p4", "NaN", "1_000", "1e999", ".5", "999999999999999.9", "1E15"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, ok := readNumber(text)
		if !ok {
			return
		}
		value, err := strconv.ParseFloat(text, 64)
		if err != nil || math.Abs(n.value-value) > math.Abs(value)*1e-14 {
			t.Fatalf("%q is %v, %v", text, n.value, err)
		}
		if n.whole != "" && (n.lost || len(strings.TrimPrefix(n.whole, "-")) > keptDigits || n.text() != n.whole) {
			t.Fatalf("%q has the digits %s: %+v", text, n.whole, n)
		}
		if strings.ContainsAny(n.text(), "eE") {
			t.Fatalf("%q is written %s", text, n.text())
		}
	})
}

func FuzzFormat(f *testing.F) {
	f.Add("dd/mm/yyyy;@")
	f.Add(`[$-410]"d"\`)
	f.Add("_")
	f.Fuzz(func(t *testing.T, code string) {
		if got := formatOfCode(`"` + strings.ReplaceAll(code, `"`, "") + `"0`); got != asNumber {
			t.Fatalf("literal text %q makes it %d", code, got)
		}
		_ = formatOfCode(code)
	})
}

func FuzzUnescaped(f *testing.F) {
	f.Add("a_x000D_\nb_x005F_x0041_")
	f.Add("_xD83D__xDE00_")
	f.Add("_x_x_x00")
	f.Fuzz(func(t *testing.T, text string) {
		if got := unescaped(text); len(got) > len(text) || !strings.Contains(text, "_x") && got != strings.ReplaceAll(text, "\r\n", "\n") {
			t.Fatalf("%q became %q", text, got)
		}
	})
}
