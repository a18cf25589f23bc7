package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// Error is an error with its HTTP status code. Any other is an internal one, 500.
type Error struct {
	Code int
	Err  error
}

// Error is what is said to the person who asked.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns what went wrong.
func (e *Error) Unwrap() error { return e.Err }

// ErrorAnswer is the body of every answer that is an error.
type ErrorAnswer struct {
	Error string `json:"error"` // what is wrong and what to do
}

// answer writes v as JSON. What is answered is of this moment: nobody may keep it.
func answer(w http.ResponseWriter, code int, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	b, err := json.Marshal(v)
	if err != nil {
		code, b = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be written as JSON"}`)
	}
	w.WriteHeader(code)
	_, _ = w.Write(append(b, '\n')) // the client may have gone
}

func fail(w http.ResponseWriter, err error) {
	code := http.StatusInternalServerError
	if e, ok := errors.AsType[*Error](err); ok {
		code = e.Code
	}
	answer(w, code, ErrorAnswer{Error: err.Error()})
}

func notFound(format string, args ...any) error {
	return &Error{http.StatusNotFound, fmt.Errorf(format, args...)}
}

func badRequest(format string, args ...any) error {
	return &Error{http.StatusBadRequest, fmt.Errorf(format, args...)}
}

func text(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = fmt.Fprintln(w, message) // the client may have gone
}
