// Package serve is the plugin side of the policy contract: it serves one
// policy.Policy to the host that started the process.
//
// A plugin's main is one line, os.Exit(serve.Main(p)). What the process is
// launched with, and what happens when it fails, is plugins/host.
package serve

import (
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/windvane/windvane/plugins/policy"
	policyv1 "github.com/windvane/windvane/plugins/proto/v1"
)

const byHand = `This is a windvane policy plugin. It is not run by hand: windvane starts it and talks to it.
Name it in windvane.toml, [plugin.NAME] with command = ["PATH"], or try it with "windvane plugin check PATH".
`

// Main serves p until the host ends it or ends itself, and returns the process's
// exit code. Started by hand, it says what it is and returns 2.
//
// It owns the process: the handshake is written to standard output, logs go to
// standard error as JSON, and both are redirected afterwards. Calls of p are made
// one at a time; a panic in one becomes an error of that call. When the host has
// ended, however it ended, Main returns at once, even while p is working.
func Main(p policy.Policy) int {
	shake := policyv1.Handshake()
	if os.Getenv(shake.MagicCookieKey) != shake.MagicCookieValue {
		_, _ = io.WriteString(os.Stderr, byHand)
		return 2
	}
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: os.Stderr, JSONFormat: true})
	host, err := lifeline(os.Getenv(policyv1.LifelineEnv))
	if err != nil {
		logger.Error("cannot watch the host", "err", err)
		return 1
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		plugin.Serve(&plugin.ServeConfig{
			HandshakeConfig: shake,
			VersionedPlugins: map[int]plugin.PluginSet{
				policyv1.ProtocolVersion: {policyv1.PluginName: &grpcPlugin{server: newServer(p, logger)}},
			},
			GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
				return grpc.NewServer(append(opts, grpc.MaxRecvMsgSize(policyv1.MaxPluginReceive))...)
			},
			Logger: logger,
		})
	}()
	select {
	case <-served:
		return 0
	case <-host:
		logger.Warn("the host has ended")
		return 1
	}
}

// lifeline returns a channel that is closed when the pipe that the host holds
// ends. A host that gives no pipe is not watched.
func lifeline(fd string) (<-chan struct{}, error) {
	ended := make(chan struct{})
	if fd == "" {
		return ended, nil
	}
	n, err := strconv.ParseUint(fd, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("%s=%q is not a file descriptor", policyv1.LifelineEnv, fd)
	}
	pipe := os.NewFile(uintptr(n), "lifeline")
	if _, err := pipe.Stat(); err != nil {
		return nil, fmt.Errorf("%s=%q is not an open file descriptor: %w", policyv1.LifelineEnv, fd, err)
	}
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, pipe)
	}()
	return ended, nil
}
