package simserver

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"

	policyv1 "github.com/windvane/windvane/plugins/proto/v1"
)

// MaxMessage is the largest message that a server receives, and that a client has to be
// ready to, in bytes.
const MaxMessage = 64 << 20

// maxAnswer is what the arrays of an answer may have, which leaves room for what is
// around them.
const maxAnswer = MaxMessage - 1<<10

// Server is the Simulator service of one scenario. Environments run beside each other.
type Server struct {
	policyv1.UnimplementedSimulatorServer
	scenario *Scenario
}

var _ policyv1.SimulatorServer = (*Server)(nil)

// New returns the service of a scenario.
func New(s *Scenario) *Server { return &Server{scenario: s} }

// Serve serves a scenario until the context is done, and closes the listener. Clients'
// environments end with it.
func Serve(ctx context.Context, l net.Listener, s *Scenario) error {
	server := grpc.NewServer(grpc.MaxRecvMsgSize(MaxMessage), grpc.MaxSendMsgSize(MaxMessage))
	policyv1.RegisterSimulatorServer(server, New(s))
	defer context.AfterFunc(ctx, server.Stop)()
	if err := server.Serve(l); err != nil && ctx.Err() == nil {
		return fmt.Errorf("serve the simulator: %w", err)
	}
	return nil
}
