package host

import (
	"errors"
	"fmt"
)

// ErrDown says that the plugin is not running; the error that wraps it says why.
// It is answered at once: nobody waits for a restart.
var ErrDown = errors.New("is down")

// ErrChecksum says that the file to be run is not the one that was declared.
var ErrChecksum = errors.New("sha256 does not match")

// InvalidAnswerError says that a plugin answered with something that cannot be used.
type InvalidAnswerError struct {
	Plugin string // Options.Name
	Err    error  // what is wrong with the answer
}

func (e *InvalidAnswerError) Error() string {
	return fmt.Sprintf("plugin %s: invalid answer: %s", e.Plugin, clip(e.Err.Error()))
}

// Unwrap returns what is wrong with the answer.
func (e *InvalidAnswerError) Unwrap() error { return e.Err }
