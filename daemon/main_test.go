package daemon_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/plugins/serve"
	"github.com/windvane/windvane/plugins/threshold"
)

// TestMain lets the test binary serve the built-in policies, as windvane does.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "plugin" && os.Args[2] == "serve" {
		os.Exit(serve.Main(daemon.Builtins()[os.Args[3]]()))
	}
	if len(os.Args) == 3 && os.Args[1] == "moody" {
		os.Exit(serve.Main(moody{threshold.New(), os.Args[2]}))
	}
	if config := os.Getenv("CRASH_TEST_CONFIG"); config != "" {
		if step := os.Getenv("CRASH_TEST_STEP"); step != "" {
			daemon.PromoteChild(config, os.Getenv("CRASH_TEST_CLOCK"), step) // likewise
		}
		daemon.CrashChild(config, os.Getenv("CRASH_TEST_CLOCK")) // does not return
	}
	goleak.VerifyTestMain(m)
}
