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
	"regexp"
	"time"

	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/rules/margin"
	"github.com/windvane/windvane/sim/model"
)

// Card says what an artefact is, and what it may be trusted with.
type Card struct {
	Version    int           `json:"version"` // of the card; 1
	Policy     string        `json:"policy"`
	Mesh       string        `json:"mesh"`
	Seed       uint64        `json:"seed"`
	Artefact   string        `json:"artefact_sha256"` // of policy.bin
	Model      string        `json:"model_sha256"`    // of model.bin
	Data       Data          `json:"data"`
	Services   []ServiceCard `json:"services"`
	Knobs      []policy.Knob `json:"knobs"`
	Settings   []model.Span  `json:"settings"`    // by knob, in the data
	BestStatic []Static      `json:"best_static"` // one for each objective
	Training   *Training     `json:"training,omitempty"`
	Plugin     *Plugin       `json:"plugin,omitempty"`
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
	Offered model.Span `json:"offered"`  // requests/s in the data
	Loads   []float64  `json:"loads"`    // requests/s at which the table was made
	R2      float64    `json:"r2"`       // configurations held out
	R2Loads *float64   `json:"r2_loads"` // offered loads held out; null where the data have too few of them
	Margin  float64    `json:"margin"`   // the first margin: see model.Fit.FirstMargin
	Spread  float64    `json:"spread"`   // .9 quantile of the absolute held-out relative residuals, in units of their scale
	Price   float64    `json:"price"`    // of a violation, in value per second, at which the model keeps the budget
}

// The files of an artefact's directory.
const (
	cardFile   = "card.json"
	policyFile = "policy.bin"
	modelFile  = "model.bin"
)

// Write stores an artefact in a directory of its own below dir, named after its
// content, and returns the directory. The same content gets the same directory. A
// crash leaves no directory of that name that is incomplete.
func Write(dir string, card Card, artefact, system []byte) (string, error) {
	if err := CheckName(card.Policy); err != nil {
		return "", fmt.Errorf("artefact: %w", err)
	}
	text, err := card.Text(artefact, system)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, card.name(text))
	if _, err := os.Stat(path); err == nil {
		if _, err := Read(path); err != nil {
			return "", fmt.Errorf("%w; remove it first", err)
		}
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("artefact: %w", err)
	}
	tmp, err := os.MkdirTemp(dir, ".artefact-")
	if err != nil {
		return "", fmt.Errorf("artefact: %w", err)
	}
	if err := fill(tmp, map[string][]byte{cardFile: text, policyFile: artefact, modelFile: system}); err != nil {
		return "", errors.Join(fmt.Errorf("artefact: %w", err), os.RemoveAll(tmp))
	}
	if err := os.Rename(tmp, path); err != nil {
		return "", errors.Join(fmt.Errorf("artefact: %w", err), os.RemoveAll(tmp))
	}
	return path, nil
}

// Text is the card as Write writes it for these files.
func (c Card) Text(artefact, system []byte) ([]byte, error) {
	c.Version = 1
	c.Artefact, c.Model = digest(artefact), digest(system)
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("artefact: card: %w", err)
	}
	return append(text, '\n'), nil
}

// fill writes files that everybody may read (the daemon is rarely who trains), and
// waits until they are on disk.
func fill(dir string, files map[string][]byte) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	for name, content := range files {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		_, err = f.Write(content)
		if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// name is the directory of the artefact with this card.
func (c Card) name(text []byte) string { return c.Policy + "-" + digest(text)[:12] }

// Artefact is what Read found.
type Artefact struct {
	Card   Card
	Text   []byte // the card as it was written
	Policy []byte
	Model  []byte

	Verified bool      // the directory has the name that Write gave it, so that the card is the one that was written
	Written  time.Time // when, as the file system has it: a copy may be of another time
}

// Name is that of the directory that Write makes of it, and of no other content.
func (a *Artefact) Name() string { return a.Card.name(a.Text) }

// Read reads an artefact's directory. It refuses one whose files are not those that
// its card names, or whose card is not the one that the directory is named after; a
// directory that was given another name is only held against its card.
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
		return nil, fmt.Errorf("artefact %s: %s: %w; train it again", path, cardFile, err)
	}
	if a.Card.Version != 1 {
		return nil, fmt.Errorf("artefact %s: its card has version %d, this windvane reads 1; train it again", path, a.Card.Version)
	}
	if digest(a.Policy) != a.Card.Artefact {
		return nil, fmt.Errorf("artefact %s: %s is not the file that its card names; train it again", path, policyFile)
	}
	if digest(a.Model) != a.Card.Model {
		return nil, fmt.Errorf("artefact %s: %s is not the file that its card names; train it again", path, modelFile)
	}
	if base := filepath.Base(path); base == a.Name() {
		a.Verified = true
	} else if addressed.MatchString(base) {
		return nil, fmt.Errorf("artefact %s: %s was changed after it was written (its digest is %s); train it again",
			path, cardFile, digest(a.Text)[:12])
	}
	if info, err := os.Stat(filepath.Join(path, cardFile)); err == nil {
		a.Written = info.ModTime()
	}
	return &a, nil
}

// Find returns where an artefact lies that a file names: there, or, where nothing is and the name
// is one that Write gave, in a directory of artefacts.
func Find(path, store string) string {
	base := filepath.Base(path)
	if _, err := os.Stat(path); err == nil || !addressed.MatchString(base) {
		return path
	}
	if kept := filepath.Join(store, base); isDirectory(kept) {
		return kept
	}
	return path
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// addressed matches the names that Write gives.
var addressed = regexp.MustCompile(`^[a-z][a-z0-9-]*-[0-9a-f]{12}$`)

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Initial returns what the model says of an objective before anything is measured of
// it, as it was on configurations that the model had not seen.
func (c Card) Initial(service, signal string) margin.Calibration {
	flow := 0.0
	for _, s := range c.Services {
		flow = max(flow, s.Offered.Max)
	}
	for _, s := range c.Services {
		if s.Service == service && s.Signal == signal {
			return margin.Calibration{Margin: s.Margin, Spread: s.Spread, Price: s.Price, Flow: flow}
		}
	}
	return margin.Calibration{Spread: fallbackSpread}
}

// fallbackSpread is the spread of an objective that the model knows nothing of: an
// error of a tenth, so that its margin moves at a useful pace until it is measured.
const fallbackSpread = .1
