package train

import (
	"github.com/windvane/windvane/plugins/search"
	"github.com/windvane/windvane/rules"
	"github.com/windvane/windvane/sim/dataset"
	"github.com/windvane/windvane/sim/model"
)

// Searched is what the search policy is served with: the system model itself. There is
// no table, so that the number of actions is not bounded, and what needs one (the first
// price, the best static setting) is missing from the card.
type Searched struct {
	Model *model.System
	Card  Card
}

// FitSearched fits the system model. It is an error if the dataset has other knobs or
// services than the rules, or cannot tell the effect of a knob.
func FitSearched(m *rules.Mesh, d *dataset.Dataset, dataSHA256 string, seed uint64) (*Searched, error) {
	f, err := fit(m, d, model.TreeParamsFor(d.Rows()), dataSHA256, seed)
	if err != nil {
		return nil, err
	}
	f.card.Policy = search.Name
	return &Searched{f.model, f.card}, nil
}
