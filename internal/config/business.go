package config

import (
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/phone"
)

func (l *loader) readBusiness(root object) {
	v, found := root.require("business", "it names who sends, with name, country and timezone")
	if !found {
		return
	}
	o, ok := v.object(businessKeys)
	if !ok {
		return
	}
	if v, found := o.require("name", "people are told who writes to them"); found {
		l.cfg.Business.Name, _ = v.text("the name that people know the business by")
	}
	if v, found := o.require("country", "numbers without a country code are read as its numbers"); found {
		l.cfg.Business.Country, _ = v.country()
	}
	if v, found := o.require("timezone", "schedules without a zone of their own are in it"); found {
		l.cfg.Business.Timezone, _ = v.zone()
	}
}

// country returns an ISO 3166 code of two capitals.
func (v value) country() (string, bool) {
	text, ok := v.word("a country's two letters, such as IT")
	if !ok {
		return "", false
	}
	upper := strings.ToUpper(text)
	switch {
	case phone.CountryKnown(text):
		return text, true
	case phone.CountryKnown(upper):
		v.fail(errcode.UnknownCountry, "unknown country %q; did you mean %q?", text, upper)
	case upper == "UK":
		v.fail(errcode.UnknownCountry, "unknown country %q: the United Kingdom is GB", text)
	default:
		v.fail(errcode.UnknownCountry, "unknown country %q: write its two letters of ISO 3166, such as IT or BR", text)
	}
	return "", false
}

func (l *loader) readListen(root object) {
	listen := Listen{Webhook: defaultWebhook, Console: defaultConsole, Metrics: defaultMetrics}
	defer func() { l.cfg.Listen = listen }()
	v, found := root.get("listen")
	if !found {
		return
	}
	o, ok := v.object(listenKeys)
	if !ok {
		return
	}
	taken := map[string]string{}
	for _, it := range []struct {
		key  string
		into *string
	}{{"webhook", &listen.Webhook}, {"console", &listen.Console}, {"metrics", &listen.Metrics}} {
		v, found := o.get(it.key)
		if found {
			*it.into, _ = v.address()
		}
		if other, twice := taken[*it.into]; twice && *it.into != "" {
			at := v
			if !found {
				// The default of this key collides with what another one says.
				at, _ = o.get(other)
			}
			at.fail(errcode.AddressTwice, "%s and %s cannot both listen on %s", other, it.key, *it.into)
		}
		if _, port, _ := net.SplitHostPort(*it.into); port != "0" {
			taken[*it.into] = it.key
		}
	}
}

// address returns host:port.
func (v value) address() (string, bool) {
	const want = "an address with a port, such as 127.0.0.1:8080"
	text, ok := v.text(want)
	if !ok {
		return "", false
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil || strings.ContainsAny(host, " /@") {
		v.fail(errcode.InvalidAddress, "%s must be %s, not %q", v.name(), want, text)
		return "", false
	}
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(number, 10) != port {
		v.fail(errcode.InvalidAddress, "%s must be %s: %q is no port between 0 and 65535", v.name(), want, port)
		return "", false
	}
	return text, true
}

// webAddress returns an absolute address without a slash at its end.
func (v value) webAddress() (string, bool) {
	text, ok := v.exactAddress("an address such as https://wa.aurora.example")
	return strings.TrimRight(text, "/"), ok
}

// exactAddress returns an absolute address as it is written. Plain http is for this machine only: a token or a person's page
// does not travel in the clear.
func (v value) exactAddress(want string) (string, bool) {
	text, ok := v.text(want)
	if !ok {
		return "", false
	}
	parsed, err := url.Parse(text)
	switch {
	case err != nil || parsed.Host == "" || parsed.Hostname() == "" || parsed.Opaque != "":
		v.fail(errcode.InvalidAddress, "%s must be %s", v.name(), want)
	case parsed.User != nil || parsed.RawQuery != "" || parsed.ForceQuery || strings.Contains(text, "#"):
		v.fail(errcode.InvalidAddress, "%s must be an address without user, ? or #", v.name())
	case parsed.Scheme == "http" && !isThisMachine(parsed.Hostname()):
		v.fail(errcode.InsecureAddress, "%s must begin with https://; http:// is only for localhost, 127.0.0.1 and [::1]", v.name())
	case parsed.Scheme != "http" && parsed.Scheme != "https":
		v.fail(errcode.InvalidAddress, "%s must begin with https://", v.name())
	default:
		return text, true
	}
	return "", false
}

func isThisMachine(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}
