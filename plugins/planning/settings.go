package planning

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/windvane/windvane/rules/margin"
)

// The values of the setting `objectives`. Prices carry more than margins do, with less
// change of the settings: a margin spends the budget evenly over the loads, a price where
// that is worth most. What they cost is time: of the first intervals after a change of
// capacity that the model does not know, more are broken.
const (
	KeepMargins = "margin" // an objective predicted above its bound under its margin is out of the question
	PayPrices   = "price"  // the chance to break it costs its price
	Auto        = "auto"   // its price while its risks are calibrated, else its margin
)

var pricings = map[string]margin.Pricing{
	KeepMargins: margin.PriceNone, PayPrices: margin.PriceAll, Auto: margin.PriceCalibrated,
}

// Hysteresis is the default of the setting of that name.
const Hysteresis = .01

// Settings are those that every policy over a table has, in its own table of the rules
// file.
type Settings struct {
	Objectives string  `json:"objectives"`
	Hysteresis float64 `json:"hysteresis"` // the live action stays unless the gain exceeds this share of the value of all offered load
}

// Defaults are the settings of a file that says nothing.
func Defaults() Settings { return Settings{Objectives: KeepMargins, Hysteresis: Hysteresis} }

// Parse reads the settings of the named policy, canonical JSON, over the defaults in to:
// a pointer to Settings or to a struct that embeds them. Others says which keys there
// are beside those of Settings; it may be empty. Keys that do not exist are an error.
func Parse(name string, src []byte, to any, others string) error {
	if len(src) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(src))
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err != nil {
		return fmt.Errorf("%s: settings: %w; there are objectives = %q, %q or %q, and hysteresis = a share%s", name, err, KeepMargins, PayPrices, Auto, others)
	}
	return nil
}

// Check reports the first value that is out of its range.
func (s Settings) Check(name string) error {
	if _, ok := pricings[s.Objectives]; !ok {
		return fmt.Errorf("%s: settings: objectives = %q: want %q, %q or %q", name, s.Objectives, KeepMargins, PayPrices, Auto)
	}
	if !(s.Hysteresis >= 0 && s.Hysteresis <= 1) {
		return fmt.Errorf("%s: settings: hysteresis = %v: want 0 to 1, such as %v", name, s.Hysteresis, Hysteresis)
	}
	return nil
}
