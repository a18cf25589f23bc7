package bench

// Recorded are figures of peers on the full trace (45,343 rows) of examples/mo1, on two
// cores. `make peers` (integration/peers) measures all but LightGBM's anew, beside
// windvane's, and says how.
var Recorded = map[string]float64{
	"model_fit":             .27, // LightGBM, both cores; it is quicker than scikit-learn
	"model_predict":         2.6, // LightGBM
	"model_fit_cpu":         .70, // scikit-learn's HistGradientBoosting; its random forests take 13
	"model_r2_information":  .481,
	"model_r2_compute":      .870,
	"simulator_model_steps": 82, // the published way: Gymnasium, random forests in step()
	"simulator_table_steps": 122_000,
	"ppo_train_seconds":     39.9, // Stable-Baselines3, 100,000 steps, three seeds
	"ppo_steps_per_second":  2500,
	"ppo_seen_ratio":        .996,
	"ppo_unseen_ratio":      .971,
}
