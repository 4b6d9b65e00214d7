package main

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/sandbox"
)

// wholeExample is the whole example of the public interface in a world: with the world's addresses and dates around today.
func wholeExample(t *testing.T, w *world) {
	t.Helper()
	text, err := os.ReadFile("../../internal/config/testdata/contract.yaml")
	if err != nil {
		t.Fatal(err)
	}
	mine, err := os.ReadFile(w.path("config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	addresses := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindAllString(string(mine), -1)
	w.env["NOTIFY_SECRET"] = "secret-of-notifications"
	whole := strings.NewReplacer(
		"127.0.0.1:8080", addresses[0], "127.0.0.1:8081", addresses[1], "127.0.0.1:8082", addresses[2],
		"https://graph.facebook.com", regexp.MustCompile(`base_url: (\S+)`).FindStringSubmatch(string(mine))[1],
		"https://ops.aurora.example", "http://127.0.0.1:1",
		"2026-12-01T00:00:00+01:00", time.Now().AddDate(0, -1, 0).UTC().Format(time.RFC3339),
		"2026-12-31T20:00:00+01:00", time.Now().AddDate(1, 0, 0).UTC().Format(time.RFC3339),
	).Replace(string(text))
	w.write("config.yaml", whole)
	w.write("rates.csv", invented)
	if err := os.Mkdir(w.path("campaigns"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.write("campaigns/order-ready.yaml", "campaigns:\n  - {id: order-ready, category: orders, template: order_update, languages: [en], number: \"111222333444\", "+
		"parameters: {body: {first_name: {field: name, default: reader}, order: {text: A-1}}}}\n")
}

// TestTheWholeContractExampleRuns takes a shop through its first day with the whole example of the public interface.
func TestTheWholeContractExampleRuns(t *testing.T) {
	const shop = "+393471234567" // test_phones of the example
	w := newWorld(t)
	wholeExample(t, w)
	for _, template := range sandbox.DemoTemplates()[:2] {
		withPicture := strings.Replace(string(template), `"components":[`, `"components":[{"type":"HEADER","format":"IMAGE"},`, 1)
		if err := w.meta.PutTemplate(json.RawMessage(withPicture)); err != nil {
			t.Fatal(err)
		}
	}
	if out := w.must("check"); !strings.Contains(out, "2 campaigns, 2 categories, 1 number") {
		t.Errorf("check:\n%s", out)
	}
	w.must("check", "--online")
	contacts, consents := "phone,name,language,tags,points,birthday,coupon\n", "phone,category,action,at,source,wording,evidence\n"
	for i, phone := range []string{shop, phoneOf(1), phoneOf(2), phoneOf(3), "+12125551500"} {
		contacts += phone + ",Ada,it,vip," + []string{"120", "100", "99.5", "500", "500"}[i] + ",1990-05-01,libri\n"
		if phone != phoneOf(3) {
			consents += phone + ",offers,granted," + time.Now().AddDate(0, -1, 0).Format(time.RFC3339) + ",web_form,Sì alle offerte di Libreria Aurora,form-1\n"
		}
	}
	w.must("contacts", "import", w.write("contacts.csv", contacts))
	w.must("consent", "import", w.write("consents.csv", consents))
	w.must("templates", "sync")

	friday := time.Now().AddDate(0, 0, (11-int(time.Now().Weekday()))%7+1).Format("2006-01-02") + "T18:30"
	plan := w.object("plan", "weekend-offer", "--at", friday)
	denied, _ := plan["denied"].(map[string]any)
	if plan["matched"] != 3.0 || plan["filter"] != `country = "IT" AND segment.rich` || denied["no_consent"] != 1.0 {
		t.Errorf("of three rich Italians one never consented: %v", plan)
	}
	if fires := w.lines("plan", "weekend-offer", "--next", "30d"); len(fires) < 4 || !strings.HasSuffix(fires[0]["local"].(string), "T18:00") {
		t.Errorf("fires: %v", fires)
	}
	if e := w.object("explain", "weekend-offer", phoneOf(2)); e["reason"] != "not_in_audience" {
		t.Errorf("half a point too few: %v", e)
	}

	// A test goes out at any hour, with everything that the example puts into the message.
	if r := w.object("run", "weekend-offer", "--test"); r["states"].(map[string]any)["read"] != 1.0 {
		t.Errorf("the test run: %v", r)
	}
	sent := w.meta.Received()
	if len(sent) != 1 || sent[0].Language != "it" || sent[0].NumberID != "111222333444" {
		t.Fatalf("%d messages left: %v", len(sent), sent)
	}
	for _, part := range []string{"https://aurora.example/libri.jpg", `"Ada"`, `"30 novembre"`, `"libri"`, `"payload"`} {
		if !strings.Contains(string(sent[0].Components), part) {
			t.Errorf("the message lacks %s: %s", part, sent[0].Components)
		}
	}
}
