package host

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/windvane/windvane/plugins/policy"
	policyv1 "github.com/windvane/windvane/plugins/proto/v1"
)

// grace is how long a plugin has to end by itself once it was asked to.
const grace = 2 * time.Second

// maxDescription bounds what a plugin says of itself, in bytes.
const maxDescription = 512

// The attribute logger of what comes from the plugin: its standard error, and both of its
// streams as a plugin with plugins/serve sends them once it serves.
const (
	LoggerStderr = "stderr"
	LoggerOutput = "output"
)

// maxAnswer bounds an answer, its error included, in bytes, where a call does not say more.
// Bounds are tight because of what little a message takes that becomes much in memory:
// thousands of empty ones.
const maxAnswer = 64 << 10

// passedEnv are the variables of the host that every plugin sees.
var passedEnv = []string{"PATH", "TZ", "LANG", "LC_ALL", "GOMAXPROCS", "GOMEMLIMIT", "GOTRACEBACK"}

// session is one run of the plugin, with a connection to it.
type session struct {
	ctx     context.Context // done when the process has ended, or the supervisor is stopped
	cancel  context.CancelFunc
	process *process
	client  *plugin.Client

	// Of the client. go-plugin makes certificates of the curve P-521, with which TLS 1.3 binds
	// a signature that BoringSSL does not accept, and with it gRPC in Python, C++, Ruby and
	// others; TLS 1.2 lets both agree on another one. Its TLSConfig is there after Start.
	config *plugin.ClientConfig

	policy      policyv1.PolicyClient
	health      grpc_health_v1.HealthClient
	description policy.Description
}

// launch starts the plugin and connects to it. The caller closes the session.
func launch(ctx context.Context, o *Options) (*session, error) {
	if err := checkSocketDir(o.SocketDir); err != nil {
		return nil, err
	}
	p := newProcess(o.Path, o.Args, &lines{log: o.Logger.With("logger", LoggerStderr), now: o.Now})
	if err := CheckSum(p.cmd.Path, o.SHA256); err != nil {
		return nil, err
	}
	s := &session{process: p}
	s.ctx, s.cancel = context.WithCancel(ctx)
	defer context.AfterFunc(ctx, p.kill)()
	s.config = s.clientConfig(o)
	s.client = plugin.NewClient(s.config)
	if err := s.connect(o); err != nil {
		s.close(context.Background()) //nolint:forbidigo // never done: nobody forces the end of what has not begun
		return nil, s.explain(err)
	}
	return s, nil
}

func (s *session) clientConfig(o *Options) *plugin.ClientConfig {
	log := newLogger(o.Logger)
	output := o.Logger.With("logger", LoggerOutput)
	return &plugin.ClientConfig{
		HandshakeConfig:  policyv1.Handshake(),
		VersionedPlugins: map[int]plugin.PluginSet{policyv1.ProtocolVersion: {policyv1.PluginName: grpcPlugin{}}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true,
		StartTimeout:     o.StartTimeout,
		Logger:           log,
		SyncStdout:       &lines{log: output, now: o.Now},
		SyncStderr:       &lines{log: output, now: o.Now},
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: o.SocketDir},
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, socketDir string) (runner.Runner, error) {
			s.process.cmd.Env = append(environment(o.Env), cmd.Env...)
			s.process.socketDir = socketDir
			return s.process, nil
		},
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer), grpc.MaxCallSendMsgSize(policyv1.MaxPluginReceive)),
			grpc.WithMaxHeaderListSize(maxAnswer),
			grpc.WithStreamInterceptor(withoutBroker),
			// A plugin that accepts connections and says nothing must not hold up its own end.
			grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: o.StartTimeout}),
		},
	}
}

// withoutBroker refuses the stream over which a plugin could ask its host to dial it
// anew, as often as it likes: the contract has one connection.
func withoutBroker(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	if strings.HasPrefix(method, "/plugin.GRPCBroker/") {
		return nil, status.Error(codes.Unimplemented, "the host has no broker")
	}
	return open(ctx, desc, conn, method, opts...)
}

// connect starts the process, shakes hands and asks it what it is.
func (s *session) connect(o *Options) error {
	if _, err := s.client.Start(); err != nil {
		if strings.Contains(err.Error(), "Failed to read any lines") {
			return errors.New("start: it ended without a handshake")
		}
		return errors.New("start: " + clip(err.Error())) // has what the plugin printed in place of a handshake
	}
	s.config.TLSConfig.MaxVersion = tls.VersionTLS12 // see session.config
	go func() {                                      // ends with the process, which close ends
		<-s.process.ended
		s.cancel()
	}()
	protocol, err := s.client.Client()
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	raw, err := protocol.Dispense(policyv1.PluginName)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	conn, ok := raw.(*grpc.ClientConn)
	if !ok {
		return fmt.Errorf("connect: unexpected client %T", raw)
	}
	s.policy, s.health = policyv1.NewPolicyClient(conn), grpc_health_v1.NewHealthClient(conn)
	if err := s.describe(o.StartTimeout); err != nil {
		return err
	}
	if err := s.ping(o.StartTimeout); err != nil {
		return fmt.Errorf("health: %w", err)
	}
	return nil
}

