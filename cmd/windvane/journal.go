package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/daemon"
	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/internal/progress"
)

// addJournal adds `journal verify`.
func addJournal(app *kingpin.Application, commands map[string]func() error, stdout io.Writer) {
	verify := app.Command("journal", "Look after the journal.").
		Command("verify", "Read the whole journal: every checksum, every number, every record. It may be in use meanwhile. Exit code 1 if there is damage.")
	var (
		dir    = verify.Arg("directory", "The journal; the one below --state-directory if it is left out.").String()
		state  = verify.Flag("state-directory", "The daemon's state_directory.").Default("/var/lib/windvane").String()
		asJSON = verify.Flag("json", "Print JSON.").Bool()
	)
	commands["journal verify"] = func() error {
		if *dir == "" {
			*dir = daemon.JournalDirectory(*state)
		}
		meter := progress.New("journal verify", os.Stderr)
		sum, err := journal.VerifyCounting(*dir, func(done, of int) { meter.Count("segments", done, of) })
		meter.Stop()
		if err != nil {
			return err
		}
		if sum.Segments == 0 {
			return fmt.Errorf("verify journal: %s has no segments; name the directory with the files 00000001.jsonl and on", *dir)
		}
		if *asJSON {
			return printJSON(stdout, sum)
		}
		return printSummary(stdout, *dir, sum)
	}
}

func printSummary(w io.Writer, dir string, s journal.Summary) error {
	_, err := fmt.Fprintf(w, "%s: %d records in %d segments, %d of them compressed: all of them read back\n", dir, s.Records, s.Segments, s.Packed)
	if err == nil && s.Records > 0 {
		_, err = fmt.Fprintf(w, "records %d to %d, %s to %s\n%d bytes stored, %d not compressed\n",
			s.First, s.Last, s.FirstAt.Format(time.RFC3339), s.LastAt.Format(time.RFC3339), s.Stored, s.Bytes)
	}
	if err == nil && s.Torn > 0 {
		_, err = fmt.Fprintf(w, "behind them %d bytes of a record that was not completed; the next start of windvane cuts them off, and keeps them in a file of their own\n", s.Torn)
	}
	return err
}
