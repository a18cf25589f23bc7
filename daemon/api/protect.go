package api

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// protect is what every request passes first. Reading needs nothing; but a web page from
// elsewhere gets no answer that it may read, and has nothing done.
//
// A browser lets a page read answers of the page's own origin only. With a name that its
// owner points to 127.0.0.1 a page can make windvane its own origin, which the Host header
// gives away: on loopback it has to be an address, localhost, or the external URL's host. On
// other addresses any name may be windvane's, and who reaches it may read, as with Prometheus.
func protect(next http.Handler, listener net.Addr, external *url.URL) (http.Handler, error) {
	origins := http.NewCrossOriginProtection()
	if external != nil {
		if err := origins.AddTrustedOrigin(external.Scheme + "://" + external.Host); err != nil {
			return nil, err
		}
	}
	origins.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fail(w, &Error{http.StatusForbidden, errors.New("a web page of another origin may not act here")})
	}))
	next = origins.Handler(next)
	tcp, _ := listener.(*net.TCPAddr)
	loopback := tcp != nil && tcp.IP.IsLoopback()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		if loopback && !ownHost(r.Host, external) {
			fail(w, &Error{http.StatusForbidden, errors.New("the Host header is neither an address nor localhost, as when a web page has its own name point here; " +
				"behind a proxy, start windvane with --web.external-url")})
			return
		}
		next.ServeHTTP(w, r)
	}), nil
}

// ownHost reports whether a Host header cannot be the name of a page from elsewhere.
func ownHost(header string, external *url.URL) bool {
	if external != nil && strings.EqualFold(header, external.Host) {
		return true
	}
	host := header
	if h, _, err := net.SplitHostPort(header); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	address := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(address) != nil
}

// What keeps answers that are no pages from being used as such.
const (
	policyHeader = "Content-Security-Policy"
	policyText   = "default-src 'none'; frame-ancestors 'none'"
)

// secure sets the headers that keep a browser from doing more with an answer than
// showing it, except where --web.config.file has set them otherwise.
func secure(h http.Header) {
	for name, value := range map[string]string{
		policyHeader:                   policyText,
		"Cross-Origin-Resource-Policy": "same-origin",
		"Referrer-Policy":              "no-referrer",
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "deny",
	} {
		if h.Get(name) == "" {
			h.Set(name, value)
		}
	}
}
