// Package train turns a dataset into a policy's artefact: fit the model, enumerate,
// and write what is served together with a card that says where it came from.
//
// One algorithm a file. Judging what was trained is the business of sim/eval.
package train

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/model"
)

// Card says what an artefact is, and what it may be trusted with.
type Card struct {
	Version    int             `json:"version"` // of the card; 1
	Policy     string          `json:"policy"`
	Mesh       string          `json:"mesh"`
	Seed       uint64          `json:"seed"`
	Artefact   string          `json:"artefact_sha256"` // of policy.bin
	Model      string          `json:"model_sha256"`    // of model.bin
	Data       Data            `json:"data"`
	Services   []ServiceCard   `json:"services"`
	Knobs      []policy.Knob   `json:"knobs"`
	Settings   []model.Span    `json:"settings"` // by knob, in the data
	BestStatic json.RawMessage `json:"best_static,omitempty"`
}

// Data says what the model was fitted on.
type Data struct {
	SHA256         string `json:"sha256"`
	Rows           int    `json:"rows"`
	Configurations int    `json:"configurations"`
}

// ServiceCard says how well one service is known.
type ServiceCard struct {
	Service string     `json:"service"`
	Signal  string     `json:"signal"`
	Offered model.Span `json:"offered"` // requests/s in the data
	R2      float64    `json:"r2"`      // configurations held out
	Margin  float64    `json:"margin"`  // (1-budget) quantile of the held-out relative residuals: the first margin
	Spread  float64    `json:"spread"`  // .9 quantile of their absolute values
}

// The files of an artefact's directory.
const (
	cardFile   = "card.json"
	policyFile = "policy.bin"
	modelFile  = "model.bin"
)

// Write stores an artefact in a directory of its own below dir, named after its
// content, and returns the directory. The same content gets the same directory.
func Write(dir string, card Card, artefact, system []byte) (string, error) {
	card.Version = 1
	card.Artefact, card.Model = digest(artefact), digest(system)
	text, err := json.MarshalIndent(card, "", "  ")
	if err != nil {
		return "", fmt.Errorf("artefact: card: %w", err)
	}
	path := filepath.Join(dir, card.Policy+"-"+digest(text)[:12])
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", fmt.Errorf("artefact: %w", err)
	}
	tmp, err := os.MkdirTemp(dir, ".artefact-")
	if err != nil {
		return "", fmt.Errorf("artefact: %w", err)
	}
	for name, content := range map[string][]byte{cardFile: append(text, '\n'), policyFile: artefact, modelFile: system} {
		if err := os.WriteFile(filepath.Join(tmp, name), content, 0o600); err != nil {
			return "", errors.Join(fmt.Errorf("artefact: %w", err), os.RemoveAll(tmp))
		}
	}
	if err := os.Rename(tmp, path); err != nil {
		return "", errors.Join(fmt.Errorf("artefact: %w", err), os.RemoveAll(tmp))
	}
	return path, nil
}

// Artefact is what Read found.
type Artefact struct {
	Card   Card
	Text   []byte // the card as it was written
	Policy []byte
	Model  []byte
}

// Read reads an artefact's directory, and refuses one whose content is not what its card says.
func Read(path string) (*Artefact, error) {
	var a Artefact
	for name, to := range map[string]*[]byte{cardFile: &a.Text, policyFile: &a.Policy, modelFile: &a.Model} {
		b, err := os.ReadFile(filepath.Join(path, name))
		if err != nil {
			return nil, fmt.Errorf("artefact %s: %w; name the directory that `windvane train` printed", path, err)
		}
		*to = b
	}
	if err := json.Unmarshal(a.Text, &a.Card); err != nil {
		return nil, fmt.Errorf("artefact %s: %s: %w", path, cardFile, err)
	}
	if a.Card.Version != 1 {
		return nil, fmt.Errorf("artefact %s: its card has version %d, this windvane reads 1; train it again", path, a.Card.Version)
	}
	if digest(a.Policy) != a.Card.Artefact || digest(a.Model) != a.Card.Model {
		return nil, fmt.Errorf("artefact %s: its files are not those that its card names; train it again", path)
	}
	return &a, nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Initial returns an objective's first margin and spread, as measured on
// configurations that the model had not seen.
func (c Card) Initial(service, signal string) (margin, spread float64) {
	for _, s := range c.Services {
		if s.Service == service && s.Signal == signal {
			return s.Margin, s.Spread
		}
	}
	return 0, fallbackSpread
}

// fallbackSpread is the spread of an objective that the model knows nothing of: an
// error of a tenth, so that its margin moves at a useful pace until it is measured.
const fallbackSpread = .1
