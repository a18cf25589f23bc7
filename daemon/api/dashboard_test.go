package api

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/windvane/windvane/daemon/ui"
)

var loads = regexp.MustCompile(`(?:src|href)="([^"]*)"`)

// The page and all that it loads come from this server, also under the path of a proxy, with a
// policy that lets a browser load nothing else.
func TestDashboard(t *testing.T) {
	for prefix, external := range map[string]*url.URL{"": nil, "/windvane": {Scheme: "https", Host: "ops.example.com", Path: "/windvane"}} {
		r := start(t, func(o *Options) { o.ExternalURL = external })
		code, page, h := r.do(http.MethodGet, prefix+"/", "", nil)
		if code != http.StatusOK || h.Get("Content-Security-Policy") != ui.Policy || strings.Contains(page, "<style") {
			t.Fatalf("%s: %d, %v\n%s", prefix, code, h, page)
		}
		found := loads.FindAllStringSubmatch(page, -1)
		if len(found) < 3 {
			t.Errorf("it loads %d files only", len(found))
		}
		for _, m := range found {
			path := prefix + "/" + strings.TrimPrefix(m[1], "./")
			code, _, h := r.do(http.MethodGet, path, "", map[string]string{"Accept-Encoding": "gzip"})
			if code != http.StatusOK || !strings.HasPrefix(m[1], "./") || h.Get("Content-Type") == "" || h.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: %d, %v", path, code, h)
			}
			if code, _, _ := r.do(http.MethodGet, path, "", map[string]string{"If-None-Match": h.Get("ETag")}); code != http.StatusNotModified {
				t.Errorf("%s, which is known: %d", path, code)
			}
		}
		if code, _, _ := r.do(http.MethodGet, prefix+"/assets/../../go.mod", "", nil); code == http.StatusOK {
			t.Error("there is more than the dashboard")
		}
	}
}
