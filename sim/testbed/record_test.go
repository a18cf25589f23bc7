package testbed_test

import (
	"testing"
	"time"
)

func TestRecordedSamplesAreAnswered(t *testing.T) {
	bed := start(t, options(1))
	const series = `up{job="beside"}`
	for i, v := range []float64{1, 3} {
		if err := bed.Record(series, epoch.Add(time.Duration(i-1)*time.Second), v); err != nil {
			t.Fatal(err)
		}
	}
	if got := vector(t, bed, prom(t, bed), `sum_over_time(up{job="beside"}[5s])`, "job"); got["beside"] != 4 {
		t.Errorf("%v, want a sum of 4", got)
	}
	if err := bed.Record(series, epoch, 5); err == nil {
		t.Error("a sample of a time that the series has already was taken")
	}
	if err := bed.Record(`up{`, epoch, 5); err == nil {
		t.Error("a series that is none was taken")
	}
}
