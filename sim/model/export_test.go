package model

import "github.com/windvane/windvane/sim/dataset"

// ConfigurationFolds is, by row, in which fold of FitSystem's cross-validation by
// configuration it is held out.
func ConfigurationFolds(d *dataset.Dataset, seed uint64) []int {
	config, n := d.Configurations()
	return drawFolds(config, n, seed).fold
}
