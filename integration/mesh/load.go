package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/integration/loadgen"
	"github.com/windvane/windvane/sim/load"
)

// addLoad adds `load`.
func addLoad(app *kingpin.Application, commands map[string]func(context.Context) error) {
	c := app.Command("load", "Offer a service an open loop of requests, and say each second what came of them.")
	url := c.Flag("url", "Of the service, as `mesh up` prints it.").Required().String()
	rate := c.Flag("rate", "Requests/s on average.").Default("100").Float64()
	amplitude := c.Flag("amplitude", "Of a sine around it, requests/s.").Default("0").Float64()
	period := c.Flag("period", "Of the sine.").Default("90s").Duration()
	during := c.Flag("for", "How long.").Default("24h").Duration()
	seed := c.Flag("seed", "Of the arrivals.").Default("1001").Uint64()
	commands["load"] = func(ctx context.Context) error {
		process, err := load.NewSine(load.Sine{Mean: *rate, Amplitude: *amplitude, PeriodSeconds: period.Seconds()})
		if err != nil {
			return err
		}
		return offer(ctx, loadgen.Options{URL: *url, Load: process, For: *during, Seed: *seed, Timeout: timeout})
	}
}

// timeout of a request: longer than any that the mesh has.
const timeout = 15 * time.Second

// offer offers the load and prints a line each second.
func offer(ctx context.Context, o loadgen.Options) error {
	var mu sync.Mutex
	var came []loadgen.Answer
	o.Observe = func(a loadgen.Answer) {
		mu.Lock()
		defer mu.Unlock()
		came = append(came, a)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		loadgen.Run(ctx, o)
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	_, _ = fmt.Fprintln(os.Stdout, "answered/s   200   429  other  p95 of 200, from when a request was due")
	for {
		select {
		case <-ended:
			return nil
		case <-tick.C:
		}
		mu.Lock()
		last := came
		came = nil
		mu.Unlock()
		_, _ = fmt.Fprintln(os.Stdout, lineOf(last))
	}
}

// lineOf says what came within a second.
func lineOf(answers []loadgen.Answer) string {
	carried, shed := 0, 0
	var latencies []float64
	for _, a := range answers {
		switch {
		case a.Err == nil && a.Status == http.StatusOK:
			carried++
			latencies = append(latencies, a.Latency.Seconds())
		case a.Status == http.StatusTooManyRequests:
			shed++
		}
	}
	return fmt.Sprintf("%10d %5d %5d %6d  %.0f ms", len(answers), carried, shed, len(answers)-carried-shed, 1000*loadgen.Quantile(latencies, .95))
}
