package station

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/plugins/serve"
)

// TestMain lets the test binary serve the built-in policies, as windvane does.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "plugin" && os.Args[2] == "serve" {
		os.Exit(serve.Main(daemon.Builtins()[os.Args[3]]()))
	}
	goleak.VerifyTestMain(m)
}
