package serve

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/windvane/windvane/plugins/policy"
	policyv1 "github.com/windvane/windvane/plugins/proto/v1"
)

// Train answers how far the policy's training is, and then what came of it. The policy is
// not asked for progress that nobody reads: it waits where the host is slow.
func (s *server) Train(req *policyv1.TrainRequest, stream policyv1.Policy_TrainServer) error {
	trainer, ok := s.policy.(policy.Trainer)
	if !ok {
		return status.Error(codes.Unimplemented, "this policy does not train")
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	var trained policy.Trained
	err := s.call(ctx, "train", func() (err error) {
		trained, err = trainer.Train(ctx, policy.Training{
			Settings: req.GetSettings(), Simulator: req.GetSimulator(), Seed: req.GetSeed(),
			Progress: func(done, total uint64, note string) {
				event := &policyv1.TrainResponse_Progress{Progress: &policyv1.Progress{Done: done, Total: total, Note: note}}
				if stream.Send(&policyv1.TrainResponse{Event: event}) != nil {
					cancel() // nobody listens any more
				}
			},
		})
		return err
	})
	if err != nil {
		return err
	}
	return stream.Send(&policyv1.TrainResponse{Event: &policyv1.TrainResponse_Trained{
		Trained: &policyv1.Trained{Artefact: trained.Artefact, Summary: trained.Summary},
	}})
}

// Export answers with the policy's table.
func (s *server) Export(ctx context.Context, req *policyv1.ExportRequest) (*policyv1.ExportResponse, error) {
	exporter, ok := s.policy.(policy.Exporter)
	if !ok {
		return nil, status.Error(codes.Unimplemented, "this policy does not export a table")
	}
	if req.GetRows() == 0 {
		return nil, status.Error(codes.InvalidArgument, "export: no rows are wanted; want at least 1")
	}
	out := &policyv1.ExportResponse{}
	err := s.call(ctx, "export", func() error {
		table, err := exporter.Export(ctx, int(req.GetRows()))
		out.Table = policyv1.FromTable(table)
		return err
	})
	return out, err
}
