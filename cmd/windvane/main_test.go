package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// built is the directory of the program that the scripts run, and of a plugin of the
// examples: as it is shipped, without the race detector, which makes training ten times slower. The packages below have it
// in tests of their own.
var built string

func TestMain(m *testing.M) { os.Exit(withProgram(m)) }

func withProgram(m *testing.M) int {
	var err error
	if built, err = os.MkdirTemp("", "windvane-test"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(built) }() // the system's directory for temporary files
	build := exec.Command("go", "build", "-o", built, ".", "../../examples/plugin/lookup")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build windvane for the scripts:", err)
		return 1
	}
	return m.Run()
}

func TestScripts(t *testing.T) {
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("EXAMPLES", examples)
			e.Setenv("BUILT", built)
			e.Setenv("PATH", built+string(os.PathListSeparator)+e.Getenv("PATH"))
			return nil
		},
	})
}
