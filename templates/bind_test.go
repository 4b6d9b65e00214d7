package templates_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/permesso/permesso/templates"
)

const plainEntry = `{"name":"plain","language":"it","status":"APPROVED","category":"UTILITY","components":[{"type":"BODY","text":"Ciao a tutti."},
{"type":"BUTTONS","buttons":[{"type":"URL","text":"Sito","url":"https://a.example"},{"type":"QUICK_REPLY","text":"Stop"}]}]}`

func TestAppend(t *testing.T) {
	ada := fields{"name": "  Ada\n\"Bruna\" ", "attributes.coupon": "r/8fK2q", "order": "7"}
	who := text("Casa")
	tests := map[string]struct {
		entry string
		p     templates.Parameters
		want  string
	}{
		"no parameters, no components": {plainEntry, templates.Parameters{}, `{"name":"plain","language":{"code":"it"}}`},
		"only the stop button": {plainEntry, templates.Parameters{Buttons: map[int]templates.Value{1: payload("opt_out")}},
			`{"name":"plain","language":{"code":"it"},"components":[{"type":"button","sub_type":"quick_reply","index":"1","parameters":[{"type":"payload","payload":"stop:v1:abc"}]}]}`},
		"another payload": {plainEntry, templates.Parameters{Buttons: map[int]templates.Value{1: payload("more \"x\"")}},
			`{"name":"plain","language":{"code":"it"},"components":[{"type":"button","sub_type":"quick_reply","index":"1","parameters":[{"type":"payload","payload":"more \"x\""}]}]}`},
		"image, positions, link, stop": {offer, offerParameters(), `{"name":"weekend_offer","language":{"code":"it"},"components":[
			{"type":"header","parameters":[{"type":"image","image":{"link":"https://aurora.example/libri.jpg"}}]},
			{"type":"body","parameters":[{"type":"text","text":"Ada \"Bruna\""},{"type":"text","text":"30 novembre"}]},
			{"type":"button","sub_type":"url","index":"0","parameters":[{"type":"text","text":"r/8fK2q"}]},
			{"type":"button","sub_type":"quick_reply","index":"1","parameters":[{"type":"payload","payload":"stop:v1:abc"}]}]}`},
		"names": {named, templates.Parameters{HeaderText: &who, Named: map[string]templates.Value{"first_name": field("name"), "order_id": field("order")}},
			`{"name":"hello_named","language":{"code":"en_US"},"components":[
			{"type":"header","parameters":[{"type":"text","parameter_name":"who","text":"Casa"}]},
			{"type":"body","parameters":[{"type":"text","parameter_name":"first_name","text":"Ada \"Bruna\""},{"type":"text","parameter_name":"order_id","text":"7"}]}]}`},
		"an uploaded document": {strings.Replace(strings.Split(plainEntry, `,
`)[0]+"]}", `{"type":"BODY"`, `{"type":"HEADER","format":"DOCUMENT"},{"type":"BODY"`, 1),
			templates.Parameters{HeaderMedia: &templates.Media{Format: "Document", ID: "991", Filename: "listino.pdf"}},
			`{"name":"plain","language":{"code":"it"},"components":[{"type":"header","parameters":[{"type":"document","document":{"id":"991","filename":"listino.pdf"}}]}]}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := bind(t, parse(t, tt.entry), tt.p)
			out, missing := b.Append([]byte("before"), ada)
			if missing != "" {
				t.Fatalf("missing %q", missing)
			}
			rest, ok := strings.CutPrefix(string(out), "before")
			if !ok {
				t.Fatalf("Append overwrote dst: %s", out)
			}
			var got, want any
			if err := json.Unmarshal([]byte(rest), &got); err != nil {
				t.Fatalf("not JSON: %v: %s", err, rest)
			}
			if err := json.Unmarshal([]byte(tt.want), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestMissing(t *testing.T) {
	long := strings.Repeat("è", 1100)
	tests := map[string]struct {
		who  templates.Recipient
		want string
	}{
		"nothing known":         {nil, "attributes.coupon"},
		"no field, no default":  {fields{"name": "Ada"}, "attributes.coupon"},
		"an empty field":        {fields{"attributes.coupon": ""}, "attributes.coupon"},
		"nothing to see":        {fields{"attributes.coupon": " \n\u200b\ufeff"}, "attributes.coupon"},
		"default for the name":  {fields{"attributes.coupon": "x"}, ""},
		"too long a name":       {fields{"name": long, "attributes.coupon": "x"}, "body longer than 1024 characters"},
		"as long as may be":     {fields{"name": long[:2*(1024-len("Ciao , saldi fino al 30 novembre! Scrivici."))], "attributes.coupon": "x"}, ""},
		"too long by one":       {fields{"name": long[:2*(1025-len("Ciao , saldi fino al 30 novembre! Scrivici."))], "attributes.coupon": "x"}, "body longer than 1024 characters"},
		"a link too long":       {fields{"attributes.coupon": strings.Repeat("x", 2000)}, "link of button 0 longer than 2000 characters"},
		"a link that just fits": {fields{"attributes.coupon": strings.Repeat("x", 2000-len("https://shop.example/"))}, ""},
	}
	b := bind(t, parse(t, offer), offerParameters())
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dst := append(make([]byte, 0, 4096), "kept"...)
			out, missing := b.Append(dst, tt.who)
			if missing != tt.want {
				t.Errorf("missing %q, want %q", missing, tt.want)
			}
			if missing != "" && string(out) != "kept" {
				t.Errorf("dst changed: %s", out)
			}
			if _, again := b.Preview(tt.who); again != missing {
				t.Errorf("Preview misses %q, Append %q", again, missing)
			}
		})
	}
	if _, missing := (templates.Bound{}).Append(nil, nil); missing == "" {
		t.Error("the zero Bound made a message")
	}
}

func TestDrift(t *testing.T) {
	empty, blank := templates.Value{}, text(" \n")
	fallback := "x"
	change := func(f func(*templates.Parameters)) templates.Parameters {
		p := offerParameters()
		f(&p)
		return p
	}
	tests := map[string]struct {
		entry string
		p     templates.Parameters
		want  []string
	}{
		"nothing given": {offer, templates.Parameters{}, []string{"the header's format is image, the campaign gives it no media", "takes 2 parameters, the campaign gives 0", "button 0 takes the end of its link"}},
		"one too many":  {offer, change(func(p *templates.Parameters) { p.Body = append(p.Body, text("x")) }), []string{"takes 2 parameters, the campaign gives 3"}},
		"names for positions": {offer, change(func(p *templates.Parameters) { p.Body, p.Named = nil, map[string]templates.Value{"a": text("x")} }),
			[]string{"takes 2 parameters by position, the campaign gives them by name"}},
		"both": {offer, change(func(p *templates.Parameters) { p.Named = map[string]templates.Value{"a": text("x")} }), []string{"both by position and by name"}},
		"positions for names": {named, templates.Parameters{HeaderText: &blank, Body: []templates.Value{text("a")}},
			[]string{"the header has an empty text", "by name (first_name, order_id), the campaign gives 1 by position"}},
		"wrong names": {named, templates.Parameters{HeaderText: &empty, Named: map[string]templates.Value{"first_name": text("a"), "surname": text("b")}},
			[]string{"the header needs either a text or a field", "takes {{order_id}}, the campaign gives it none", "gives {{surname}}, the body has no such variable"}},
		"parameters for a fixed text": {plainEntry, templates.Parameters{HeaderText: &blank, Body: []templates.Value{text("a")}, Buttons: map[int]templates.Value{0: text("x"), 2: text("y"), -1: text("z")}},
			[]string{"the header takes no parameter", "the body takes no parameters, the campaign gives 1", "button 0 (URL) takes no parameter",
				"gives button -1 a parameter, the template has 2", "gives button 2 a parameter, the template has 2"}},
		"a video for an image": {offer, change(func(p *templates.Parameters) { p.HeaderMedia.Format = "video" }), []string{"the header's format is image, the campaign gives it video"}},
		"a text for an image": {offer, change(func(p *templates.Parameters) { p.HeaderText, p.HeaderMedia = &blank, nil }),
			[]string{"the header's format is image, the campaign gives it a text", "the campaign gives it no media"}},
		"an image for no header":   {plainEntry, templates.Parameters{HeaderMedia: &templates.Media{Format: "image", ID: "1"}}, []string{"gives the header media of format image, the template has none"}},
		"link and id":              {offer, change(func(p *templates.Parameters) { p.HeaderMedia.ID = "1" }), []string{"either a link or an id"}},
		"a link that is none":      {offer, change(func(p *templates.Parameters) { p.HeaderMedia.Link = "libri.jpg" }), []string{"is no web address"}},
		"a name for an image":      {offer, change(func(p *templates.Parameters) { p.HeaderMedia.Filename = "a.jpg" }), []string{"a file name is for documents"}},
		"a payload for a text":     {offer, change(func(p *templates.Parameters) { p.Body[0] = payload("x") }), []string{"the body's {{1}} takes a text or a field, not a payload"}},
		"text and field":           {offer, change(func(p *templates.Parameters) { p.Body[1].Field = "name" }), []string{"the body's {{2}} needs either a text or a field"}},
		"a default beside a text":  {offer, change(func(p *templates.Parameters) { p.Body[1].Default = &fallback }), []string{"a default beside a fixed text"}},
		"an empty default":         {offer, change(func(p *templates.Parameters) { p.Body[0] = fieldOr("name", " ") }), []string{"{{1}} has an empty default"}},
		"a text for a quick reply": {offer, change(func(p *templates.Parameters) { p.Buttons[1] = text("x") }), []string{"button 1 is a quick reply: it takes a payload"}},
		"an empty payload":         {offer, change(func(p *templates.Parameters) { p.Buttons[1] = payload("") }), []string{"button 1 has an empty payload"}},
		"a payload for a link":     {offer, change(func(p *templates.Parameters) { p.Buttons[0] = payload("x") }), []string{"button 0 takes a text or a field, not a payload"}},
		"a page elsewhere":         {offer, change(func(p *templates.Parameters) { p.Buttons[0] = templates.Value{Page: "https://wa.example/p/"} }), []string{"its link must be https://wa.example/p/{{1}}; at Meta it is https://shop.example/{{1}}"}},
		"a page and a field": {offer, change(func(p *templates.Parameters) {
			p.Buttons[0] = templates.Value{Page: "https://shop.example/", Field: "name"}
		}), []string{"button 0 takes a page and nothing else"}},
		"a page for a quick reply": {offer, change(func(p *templates.Parameters) { p.Buttons[1] = templates.Value{Page: "https://shop.example/"} }), []string{"button 1 is a quick reply: it takes a payload"}},
		"a fixed body too long":    {offer, change(func(p *templates.Parameters) { p.Body[1] = text(strings.Repeat("x", 1024)) }), []string{"the body is longer than 1024 characters"}},
		"a fixed link too long":    {offer, change(func(p *templates.Parameters) { p.Buttons[0] = text(strings.Repeat("x", 1990)) }), []string{"the link of button 0 is longer than 2000"}},
		"what cannot be filled": {`{"name":"n","language":"it","category":"MARKETING","components":[{"type":"BODY","text":"a"},{"type":"CAROUSEL"},{"type":"BUTTONS","buttons":[{"type":"COPY_CODE"}]}]}`,
			templates.Parameters{}, []string{"this version cannot fill its CAROUSEL", "this version cannot fill its COPY_CODE button"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := templates.Bind(parse(t, tt.entry), tt.p, "stop")
			drift, ok := errors.AsType[*templates.DriftError](err)
			if !ok {
				t.Fatalf("error %v, want a DriftError", err)
			}
			if len(drift.Differences) != len(tt.want) {
				t.Fatalf("%d differences, want %d: %q", len(drift.Differences), len(tt.want), drift.Differences)
			}
			for i, want := range tt.want {
				if !strings.Contains(drift.Differences[i], want) || !strings.Contains(err.Error(), want) {
					t.Errorf("difference %d is %q, want %q", i, drift.Differences[i], want)
				}
			}
		})
	}
	if _, err := templates.Bind(parse(t, offer), offerParameters(), ""); err == nil {
		t.Error("a stop button without a payload was bound")
	}
}

func TestCleaning(t *testing.T) {
	tests := map[string]struct{ value, want string }{
		"nothing to do":         {"Ada Bruna", "Ada Bruna"},
		"four spaces stay":      {"a    b", "a    b"},
		"a fifth does not":      {"a     b      c", "a    b    c"},
		"lines and tabs":        {"a\r\nb\tc\n\n\nd", "a b c d"},
		"breaks among spaces":   {"a \n \t  \n  b", "a    b"},
		"both ends":             {" \t a \n", "a"},
		"line separators":       {"a\u2028b\u2029c\u0085d\ve", "a b c d e"},
		"a zero byte":           {"a\x00b", "a b"},
		"a hard space stays":    {"12\u00a0€", "12\u00a0€"},
		"hard spaces at an end": {"\u00a0a\u00a0", "a"},
		"wide spaces count":     {"a\u3000\u3000\u3000\u3000\u3000b", "a\u3000\u3000\u3000\u3000b"},
		"emoji with joiners":    {"👩\u200d👧 ok", "👩\u200d👧 ok"},
		"broken text":           {"a\xffb", "a\ufffdb"},
		"quotes and slashes":    {`"\/` + "\u007f" + `<&>`, `"\/ <&>`},
	}
	entry := `{"name":"n","language":"it","category":"UTILITY","components":[{"type":"BODY","text":"[{{1}}]"}]}`
	b := bind(t, parse(t, entry), templates.Parameters{Body: []templates.Value{field("name")}})
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := sent(t, b, fields{"name": tt.value}); got != tt.want {
				t.Errorf("sent %q, want %q", got, tt.want)
			}
			if got, _ := b.Preview(fields{"name": tt.value}); got != "["+tt.want+"]" {
				t.Errorf("preview %q", got)
			}
			fixed := bind(t, parse(t, entry), templates.Parameters{Body: []templates.Value{text(tt.value)}})
			if got := sent(t, fixed, nil); got != tt.want {
				t.Errorf("a fixed text is sent as %q, want %q", got, tt.want)
			}
		})
	}
}

// sent is the first body parameter of the message.
func sent(t interface{ Fatalf(string, ...any) }, b templates.Bound, r templates.Recipient) string {
	out, missing := b.Append(nil, r)
	if missing != "" {
		t.Fatalf("missing %q", missing)
	}
	var message struct {
		Components []struct {
			Parameters []struct{ Text string }
		}
	}
	if err := json.Unmarshal(out, &message); err != nil {
		t.Fatalf("not JSON: %v: %s", err, out)
	}
	return message.Components[0].Parameters[0].Text
}

// What is sent is a fixed point of cleaning, holds nothing that Meta refuses with 132018, and says what the field says.
func TestSentIsAlwaysClean(t *testing.T) {
	entry := `{"name":"n","language":"it","category":"UTILITY","components":[{"type":"BODY","text":"{{1}}."}]}`
	b := bind(t, parse(t, entry), templates.Parameters{Body: []templates.Value{fieldOr("name", "lettore")}})
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.String(), rapid.StringOfN(rapid.SampledFrom([]rune(" \n\t\r\u00a0\u200bab\"\\")), 0, 40, -1),
			rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "value")
		got := sent(t, b, fields{"name": value})
		if got == "" || strings.TrimSpace(got) != got || strings.ContainsFunc(got, unicode.IsControl) || strings.Contains(got, "     ") || !utf8.ValidString(got) {
			t.Fatalf("sent %q", got)
		}
		if again := sent(t, b, fields{"name": got}); again != got {
			t.Fatalf("cleaning %q again gives %q", got, again)
		}
		squeeze := func(s string) string {
			return strings.Map(func(r rune) rune {
				if unicode.IsSpace(r) || unicode.IsControl(r) {
					return -1
				}
				return r
			}, strings.ToValidUTF8(s, "\ufffd"))
		}
		if got != "lettore" && strings.ReplaceAll(squeeze(got), "\ufffd", "") != strings.ReplaceAll(squeeze(value), "\ufffd", "") {
			t.Fatalf("%q was sent as %q", value, got)
		}
	})
}

func TestPreview(t *testing.T) {
	b := bind(t, parse(t, offer), offerParameters())
	got, missing := b.Preview(fields{"attributes.coupon": "r/1"})
	want := "[image] https://aurora.example/libri.jpg\nCiao lettore, saldi fino al 30 novembre! Scrivici.\nLibreria Aurora\n" +
		"[Vedi] https://shop.example/r/1\n[Stop promozioni]\n[Chiama]"
	if got != want || missing != "" {
		t.Errorf("Preview = %q, %q; want %q", got, missing, want)
	}
	who := field("name")
	b = bind(t, parse(t, named), templates.Parameters{HeaderText: &who, Named: map[string]templates.Value{"first_name": field("name"), "order_id": text("7")}})
	if got, _ := b.Preview(fields{"name": "Ada"}); got != "For Ada\nHi Ada, order 7 is here, Ada." {
		t.Errorf("Preview = %q", got)
	}
}

func BenchmarkAppend(b *testing.B) {
	bound := bind(b, parse(b, offer), offerParameters())
	who := fields{"name": "Zoë Bianchi", "attributes.coupon": "r/8fK2q"}
	dst := make([]byte, 0, 2048)
	b.ReportAllocs()
	for b.Loop() {
		if _, missing := bound.Append(dst, who); missing != "" {
			b.Fatal(missing)
		}
	}
}

// TestPageButton: the button's link ends with what the recipient's own page is opened by, and nobody without one is written to.
func TestPageButton(t *testing.T) {
	p := offerParameters()
	p.Buttons[0] = templates.Value{Page: "https://shop.example/"}
	b := bind(t, parse(t, offer), p)
	body, missing := b.Append(nil, fields{"page": "t0ken"})
	if missing != "" || !strings.Contains(string(body), `"sub_type":"url","index":"0","parameters":[{"type":"text","text":"t0ken"}]`) {
		t.Errorf("the message is %s, and misses %q", body, missing)
	}
	if text, _ := b.Preview(fields{"page": "t0ken"}); !strings.Contains(text, "[Vedi] https://shop.example/t0ken") {
		t.Errorf("the preview is %q", text)
	}
	if _, missing := b.Append(nil, fields{}); missing != "page" {
		t.Errorf("without a page the message misses %q", missing)
	}
}
