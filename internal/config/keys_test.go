package config_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/scheduler"
)

// keyCase shows that a key changes something: what read returns differs between the configuration without the key (or
// with another value) and the one with it, where it is want.
type keyCase struct {
	without, with string
	read          func(*config.Config) any
	want          any
}

func inHead(from, to string) string { return strings.Replace(head, from, to, 1) + tail }

func campaign(keys string) string { return head + tail + keys }

func schedule(keys string) string {
	return campaign("    schedule: {cron: \"0 18 * * FRI\"" + keys + "}\n")
}

func parameters(text string) string { return campaign("    parameters: " + text + "\n") }

func section(text string) string { return head + text + tail }

// ratesKey names the price list of the tests, wherever the configuration is.
var ratesKey = func() string {
	path, err := filepath.Abs("testdata/rates.csv")
	if err != nil {
		panic(err)
	}
	return "rates: " + path + "\n"
}()

func first(c *config.Config) scheduler.Campaign { return c.Campaigns[0] }

// asJSON lets the cases name what pointers point to.
func asJSON(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return string(text)
}

func keyCases() map[string]keyCase {
	plain := head + tail
	cases := map[string]keyCase{
		"business.name": {plain, inHead("Libreria Aurora", "Bottega"), func(c *config.Config) any { return c.Business.Name }, "Bottega"},
		"business.country": {section("test_phones: [\"3471234567\"]\n"), strings.Replace(section("test_phones: [\"06 12 34 56 78\"]\n"), "country: IT", "country: FR", 1),
			func(c *config.Config) any { return asJSON(c.TestPhones) }, `["+33612345678"]`},
		"business.timezone": {plain, inHead("Europe/Rome", "America/Sao_Paulo"), func(c *config.Config) any { return first(c).Zone }, "America/Sao_Paulo"},
		"database":          {plain, section("database: sqlite:/var/lib/p.db\n"), func(c *config.Config) any { return c.Database }, "sqlite:/var/lib/p.db"},
		"state_dir":         {plain, section("state_dir: /var/lib/permesso\n"), func(c *config.Config) any { return c.StateDir }, "/var/lib/permesso"},
		"public_url":        {plain, section("public_url: https://wa.aurora.example/\n"), func(c *config.Config) any { return c.PublicURL }, "https://wa.aurora.example"},
		"listen.webhook":    {plain, section("listen: {webhook: 0.0.0.0:80}\n"), func(c *config.Config) any { return c.Listen.Webhook }, "0.0.0.0:80"},
		"listen.console":    {plain, section("listen: {console: \"[::1]:81\"}\n"), func(c *config.Config) any { return c.Listen.Console }, "[::1]:81"},
		"listen.metrics":    {plain, section("listen: {metrics: localhost:0}\n"), func(c *config.Config) any { return c.Listen.Metrics }, "localhost:0"},
		"graph.base_url": {plain, inHead("graph:\n", "graph:\n  base_url: http://127.0.0.1:9000\n"),
			func(c *config.Config) any { return c.Graph.BaseURL }, "http://127.0.0.1:9000"},
		"graph.version":      {plain, inHead("graph:\n", "graph:\n  version: v26.0\n"), func(c *config.Config) any { return c.Graph.Version }, "v26.0"},
		"graph.account_id":   {plain, inHead("500600700800", "500600700801"), func(c *config.Config) any { return c.Graph.AccountID }, "500600700801"},
		"graph.access_token": {plain, inHead("token: ${WHATSAPP_ACCESS_TOKEN}", "token: ${WHATSAPP_APP_SECRET}"), func(c *config.Config) any { return c.Graph.AccessToken.Reveal() }, "value-of-WHATSAPP_APP_SECRET"},
		"graph.app_secret": {plain, inHead("${WHATSAPP_APP_SECRET}", `["${WHATSAPP_VERIFY_TOKEN}", "${WHATSAPP_APP_SECRET}"]`),
			func(c *config.Config) any { return fmt.Sprint(len(c.Graph.AppSecrets), c.Graph.AppSecrets[0].Reveal()) }, "2value-of-WHATSAPP_VERIFY_TOKEN"},
		"graph.verify_token":            {plain, inHead("token: ${WHATSAPP_VERIFY_TOKEN}", "token: ${WHATSAPP_APP_SECRET}"), func(c *config.Config) any { return c.Graph.VerifyToken.Reveal() }, "value-of-WHATSAPP_APP_SECRET"},
		"numbers[].id":                  {plain, inHead("111222333444", "999"), func(c *config.Config) any { return c.Numbers[0].ID }, "999"},
		"numbers[].messages_per_second": {plain, inHead("80}", "12.5}"), func(c *config.Config) any { return c.Numbers[0].MessagesPerSecond }, 12.5},
		"numbers[].phone":               {plain, inHead("80}", `80, phone: "06 9898 7654"}`), func(c *config.Config) any { return string(c.ReplyNumber()) }, "+390698987654"},
		"numbers[].messaging_limit":     {plain, inHead("80}", "80, messaging_limit: 250}"), func(c *config.Config) any { return asJSON(c.MessagingLimit()) }, "250"},
		"categories.*.kind":             {plain, inHead("{kind: marketing}", "{kind: authentication}"), func(c *config.Config) any { return string(c.Rules.Categories["offers"].Kind) }, "authentication"},
		"categories.*.title":            {plain, inHead("{kind: marketing}", "{kind: marketing, title: {pt-BR: Ofertas}}"), func(c *config.Config) any { return c.Rules.Categories["offers"].Title["pt-BR"] }, "Ofertas"},
		"categories.*.consent_expires_after": {plain, inHead("{kind: marketing}", "{kind: marketing, consent_expires_after: 1d12h}"),
			func(c *config.Config) any { return c.Rules.Categories["offers"].ConsentExpiresAfter.String() }, "36h0m0s"},
		"attributes":  {plain, section("attributes: {points: number, birthday: date, city: text}\n"), func(c *config.Config) any { return asJSON(c.Attributes) }, `{"birthday":"date","city":"text","points":"number"}`},
		"segments":    {plain, section("segments: {rich: country = \"IT\"}\n"), func(c *config.Config) any { return len(c.Segments) }, 1},
		"test_phones": {plain, section("test_phones: [\"+393471234567\"]\n"), func(c *config.Config) any { return asJSON(c.TestPhones) }, `["+393471234567"]`},
		"dry_run":     {plain, section("dry_run: true\n"), func(c *config.Config) any { return c.DryRun }, true},
		"policy.recipient_timezone": {section("policy: {recipient_timezone: strict}\n"), section("policy: {recipient_timezone: loose}\n"),
			func(c *config.Config) any { return c.Rules.LooseZones }, true},
		"approvals":              {plain, section("approvals: {above: 10000}\n"), func(c *config.Config) any { return asJSON(c.ApproveAbove) }, "10000"},
		"rates":                  {plain, section(ratesKey), func(c *config.Config) any { return c.Rules.Rates.Currency() }, "EUR"},
		"retention":              {plain, section("retention: {deliveries: 395d}\n"), func(c *config.Config) any { return c.Retention.Any() }, true},
		"retention.deliveries":   {plain, section("retention: {deliveries: 40d}\n"), func(c *config.Config) any { return c.Retention.Deliveries.Hours() }, 960.0},
		"retention.webhooks":     {plain, section("retention: {webhooks: 7d}\n"), func(c *config.Config) any { return c.Retention.Webhooks.Hours() }, 168.0},
		"retention.review_texts": {plain, section("retention: {review_texts: 12h}\n"), func(c *config.Config) any { return c.Retention.ReviewTexts.Hours() }, 12.0},
		"approvals.above":        {section("approvals: {above: 1}\n"), section("approvals: {above: 0}\n"), func(c *config.Config) any { return asJSON(c.ApproveAbove) }, "0"},
		"notify.url": {section("notify: {url: https://ops.aurora.example/hook, secret: \"${NOTIFY_SECRET}\"}\n"), section("notify: {url: http://127.0.0.1:9/hook/, secret: \"${NOTIFY_SECRET}\"}\n"),
			func(c *config.Config) any { return c.Notify.URL }, "http://127.0.0.1:9/hook/"},
		"notify.secret": {section("notify: {url: https://ops.aurora.example/hook, secret: \"${WHATSAPP_APP_SECRET}\"}\n"), section("notify: {url: https://ops.aurora.example/hook, secret: \"${NOTIFY_SECRET}\"}\n"),
			func(c *config.Config) any { return c.Notify.Key.Reveal() }, "value-of-NOTIFY_SECRET-that-is-long"},
		"replies.url": {section("replies: {url: https://crm.aurora.example/hook, secret: \"${REPLIES_SECRET}\"}\n"), section("replies: {url: http://127.0.0.1:9/in, secret: \"${REPLIES_SECRET}\"}\n"),
			func(c *config.Config) any { return c.Replies.URL }, "http://127.0.0.1:9/in"},
		"replies.secret": {section("replies: {url: https://crm.aurora.example/hook, secret: \"${NOTIFY_SECRET}\"}\n"), section("replies: {url: https://crm.aurora.example/hook, secret: \"${REPLIES_SECRET}\"}\n"),
			func(c *config.Config) any { return c.Replies.Key.Reveal() }, "value-of-REPLIES_SECRET-that-is-long"},
		"opt_out.confirmation": {plain, section("opt_out: {confirmation: {it: \"Fatto. {{business}}\", en: Done.}}\n"), func(c *config.Config) any { return asJSON(c.OptOutConfirmation) },
			`[{"Language":"it","Text":"Fatto. Libreria Aurora"},{"Language":"en","Text":"Done."}]`},
		"opt_out.help":     {plain, section("opt_out: {help: {en: \"{{business}}: write STOP to stop.\"}}\n"), func(c *config.Config) any { return asJSON(c.OptOutHelp) }, `[{"Language":"en","Text":"Libreria Aurora: write STOP to stop."}]`},
		"opt_in.keywords":  {plain, section("opt_in: {keywords: {en: [count me in]}}\n"), func(c *config.Config) any { return asJSON(c.OptIn.Keywords) }, `{"en":["count me in"]}`},
		"opt_in.pages":     {plain, strings.Replace(section("opt_in: {pages: [offers]}\n"), "80}", `80, phone: "+390698987654"}`, 1), func(c *config.Config) any { return asJSON(c.OptIn.Pages) }, `["offers"]`},
		"opt_out.keywords": {plain, section("opt_out: {keywords: {it: [lasciami in pace]}}\n"), func(c *config.Config) any { return asJSON(c.OptOutKeywords) }, `{"it":["lasciami in pace"]}`},
	}
	// These sections have no meaning but through their keys, which have cases of their own.
	for name, through := range map[string]string{"business": "business.name", "listen": "listen.webhook", "graph": "graph.version", "numbers": "numbers[].id",
		"categories": "categories.*.kind", "policy": "policy.recipient_timezone", "opt_out": "opt_out.keywords", "opt_in": "opt_in.keywords", "notify": "notify.url", "replies": "replies.url"} {
		cases[name] = cases[through]
	}
	addPolicyCases(cases)
	addCampaignCases(cases)
	addParameterCases(cases)
	return cases
}

