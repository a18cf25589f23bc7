package serve

import (
	"context"
	"errors"
	"runtime/debug"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/windvane/windvane/plugins/policy"
	policyv1 "github.com/windvane/windvane/plugins/proto/v1"
)

// grpcPlugin registers a server with go-plugin.
type grpcPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	server *server
}

func (g *grpcPlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	policyv1.RegisterPolicyServer(s, g.server)
	return nil
}

func (g *grpcPlugin) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("serve: this is the plugin side; use plugins/host")
}

// server answers calls from a policy, one at a time.
type server struct {
	policyv1.UnimplementedPolicyServer
	policy policy.Policy
	log    hclog.Logger
	turn   chan struct{} // holds one token while no call runs
}

func newServer(p policy.Policy, log hclog.Logger) *server {
	s := &server{policy: p, log: log, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s
}

func (s *server) Describe(ctx context.Context, _ *policyv1.DescribeRequest) (*policyv1.DescribeResponse, error) {
	out := &policyv1.DescribeResponse{}
	err := s.call(ctx, "describe", func() error {
		d, err := s.policy.Describe(ctx)
		_, d.Trains = s.policy.(policy.Trainer)
		_, d.Exports = s.policy.(policy.Exporter)
		out.Description = policyv1.FromDescription(d)
		return err
	})
	return out, err
}

func (s *server) Configure(ctx context.Context, req *policyv1.ConfigureRequest) (*policyv1.ConfigureResponse, error) {
	config, err := policyv1.ToConfig(req.GetConfig())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	err = s.call(ctx, "configure", func() error {
		if err := s.policy.Configure(ctx, config); err != nil {
			return status.Error(codes.InvalidArgument, err.Error())
		}
		return nil
	})
	return &policyv1.ConfigureResponse{}, err
}

func (s *server) Decide(ctx context.Context, req *policyv1.DecideRequest) (*policyv1.DecideResponse, error) {
	observation, err := policyv1.ToObservation(req.GetObservation())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	out := &policyv1.DecideResponse{}
	err = s.call(ctx, "decide", func() error {
		d, err := s.policy.Decide(ctx, observation)
		out.Decision = policyv1.FromDecision(d)
		return err
	})
	return out, err
}

// call runs f when no other call runs, and turns its panic into an error. A
// caller that has gone while it waited is not served.
func (s *server) call(ctx context.Context, what string, f func() error) (err error) {
	select {
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	case <-s.turn:
	}
	defer func() {
		if r := recover(); r != nil {
			s.log.Error("panic in policy", "call", what, "panic", r, "stack", string(debug.Stack()))
			err = status.Errorf(codes.Internal, "panic in %s: %v", what, r)
		}
		s.turn <- struct{}{}
	}()
	err = f()
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return status.FromContextError(err).Err()
	}
	return status.Error(codes.Unknown, err.Error())
}
