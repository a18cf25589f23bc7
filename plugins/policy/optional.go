package policy

import "context"

// Trainer is a policy that makes its own artefact. Train is called on a policy that was
// not configured, and that is asked for nothing else. The same Training gives the same
// artefact, byte for byte.
type Trainer interface {
	Train(ctx context.Context, t Training) (Trained, error)
}

// Training is what an artefact is made from.
type Training struct {
	Settings  []byte // as Config.Settings, which will be the same for what is trained
	Simulator string // where the host's simulator service listens, as gRPC dials it: "unix:/run/x/sim.sock"
	Seed      uint64

	// Progress is told how much was done of how much there is to do, in a unit of the
	// policy's own (0: not known), and a few words for a person. It is never nil.
	Progress func(done, total uint64, note string)
}

// Trained is what came of a training.
type Trained struct {
	Artefact []byte // as Config.Artefact
	Summary  string // a sentence for a person
}

// Exporter is a policy that can be read as a table. Export is called after Configure.
type Exporter interface {
	// Export returns at most so many rows.
	Export(ctx context.Context, rows int) (Table, error)
}

// Table is for people to read.
type Table struct {
	Columns []string   // at least one
	Rows    [][]string // as many cells in each as there are columns
	Note    string     // what the table leaves out; empty: nothing
}
