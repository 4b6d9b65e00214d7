package console

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// contentPolicy lets a page run and look like nothing that this server did not send as a file of its own: no inline script,
// no inline style, no frame, no other site.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guard puts the headers on every answer and turns away what does not come from the operators' own browser.
func guard(next http.Handler, hosts []string) http.Handler {
	allowed := newHostList(hosts)
	origins := http.NewCrossOriginProtection()
	inner := origins.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer") // a search has a phone number in its address
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !allowed.has(r.Host) {
			http.Error(w, "This console answers to localhost and to the host of listen.console only. Open it by one of these, or name this host in listen.console.", http.StatusForbidden)
			return
		}
		inner.ServeHTTP(w, r)
	})
}

// hostList is the Host headers that are served. A page of another site can make a browser believe that the site's name leads
// here (DNS rebinding) and would then read everything; its requests carry that name.
type hostList struct {
	names      []string
	anyAddress bool
}

func newHostList(hosts []string) hostList {
	list := hostList{names: []string{"localhost", "127.0.0.1", "::1"}}
	for _, host := range hosts {
		name := bareHost(host)
		address, err := netip.ParseAddr(name)
		if name == "" || (err == nil && address.IsUnspecified()) {
			list.anyAddress = true
			continue
		}
		list.names = append(list.names, name)
	}
	return list
}

func (l hostList) has(host string) bool {
	name := bareHost(host)
	if slices.Contains(l.names, name) {
		return true
	}
	// An address cannot be rebound: the browser asked for this very machine.
	_, err := netip.ParseAddr(name)
	return l.anyAddress && err == nil
}

// bareHost is a host in lower case without port, brackets and final dot.
func bareHost(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
