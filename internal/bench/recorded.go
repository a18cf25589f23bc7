package bench

// Recorded are the figures of the Python pipeline on the full trace (45,343 rows) of
// examples/mo1, on two cores, as integration/peers/learning measured them. `make peers`
// measures them anew, beside windvane's.
var Recorded = map[string]float64{
	"simulator_table_steps": 850,
	"simulator_model_steps": 58,
	"ppo_train_seconds":     25,
	"ppo_seen_ratio":        .982,
	"ppo_unseen_ratio":      .951,
}