func addPolicyCases(cases map[string]keyCase) {
	caps := func(text string) string { return section("policy: {caps: [" + text + "]}\n") }
	readCaps := func(c *config.Config) any { return asJSON(c.Rules.Caps) }
	quiet := func(text string) string { return section("policy: {quiet_hours: {" + text + "}}\n") }
	readQuiet := func(c *config.Config) any { return asJSON(c.Rules.QuietHours) }
	countries := func(c *config.Config) any { return asJSON(c.Rules.Countries) }
	one := caps("{max: 1, per: 24h}")
	capOf := func(top string, per int64, kind, category, campaign string) string {
		return fmt.Sprintf(`[{"Max":%s,"Per":%d,"Kind":"%s","Category":"%s","Campaign":"%s"}]`, top, per, kind, category, campaign)
	}
	const day = int64(24 * 60 * 60 * 1e9)
	for name, c := range map[string]keyCase{
		"policy.caps":              {head + tail, one, readCaps, capOf("1", day, "", "", "")},
		"policy.caps[].max":        {one, caps("{max: 0, per: 24h}"), readCaps, capOf("0", day, "", "", "")},
		"policy.caps[].per":        {one, caps("{max: 1, per: 7d}"), readCaps, capOf("1", 7*day, "", "", "")},
		"policy.caps[].kind":       {one, caps("{max: 1, per: 24h, kind: utility}"), readCaps, capOf("1", day, "utility", "", "")},
		"policy.caps[].category":   {one, caps("{max: 1, per: 24h, category: offers}"), readCaps, capOf("1", day, "", "offers", "")},
		"policy.caps[].campaign":   {one, caps("{max: 1, per: 24h, campaign: weekend-offer}"), readCaps, capOf("1", day, "", "", "weekend-offer")},
		"policy.quiet_hours":       {head + tail, quiet(`from: "20:00", to: "09:00"`), readQuiet, `{"From":1200,"To":540,"Kind":""}`},
		"policy.quiet_hours.from":  {quiet(`from: "20:00", to: "09:00"`), quiet(`from: "21:30", to: "09:00"`), readQuiet, `{"From":1290,"To":540,"Kind":""}`},
		"policy.quiet_hours.to":    {quiet(`from: "20:00", to: "09:00"`), quiet(`from: "20:00", to: "24:00"`), readQuiet, `{"From":1200,"To":1440,"Kind":""}`},
		"policy.quiet_hours.kind":  {quiet(`from: "20:00", to: "09:00"`), quiet(`from: "20:00", to: "09:00", kind: marketing`), readQuiet, `{"From":1200,"To":540,"Kind":"marketing"}`},
		"policy.holidays":          {head + tail, section("policy: {holidays: [IT, FR]}\n"), func(c *config.Config) any { return asJSON(c.Rules.Holidays) }, `{"countries":["IT","FR"]}`},
		"policy.universal_holdout": {section("policy: {universal_holdout: 0%}\n"), section("policy: {universal_holdout: 2%}\n"), func(c *config.Config) any { return c.Rules.UniversalHoldout.String() }, "2%"},
		"policy.countries":         {head + tail, section("policy: {countries: {marketing: {deny: [US]}}}\n"), countries, `{"marketing":{"Allow":null,"Deny":["US"]}}`},
		"policy.countries.*.allow": {head + tail, section("policy: {countries: {utility: {allow: [IT, SM]}}}\n"), countries, `{"utility":{"Allow":["IT","SM"],"Deny":null}}`},
		"policy.countries.*.deny":  {head + tail, section("policy: {countries: {authentication: {deny: [NO]}}}\n"), countries, `{"authentication":{"Allow":null,"Deny":["NO"]}}`},
	} {
		cases[name] = c
	}
}

