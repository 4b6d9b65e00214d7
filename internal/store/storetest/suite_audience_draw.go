package storetest

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/permesso/permesso/policy"
	"github.com/permesso/permesso/scheduler"
)

var audienceNow = time.Date(2026, 11, 21, 18, 0, 0, 123456000, time.UTC)

// oddKey is an attribute's name with everything that could mean something to a path into JSON, or to SQL.
const oddKey = `$."a\b'[0].c` + "\n€ "

var audienceTypes = map[string]scheduler.AttributeType{
	"points": scheduler.AttributeNumber, "birthday": scheduler.AttributeDate, oddKey: scheduler.AttributeNumber, "city": scheduler.AttributeText,
}

func contextOf(t any) context.Context { return t.(interface{ Context() context.Context }).Context() }

// The words that contacts hold and filters ask for: what databases, JSON and filters give a meaning of their own is among them.
var (
	hardTexts = []string{"Roma", "roma", "Róma", "Ro\u0301ma", "Ro", "R", "%", "_", "a%b", "a_b", `"`, "'", `\`, `\n`, "a\nb", "a;b", "x\x01y", "\x7f", "😀", "😀😀", "ß", "SS", "İ", "ı",
		"\u212A", "K", "k", "a b", "vip", "vip club", "VIP", "]", `","`, "$1", "?", "--", "NULL", "\u200b", "\ufeff", "\u180e", "\ufffd", "0", "true", "A-17"}
	hardNumbers = []string{"0", "-0", "+0", "00", "0.0", "-0.00", "007", "-007", "1", "+1", "-1", "1.0", "1.5", "1.50", "-1.5", "+1.5", "0.1", "0.10", "0.30000000000000004", "0.3", "2", "10", "9", "-10", "-9",
		"9007199254740993", "9007199254740992", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "99999999999999999999", "-99999999999999999999", strings.Repeat("9", 400),
		"0." + strings.Repeat("0", 400) + "1", "-0." + strings.Repeat("0", 400) + "1", "1e3", "1E3", "0x10", "Inf", "-Infinity", "NaN", "1_000", "1,000", "12,5", ".5", "5.", "-.5", "-", "+", ".", "--1", "+-1", "1-",
		"1.2.3", "1..2", "١٢", "１２", "1 000", "1\n", "٫5"}
	hardDates = []string{"2026-11-21", "2026-02-28", "2026-02-29", "2024-02-29", "2024-02-30", "1900-02-29", "2000-02-29", "2026-04-30", "2026-04-31", "2026-12-31", "2026-12-32", "2026-11-00", "2026-00-10", "2026-13-01",
		"0000-01-01", "0001-01-01", "9999-12-31", "2026-1-1", "26-11-21", "21/11/2026", "2026-11-21T10:00:00Z", "2026-11-21 10:00", "2026/11/21", "-026-11-21", "+026-11-21", "２０２６-11-21", "2026-11-2١", "2026-1١-21", "99999-01-01", "20261121"}
	hardLanguages = []string{"it", "IT", "It-it", "it_IT", "it-", "it_", "-it", "ita", "i", "i-t", "italiano", "12", "i2", "pt-BR", "pt", "PT_br", "zh-Hant-TW", "zh-hant", "\u212Ar", "İt", "it\u0301", "it-İ", "it IT", "é", "en-"}
	hardSpaces    = []string{"", " ", "\t", "\n", "\v\f\r", "\u0085", "\u00a0", "\u1680", "\u2003", "\u2028\u2029", "\u202f\u205f", "\u3000"}
)

func drawValue(t *rapid.T) string {
	pools := [][]string{hardTexts, hardNumbers, hardDates, hardLanguages, {"", "", "IT", "FR", "Europe/Rome", "Europe/Paris"}}
	value := rapid.SampledFrom(rapid.SampledFrom(pools).Draw(t, "pool")).Draw(t, "value")
	switch rapid.IntRange(0, 5).Draw(t, "shape") {
	case 0:
		value = rapid.SampledFrom(hardSpaces).Draw(t, "before") + value + rapid.SampledFrom(hardSpaces).Draw(t, "after")
	case 1:
		value += rapid.SampledFrom(hardTexts).Draw(t, "more")
	case 2:
		value = strconv.FormatFloat(float64(rapid.IntRange(-40, 40).Draw(t, "eighths"))/8, 'f', -1, 64)
	}
	return value
}

// drawn picks from the values that belong in a field, or from any.
func drawn(t *rapid.T, own []string) string {
	if rapid.IntRange(0, 3).Draw(t, "any") == 0 {
		return drawValue(t)
	}
	return rapid.SampledFrom(own).Draw(t, "own")
}

func drawSomebody(t *rapid.T) somebody {
	p := somebody{
		country: drawn(t, []string{"IT", "FR", "DE", ""}), language: drawn(t, hardLanguages), zone: drawn(t, []string{"Europe/Rome", "Europe/Paris", ""}),
		externalID: drawn(t, hardTexts), attributes: map[string]string{}, replied: drawMicros(t), sentBefore: drawMicros(t), deliveredBefore: drawMicros(t),
	}
	for _, a := range []struct {
		name string
		own  []string
	}{{"points", hardNumbers}, {"birthday", hardDates}, {"city", hardTexts}, {oddKey, hardNumbers}} {
		if rapid.IntRange(0, 4).Draw(t, "has") > 0 {
			p.attributes[a.name] = drawn(t, a.own)
		}
	}
	p.tags = strings.Join(rapid.SliceOfN(rapid.Custom(drawValue), 0, 3).Draw(t, "tags"), ";")
	for range rapid.IntRange(0, 3).Draw(t, "consents") {
		p.consents = append(p.consents, consented{rapid.SampledFrom([]string{"offers", "news"}).Draw(t, "category"),
			rapid.SampledFrom([]policy.Action{policy.Granted, policy.Granted, policy.Revoked}).Draw(t, "action"), cmp.Or(drawMicros(t), 1)}) // the ledger takes none without a time
	}
	for _, run := range []string{"real", "other", "trial"} {
		if rapid.Bool().Draw(t, "delivered") {
			state := rapid.SampledFrom([]string{"queued", "sending", "accepted", "held", "sent", "delivered", "read", "failed", "skipped", "cancelled", "expired", "unknown"}).Draw(t, "state")
			p.deliveries = append(p.deliveries, delivery{run, state, drawMicros(t), drawMicros(t), drawMicros(t)})
		}
	}
	return p
}

// drawMicros is a time within days of now, on the edge of a day, or none.
func drawMicros(t *rapid.T) int64 {
	const day = int64(24 * time.Hour / time.Microsecond)
	now := audienceNow.UnixMicro()
	switch rapid.IntRange(0, 5).Draw(t, "time") {
	case 0:
		return 0
	case 1:
		return now - rapid.Int64Range(-day, 4*day).Draw(t, "ago")
	case 2:
		return rapid.SampledFrom([]int64{1, -1, -day * 100_000, -day * 300_000, day * 100_000}).Draw(t, "far")
	}
	return now - rapid.Int64Range(-1, 4).Draw(t, "days")*day + rapid.Int64Range(-1, 1).Draw(t, "microseconds")
}

// drawSegments makes a few named filters, each of which may use those before it.
func drawSegments(t *rapid.T) map[string]string {
	segments := map[string]string{}
	for i := range rapid.IntRange(0, 2).Draw(t, "segments") {
		segments[fmt.Sprint("s", i)] = drawFilter(t, 1, i)
	}
	return segments
}

func drawFilter(t *rapid.T, depth, segments int) string {
	shape := rapid.IntRange(0, 7).Draw(t, "node")
	if depth == 0 {
		shape = 7
	}
	switch {
	case shape == 0:
		return "NOT (" + drawFilter(t, depth-1, segments) + ")"
	case shape <= 4:
		operator := rapid.SampledFrom([]string{" AND ", " OR "}).Draw(t, "operator")
		args := make([]string, rapid.IntRange(2, 3).Draw(t, "args"))
		for i := range args {
			args[i] = "(" + drawFilter(t, depth-1, segments) + ")"
		}
		return strings.Join(args, operator)
	case shape == 5 && segments > 0:
		return fmt.Sprint("segment.s", rapid.IntRange(0, segments-1).Draw(t, "segment"))
	}
	return drawTest(t)
}

func drawTest(t *rapid.T) string {
	field := rapid.SampledFrom([]string{"country", "language", "timezone", "tags", "external_id", "attributes.city", "attributes.points", "attributes.birthday", "attributes." + strconv.Quote(oddKey),
		"consent_days", "sent_days", "delivered_days", "replied_days"}).Draw(t, "field")
	if rapid.IntRange(0, 9).Draw(t, "present") == 0 {
		return field + ":*"
	}
	equal := rapid.SampledFrom([]string{" = ", " != "}).Draw(t, "equal")
	order := rapid.SampledFrom([]string{" = ", " != ", " < ", " <= ", " > ", " >= "}).Draw(t, "order")
	switch field {
	case "country":
		return field + equal + rapid.SampledFrom([]string{`"IT"`, `"FR"`, `"fr"`}).Draw(t, "country")
	case "language":
		return field + equal + strconv.Quote(rapid.SampledFrom([]string{"it", "IT", "it-IT", "it_it", "pt-BR", "zh-Hant", "en", "kr"}).Draw(t, "language"))
	case "tags":
		return field + ":" + drawPattern(t)
	case "timezone":
		return field + equal + rapid.SampledFrom([]string{`"Europe/Rome"`, `"Europe/*"`, `"*Paris"`, `"*ome*"`}).Draw(t, "zone")
	case "external_id", "attributes.city":
		return field + equal + drawPattern(t)
	case "attributes.birthday":
		return field + order + strconv.Quote(rapid.SampledFrom([]string{"2026-11-21", "2024-02-29", "0001-01-01", "9999-12-31", "2026-02-28", "2000-02-29", "2026-04-30"}).Draw(t, "date"))
	case "consent_days", "sent_days", "delivered_days", "replied_days":
		return field + order + strconv.Itoa(rapid.SampledFrom([]int{0, 1, 2, 3, 4, 99_999, 320_000, 1_000_000}).Draw(t, "days"))
	}
	return field + order + rapid.SampledFrom([]string{"0", "-0", "1", "-1", "1.5", "-1.5", "0.1", "0.3", "0.30000000000000004", "2", "10", "-10", "9", "9007199254740993", "9007199254740992",
		"9223372036854775807", "9223372036854775808.0", "99999999999999999999.0", "0.125", "-2.75"}).Draw(t, "number")
}

// drawPattern quotes a text, with or without stars.
func drawPattern(t *rapid.T) string {
	text := strings.TrimSpace(strings.ReplaceAll(drawValue(t), "*", ""))
	if text == "" {
		text = "vip"
	}
	stars := rapid.SampledFrom([]string{"%s", "%s", "%s*", "*%s", "*%s*"}).Draw(t, "pattern")
	return strconv.Quote(fmt.Sprintf(stars, text))
}
