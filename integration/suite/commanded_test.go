//go:build integration

package suite

import (
	"io"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/windvane/windvane/integration/stack"
)

func TestCommandedIsObserved(t *testing.T) {
	ctx := t.Context()
	shop, err := shared.StartShop(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"v1", "v2"} {
		port := map[string]string{"v1": "19001", "v2": "19002"}[v]
		if _, err := shared.Run("node-"+v, filepath.Join(nodeDir, "node"), nil, "--listen", "127.0.0.1:"+port, "--version", v,
			"--service", "information=100us,1ms", "--service", "compute=100us,1ms"); err != nil {
			t.Fatal(err)
		}
		if err := shop.AddNode(ctx, "node-"+v, v, port); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(2 * time.Second)
	count := map[string]int{}
	for range 400 {
		a, err := http.Get(shop.URL("information"))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, a.Body)
		a.Body.Close()
		count[a.Status+" "+a.Header.Get("X-Version")]++
	}
	t.Log(count)
	text, err := shop.Gateway.Ask(ctx, "/stats/prometheus")
	t.Log(text, err)
	_ = stack.Admin
}