func addCampaignCases(cases map[string]keyCase) {
	read := func(of func(scheduler.Campaign) any) func(*config.Config) any {
		return func(c *config.Config) any { return of(first(c)) }
	}
	in := func(from, to string) string { return head + strings.Replace(tail, from, to, 1) }
	two := inHead("80}\n", "80}\n  - {id: \"222\", messages_per_second: 1}\n")
	window := read(func(c scheduler.Campaign) any { return asJSON(c.Window) })
	for name, c := range map[string]keyCase{
		"campaigns":             {head, head + tail, func(c *config.Config) any { return len(c.Campaigns) }, 1},
		"campaigns[].id":        {head + tail, in("weekend-offer", "x_1"), read(func(c scheduler.Campaign) any { return c.ID }), "x_1"},
		"campaigns[].category":  {head + tail, in("category: offers", "category: orders"), read(func(c scheduler.Campaign) any { return c.Category }), "orders"},
		"campaigns[].template":  {head + tail, in("weekend_offer", "w2"), read(func(c scheduler.Campaign) any { return c.Message.Template }), "w2"},
		"campaigns[].languages": {head + tail, in("[it, en_US]", "[fil]"), read(func(c scheduler.Campaign) any { return c.Message.Languages[0] }), "fil"},
		"campaigns[].number":    {two + "    number: \"111222333444\"\n", two + "    number: \"222\"\n", read(func(c scheduler.Campaign) any { return c.Number }), "222"},
		"campaigns[].endpoint":  {head + tail, campaign("    endpoint: messages\n"), read(func(c scheduler.Campaign) any { return string(c.Endpoint) }), "messages"},
		"campaigns[].priority":  {head + tail, campaign("    priority: -3\n"), read(func(c scheduler.Campaign) any { return c.Priority }), -3},
		"campaigns[].holdout":   {head + tail, campaign("    holdout: 0.5%\n"), read(func(c scheduler.Campaign) any { return int(c.Holdout) }), 5000},
		"campaigns[].budget": {section(ratesKey), section(ratesKey) + "    budget: 500 EUR\n",
			read(func(c scheduler.Campaign) any { return asJSON(c.Budget) }), `{"currency":"EUR","amount":500.00}`},
		"campaigns[].max_recipients":          {head + tail, campaign("    max_recipients: 7\n"), read(func(c scheduler.Campaign) any { return asJSON(c.MaxRecipients) }), "7"},
		"campaigns[].not_after":               {head + tail, campaign("    not_after: 2026-12-31T20:00:00+01:00\n"), read(func(c scheduler.Campaign) any { return asJSON(c.NotAfter) }), `"2026-12-31T19:00:00Z"`},
		"campaigns[].audience":                {head + tail, campaign("    audience: country = \"IT\"\n"), read(func(c scheduler.Campaign) any { return c.Audience }), `country = "IT"`},
		"campaigns[].window":                  {head + tail, campaign("    window: {from: \"18:00\", to: \"20:00\"}\n"), window, `{"From":1080,"To":1200,"In":"recipient"}`},
		"campaigns[].window.from":             {campaign("    window: {from: \"18:00\", to: \"20:00\"}\n"), campaign("    window: {from: 17:30, to: \"20:00\"}\n"), window, `{"From":1050,"To":1200,"In":"recipient"}`},
		"campaigns[].window.to":               {campaign("    window: {from: \"18:00\", to: \"20:00\"}\n"), campaign("    window: {from: \"18:00\", to: \"02:00\"}\n"), window, `{"From":1080,"To":120,"In":"recipient"}`},
		"campaigns[].window.in":               {campaign("    window: {from: \"18:00\", to: \"20:00\"}\n"), campaign("    window: {from: \"18:00\", to: \"20:00\", in: campaign}\n"), window, `{"From":1080,"To":1200,"In":"campaign"}`},
		"campaigns[].waves":                   {head + tail, campaign("    waves: [1%, 5%]\n"), read(func(c scheduler.Campaign) any { return asJSON(c.Waves) }), "[10000,50000]"},
		"campaigns[].guard":                   {head + tail, campaign("    guard: {failures: 10%, opt_outs_per_1000: 15}\n"), read(func(c scheduler.Campaign) any { return asJSON(c.Guard) }), `{"opt_outs_per_1000":15,"failures":100000}`},
		"campaigns[].guard.opt_outs_per_1000": {head + tail, campaign("    guard: {opt_outs_per_1000: 2.5}\n"), read(func(c scheduler.Campaign) any { return asJSON(c.Guard) }), `{"opt_outs_per_1000":2.5}`},
		"campaigns[].guard.failures":          {head + tail, campaign("    guard: {failures: 0%}\n"), read(func(c scheduler.Campaign) any { return asJSON(c.Guard) }), `{"failures":0}`},
	} {
		cases[name] = c
	}
	readSchedule := read(func(c scheduler.Campaign) any { return c.Schedule })
	const defaults = `,"zone":"Europe/Rome","catch_up":"once","catch_up_within":7200000000000,"overlap":"skip"`
	const friday = `{"cron":"0 18 * * FRI"`
	for key, c := range map[string]struct{ with, want string }{
		"cron":            {campaign("    schedule: {cron: \"30 9 * * *\"}\n"), `{"cron":"30 9 * * *"` + defaults + "}"},
		"at":              {campaign("    schedule: {at: \"2026-12-24T18:00:00+01:00\"}\n"), `{"at":"2026-12-24T17:00:00Z"` + defaults + "}"},
		"timezone":        {schedule(", timezone: Asia/Tokyo"), friday + strings.Replace(defaults, "Europe/Rome", "Asia/Tokyo", 1) + "}"},
		"catch_up":        {schedule(", catch_up: all"), friday + strings.Replace(defaults, "once", "all", 1) + "}"},
		"catch_up_within": {schedule(", catch_up_within: 90m"), friday + strings.Replace(defaults, "7200", "5400", 1) + "}"},
		"overlap":         {schedule(", overlap: queue"), friday + strings.Replace(defaults, `"skip"`, `"queue"`, 1) + "}"},
		"starts_at":       {schedule(", starts_at: 2026-12-01T00:00:00+01:00"), friday + defaults + `,"starts_at":"2026-11-30T23:00:00Z"}`},
		"ends_at":         {schedule(", ends_at: 2027-12-01T00:00:00Z"), friday + defaults + `,"ends_at":"2027-12-01T00:00:00Z"}`},
	} {
		cases["campaigns[].schedule."+key] = keyCase{schedule(""), c.with, func(c *config.Config) any { return asJSON(readSchedule(c)) }, c.want}
	}
	cases["campaigns[].schedule"] = keyCase{head + tail, schedule(""), func(c *config.Config) any { return asJSON(readSchedule(c)) }, friday + defaults + "}"}
}

