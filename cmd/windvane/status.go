package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/daemon/api"
)

// addStatus adds `status`.
func addStatus(app *kingpin.Application, commands map[string]func() error, stdout io.Writer) {
	c := app.Command("status", "Show what the running daemon does.")
	url := c.Flag("url", "The daemon's address.").Default("http://" + defaultAddress).String()
	asJSON := c.Flag("json", "Print JSON.").Bool()
	commands["status"] = func() error {
		s, err := fetchStatus(*url)
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(stdout, s)
		}
		return s.WriteText(stdout)
	}
}

func fetchStatus(url string) (*api.Status, error) {
	client := http.Client{Timeout: 10 * time.Second}
	answer, err := client.Get(strings.TrimSuffix(url, "/") + "/api/v1/status")
	if err != nil {
		return nil, fmt.Errorf("status: no daemon answers at %s: %w; start one, or give --url", url, err)
	}
	defer func() { _ = answer.Body.Close() }() // it was read
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status: %s answers %s; is it windvane?", url, answer.Status)
	}
	var s api.Status
	if err := json.NewDecoder(answer.Body).Decode(&s); err != nil {
		return nil, fmt.Errorf("status: %s answers no status: %w; is it windvane?", url, err)
	}
	return &s, nil
}
