"""What scikit-learn's models of the delays are worth, and what they take."""

import time

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.metrics import r2_score
from threadpoolctl import threadpool_limits


def boosting(seed):
    """100 trees of 31 leaves; it uses all cores."""
    return HistGradientBoostingRegressor(max_iter=100, max_leaf_nodes=31, early_stopping=False, random_state=seed)


def forest(seed, jobs=None):
    """The authors' choice: 100 trees without a limit, on one core unless told."""
    return RandomForestRegressor(100, random_state=seed, n_jobs=jobs)


def fit(make, trace):
    """A model for each service, on all rows that have its delay."""
    models = []
    for s in range(2):
        known = trace.delay[:, s] > 0
        models.append(make().fit(trace.features[known], trace.delay[known, s]))
    return models


def held_out_r2(make, trace, fold, progress):
    """R2 of each service's delay over all rows, each predicted by a model that has seen no
    row of its fold."""
    out = []
    for s in range(2):
        predicted = np.zeros(trace.rows)
        known = trace.delay[:, s] > 0
        for held_out in np.unique(fold):
            train, test = known & (fold != held_out), known & (fold == held_out)
            with threadpool_limits(limits=1):  # many threads wait for each other where others use the cores
                predicted[test] = make().fit(trace.features[train], trace.delay[train, s]).predict(trace.features[test])
            progress.add()
        out.append(r2_score(trace.delay[known, s], predicted[known]))
    return out


def fit_seconds(make, trace, times, clock=time.perf_counter):
    """Seconds of the fits of both services, as the median, and the last models."""
    took = []
    for _ in range(times):
        start = clock()
        models = fit(make, trace)
        took.append(clock() - start)
    return np.median(took), models


def predict_microseconds(models, trace, times):
    """A row's predictions of both services in one batch of all rows, on one core."""
    took = []
    with threadpool_limits(limits=1):
        for _ in range(times):
            start = time.process_time()
            for m in models:
                m.predict(trace.features)
            took.append(1e6 * (time.process_time() - start) / trace.rows)
    return np.median(took)