func addParameterCases(cases map[string]keyCase) {
	const at = "campaigns[].parameters"
	for key, c := range map[string][2]string{
		"":                          {`{body: [Ciao]}`, `{"body":[{"text":"Ciao"}]}`},
		".header":                   {`{header: Ciao}`, `{"header_text":{"text":"Ciao"}}`},
		".header.text":              {`{header: {text: Ciao}}`, `{"header_text":{"text":"Ciao"}}`},
		".header.field":             {`{header: {field: name}}`, `{"header_text":{"field":"name"}}`},
		".header.default":           {`{header: {field: name, default: x}}`, `{"header_text":{"field":"name","default":"x"}}`},
		".header.image":             {`{header: {image: {link: "https://a.example/b.jpg"}}}`, `{"header_media":{"format":"image","link":"https://a.example/b.jpg"}}`},
		".header.image.link":        {`{header: {image: {link: "https://a.example/c.jpg"}}}`, `{"header_media":{"format":"image","link":"https://a.example/c.jpg"}}`},
		".header.image.id":          {`{header: {image: {id: "12"}}}`, `{"header_media":{"format":"image","id":"12"}}`},
		".header.video":             {`{header: {video: {id: "12"}}}`, `{"header_media":{"format":"video","id":"12"}}`},
		".header.document":          {`{header: {document: {id: "12"}}}`, `{"header_media":{"format":"document","id":"12"}}`},
		".header.document.id":       {`{header: {document: {id: "13"}}}`, `{"header_media":{"format":"document","id":"13"}}`},
		".header.document.link":     {`{header: {document: {link: "https://a.example/b.pdf"}}}`, `{"header_media":{"format":"document","link":"https://a.example/b.pdf"}}`},
		".header.document.filename": {`{header: {document: {id: "12", filename: a.pdf}}}`, `{"header_media":{"format":"document","id":"12","filename":"a.pdf"}}`},
		".body":                     {`{body: {who: {field: name}}}`, `{"named":{"who":{"field":"name"}}}`},
		".body[].text":              {`{body: [{text: "30"}]}`, `{"body":[{"text":"30"}]}`},
		".body[].field":             {`{body: [{field: attributes.città}]}`, `{"body":[{"field":"attributes.città"}]}`},
		".body[].default":           {`{body: [{field: name, default: lettore}]}`, `{"body":[{"field":"name","default":"lettore"}]}`},
		".buttons":                  {`{buttons: {0: abc}}`, `{"buttons":{"0":{"text":"abc"}}}`},
		".buttons.*.text":           {`{buttons: {"2": {text: abc}}}`, `{"buttons":{"2":{"text":"abc"}}}`},
		".buttons.*.field":          {`{buttons: {0: {field: external_id}}}`, `{"buttons":{"0":{"field":"external_id"}}}`},
		".buttons.*.default":        {`{buttons: {0: {field: country, default: x}}}`, `{"buttons":{"0":{"field":"country","default":"x"}}}`},
		".buttons.*.payload":        {`{buttons: {1: {payload: opt_out}}}`, `{"buttons":{"1":{"payload":"opt_out"}}}`},
	} {
		cases[at+key] = keyCase{head + tail, parameters(c[0]), func(c *config.Config) any { return asJSON(first(c).Message.Parameters) }, c[1]}
	}
	cases[at+".buttons.*.page"] = keyCase{head + tail, "public_url: https://wa.aurora.example\n" + parameters(`{buttons: {0: {page: true}}}`),
		func(c *config.Config) any { return asJSON(first(c).Message.Parameters) }, `{"buttons":{"0":{"page":"https://wa.aurora.example/p/"}}}`}
}

