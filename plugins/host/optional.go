package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/windvane/windvane/plugins/policy"
	policyv1 "github.com/windvane/windvane/plugins/proto/v1"
)

// maxRow bounds a row of an exported table, in bytes.
const maxRow = 1024

// ErrUnsupported says that a policy does not have an optional call.
var ErrUnsupported = errors.New("is not supported by this policy")

// Export asks the running plugin for a table of at most so many rows. The context is the
// only deadline.
func (h *Host) Export(ctx context.Context, rows int) (policy.Table, error) {
	v := h.view.Load()
	if v.session == nil {
		return policy.Table{}, h.down(v)
	}
	if !v.description.Exports {
		return policy.Table{}, h.wrap(fmt.Errorf("export %w", ErrUnsupported))
	}
	call, cancel := v.session.call(ctx, 0)
	defer cancel()
	answer, err := v.session.policy.Export(call, &policyv1.ExportRequest{Rows: uint32(rows)}, grpc.MaxCallRecvMsgSize(maxAnswer+rows*maxRow))
	if err != nil {
		return policy.Table{}, h.callError(ctx, v, "export", err)
	}
	table, err := policyv1.ToTable(answer.GetTable(), rows)
	if err != nil {
		return policy.Table{}, &InvalidAnswerError{Plugin: h.options.Name, Err: err}
	}
	return table, nil
}

// Ask starts the plugin, without configuring it, and ends it: what it says of itself. The
// context is its only deadline but for those of a start.
func Ask(ctx context.Context, o Options) (policy.Description, error) {
	h := New(o)
	s, err := launch(ctx, &h.options)
	if err != nil {
		return policy.Description{}, h.wrap(err)
	}
	s.close(ctx)
	return s.description, nil
}

// Train starts the plugin for one training, without configuring it, waits for what comes
// of it, and ends the plugin. Progress is called now and then, in one goroutine. The
// context is the only deadline. A plugin that fails is not started again.
func Train(ctx context.Context, o Options, t policy.Training) (policy.Trained, error) {
	h := New(o)
	s, err := launch(ctx, &h.options)
	if err != nil {
		return policy.Trained{}, h.wrap(err)
	}
	defer s.close(ctx)
	if !s.description.Trains {
		return policy.Trained{}, h.wrap(fmt.Errorf("training %w", ErrUnsupported))
	}
	trained, err := s.train(ctx, t)
	if errors.Is(err, errEnded) {
		select {
		case <-s.process.ended: // a moment later: how it ended explains more than that it did
		case <-time.After(lastWords):
		}
		err = s.explain(err)
	}
	if err != nil {
		return policy.Trained{}, h.wrap(fmt.Errorf("train: %w", err))
	}
	return trained, nil
}

// errEnded says that a training has no end because the process had one.
var errEnded = errors.New("it ended before it had trained")

func (s *session) train(ctx context.Context, t policy.Training) (policy.Trained, error) {
	call, cancel := s.call(ctx, 0)
	defer cancel()
	stream, err := s.policy.Train(call, &policyv1.TrainRequest{Settings: t.Settings, Simulator: t.Simulator, Seed: t.Seed},
		grpc.MaxCallRecvMsgSize(policyv1.MaxArtefact+2*policyv1.MaxReason))
	for err == nil {
		var answer *policyv1.TrainResponse
		if answer, err = stream.Recv(); err != nil {
			break
		}
		switch event := answer.GetEvent().(type) {
		case *policyv1.TrainResponse_Progress:
			t.Progress(event.Progress.GetDone(), event.Progress.GetTotal(), clip(event.Progress.GetNote()))
		case *policyv1.TrainResponse_Trained:
			return toTrained(event.Trained)
		default:
			return policy.Trained{}, errors.New("an answer without progress and without an artefact")
		}
	}
	switch {
	case errors.Is(err, io.EOF):
		return policy.Trained{}, errors.New("it ended without an artefact")
	case ctx.Err() != nil:
		return policy.Trained{}, ctx.Err()
	case s.ctx.Err() != nil || status.Code(err) == codes.Unavailable:
		return policy.Trained{}, errEnded
	case status.Code(err) == codes.ResourceExhausted:
		return policy.Trained{}, fmt.Errorf("an answer that is too large; an artefact has at most %d bytes: %w", policyv1.MaxArtefact, rpcError(err))
	default:
		return policy.Trained{}, rpcError(err)
	}
}

func toTrained(t *policyv1.Trained) (policy.Trained, error) {
	switch n := len(t.GetArtefact()); {
	case n == 0:
		return policy.Trained{}, errors.New("the artefact is empty")
	case n > policyv1.MaxArtefact:
		return policy.Trained{}, fmt.Errorf("an artefact of %d bytes, want at most %d", n, policyv1.MaxArtefact)
	}
	if n := len(t.GetSummary()); n > policyv1.MaxReason {
		return policy.Trained{}, fmt.Errorf("summary of %d bytes, want at most %d", n, policyv1.MaxReason)
	}
	return policy.Trained{Artefact: t.GetArtefact(), Summary: printable(t.GetSummary())}, nil
}
