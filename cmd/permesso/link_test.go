package main

import (
	"net/url"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/permesso/permesso/policy"
)

func TestContactsLink(t *testing.T) {
	w := filled(t)
	if a := w.run("contacts", "link", phoneOf(1)); a.code == 0 || !strings.Contains(a.err, "public_url") {
		t.Errorf("without public_url: %d %s", a.code, a.err)
	}
	w.edit("database: sqlite", "public_url: https://wa.aurora.example\ndatabase: sqlite")
	said := w.object("contacts", "link", phoneOf(1))
	link, err := url.Parse(said["url"].(string))
	if err != nil || link.Host != "wa.aurora.example" || path.Dir(link.Path)+"/" != policy.PagePath || strings.Contains(link.Path, phoneOf(1)[3:]) {
		t.Errorf("the link is %v, %v", said["url"], err)
	}
	until, err := time.Parse(time.RFC3339, said["until"].(string))
	if err != nil || time.Until(until) > policy.PageLinkLife || time.Until(until) < policy.PageLinkLife-2*time.Hour {
		t.Errorf("the link works until %v, %v", said["until"], err)
	}
	if out := w.must("contacts", "link", phoneOf(1)); !strings.HasPrefix(out, "https://wa.aurora.example/p/") || strings.Count(out, "\n") != 1 {
		t.Errorf("the link alone is printed, and it is %q", out)
	}
	if a := w.run("contacts", "link", "+393479999999"); a.code != exitFailed || !strings.Contains(a.err, "no contact") {
		t.Errorf("a number that was never met: %d %s", a.code, a.err)
	}

	// A button that is to lead to the person's page and leads elsewhere at Meta: nothing is sent.
	w.edit("{0: {field: attributes.coupon}, 1: {payload: opt_out}}\n  - id: order", "{0: {page: true}, 1: {payload: opt_out}}\n  - id: order")
	w.must("templates", "sync")
	if a := w.run("run", "weekend-offer"); a.code != exitRefused || !strings.Contains(a.err, "its link must be https://wa.aurora.example/p/{{1}}") {
		t.Errorf("a button that leads elsewhere: %d %s", a.code, a.err)
	}
}