func TestEveryKeyChangesSomething(t *testing.T) {
	cases := keyCases()
	for _, key := range config.Keys() {
		if key == "version" || key == "include" {
			continue // TestVersion, TestInclude
		}
		t.Run(key, func(t *testing.T) {
			c, found := cases[key]
			if !found {
				t.Fatal("this key has no case: show that it changes something")
			}
			if without := c.read(mustLoad(t, c.without)); cmp.Equal(without, c.want) {
				t.Errorf("without the key it is %v as well", without)
			}
			if diff := cmp.Diff(c.want, c.read(mustLoad(t, c.with))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	for _, text := range []string{"version: 2", "version: 0", "version: \"1\"", "version: one", "version: 1.0"} {
		if problems := problemsOf(t, inHead("version: 1", text)); len(problems) != 1 || problems[0].Line != 1 {
			t.Errorf("%s is not refused: %v", text, problems)
		}
	}
}

func TestInclude(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "odd [name] *")
	list := strings.TrimPrefix(tail, "campaigns:\n")
	write(t, filepath.Join(folder, "campaigns", "b.yaml"), strings.ReplaceAll(tail, "weekend", "monday"))
	write(t, filepath.Join(folder, "campaigns", "a.yaml"), strings.ReplaceAll(list, "weekend", "friday"))
	write(t, filepath.Join(folder, "more", "c.yaml"), "campaigns: []\n")
	path := filepath.Join(folder, "config.yaml")
	write(t, path, head+tail+"include: [campaigns/*.yaml, campaigns/b.yaml, more/c.yaml]\n")
	c, err := config.Load(path, secrets)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, campaign := range c.Campaigns {
		ids = append(ids, campaign.ID)
	}
	if diff := cmp.Diff([]string{"weekend-offer", "friday-offer", "monday-offer"}, ids); diff != "" {
		t.Error(diff)
	}
}