func (s *session) describe(timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(s.ctx, timeout)
	defer cancel()
	answer, err := s.policy.Describe(ctx, &policyv1.DescribeRequest{})
	if err != nil {
		return fmt.Errorf("describe: %w", rpcError(err))
	}
	if s.description, err = policyv1.ToDescription(answer.GetDescription()); err != nil {
		return fmt.Errorf("describe: %w", err)
	}
	if n := len(s.description.Name) + len(s.description.Version); n > maxDescription {
		return fmt.Errorf("describe: name and version of %d bytes, want at most %d", n, maxDescription)
	}
	s.description.Name, s.description.Version = printable(s.description.Name), printable(s.description.Version)
	return nil
}

// call bounds a call by the end of the process and, if it is not 0, by a timeout.
func (s *session) call(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	undo := context.AfterFunc(s.ctx, cancel)
	end := cancel
	if timeout > 0 {
		ctx, end = context.WithTimeout(ctx, timeout)
	}
	return ctx, func() { undo(); end(); cancel() }
}

func (s *session) configure(ctx context.Context, timeout time.Duration, config policy.Config) error {
	ctx, cancel := s.call(ctx, timeout)
	defer cancel()
	_, err := s.policy.Configure(ctx, &policyv1.ConfigureRequest{Config: policyv1.FromConfig(config)})
	if err != nil {
		return fmt.Errorf("configure: %w", rpcError(err))
	}
	return nil
}

// ping asks the plugin's health service; a plugin has the given time to answer.
func (s *session) ping(timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(s.ctx, timeout)
	defer cancel()
	answer, err := s.health.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: plugin.GRPCServiceName})
	if err != nil {
		return rpcError(err)
	}
	if answer.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("health is %s", answer.GetStatus())
	}
	return nil
}

// close asks the plugin to end, kills its process group after the grace time or
// when force is done, and returns when nothing of it is left.
func (s *session) close(force context.Context) {
	defer context.AfterFunc(force, s.process.kill)()
	timer := time.AfterFunc(grace, s.process.kill) // Client.Kill waits for an answer without end
	s.client.Kill()
	timer.Stop()
	s.process.kill()
	s.cancel()
}

// explain adds how the process ended to an error that its end may have caused.
func (s *session) explain(err error) error {
	if how := s.process.fate(); how != "" {
		return fmt.Errorf("%w (the process ended: %s)", err, how)
	}
	return err
}

// socketName is the longest name that go-plugin gives a socket below its directory.
const socketName = "/plugin-dir4294967295/plugin4294967295"

// checkSocketDir refuses a directory whose sockets' paths would not fit into a
// sockaddr_un; the plugin's own error for that says nothing of the cause.
func checkSocketDir(dir string) error {
	const longest = 107 // sun_path less its terminating zero, unix(7)
	if dir == "" {
		dir = os.TempDir()
	}
	if n := len(dir) + len(socketName); n > longest {
		return fmt.Errorf("the directory for sockets, %s, is %d bytes too long for the path of a unix socket; set RUNTIME_DIRECTORY or TMPDIR to a shorter one",
			dir, n-longest)
	}
	return nil
}

// CheckSum compares a file with the sum that was declared for it, if one was.
func CheckSum(path, want string) error {
	if want == "" {
		return nil
	}
	sum, err := hex.DecodeString(want)
	if err != nil || len(sum) != sha256.Size {
		return fmt.Errorf("%w: %q is not a sha256 in hexadecimal", ErrChecksum, want)
	}
	ok, err := (&plugin.SecureConfig{Checksum: sum, Hash: sha256.New()}).Check(path)
	if err != nil {
		return fmt.Errorf("verify sha256: %w", err)
	}
	if !ok {
		return fmt.Errorf("%w: %s is not the file with %s; if it was meant to change, declare the new sum", ErrChecksum, path, want)
	}
	return nil
}

// environment returns the variables of the host that a plugin may see.
func environment(more []string) []string {
	env := []string{} // not nil: nil would hand over all of them
	for _, name := range slices.Concat(passedEnv, more) {
		if v, ok := os.LookupEnv(name); ok && !strings.HasPrefix(name, "PLUGIN_") {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// grpcPlugin hands out the connection.
type grpcPlugin struct {
	plugin.NetRPCUnsupportedPlugin
}

func (grpcPlugin) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error {
	return errors.New("host: this is the host's side; use plugins/serve")
}

func (grpcPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}
