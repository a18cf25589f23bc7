package host

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/windvane/windvane/internal/lockedbuffer"
	policyv1 "github.com/windvane/windvane/plugins/proto/v1"
	"github.com/windvane/windvane/rules/guard"
)

// hostile is a plugin without plugins/serve, that answers Decide as its mode says.
type hostile struct {
	plugin.NetRPCUnsupportedPlugin
	policyv1.UnimplementedPolicyServer
	mode   string
	broker atomic.Bool // the host opened the broker's stream
}

// serveHostile serves until the host ends it.
func serveHostile(mode string) int {
	h := &hostile{mode: mode}
	log := os.Stderr // plugin.Serve puts another one in its place
	switch mode {
	case "hostile longline":
		_, _ = log.Write(append(bytes.Repeat([]byte("x"), 10<<20), '\n'))
	case "hostile record":
		_, _ = fmt.Fprintln(log, `{"@message":5,"@level":{},"@timestamp":1}`)
	case "hostile flood":
		for range 20 * maxLines {
			_, _ = fmt.Fprintln(log, "again")
		}
	}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  policyv1.Handshake(),
		VersionedPlugins: map[int]plugin.PluginSet{policyv1.ProtocolVersion: {policyv1.PluginName: h}},
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(opts, grpc.StreamInterceptor(
				func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
					if strings.Contains(info.FullMethod, "Broker") {
						h.broker.Store(true)
					}
					return handle(srv, stream)
				}))...)
		},
	})
	return 0
}

// GRPCServer registers Decide as a call that may answer more than once.
func (h *hostile) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	desc := policyv1.Policy_ServiceDesc
	desc.Methods = desc.Methods[:2:2] // Describe and Configure
	desc.Streams = []grpc.StreamDesc{{StreamName: "Decide", ServerStreams: true, Handler: func(_ any, stream grpc.ServerStream) error {
		var request policyv1.DecideRequest
		if err := stream.RecvMsg(&request); err != nil {
			return err
		}
		return h.decide(&request, stream)
	}}}
	s.RegisterService(&desc, h)
	return nil
}

func (h *hostile) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.ErrUnsupported
}

func (h *hostile) Describe(context.Context, *policyv1.DescribeRequest) (*policyv1.DescribeResponse, error) {
	return &policyv1.DescribeResponse{Description: &policyv1.Description{Name: "hostile"}}, nil
}

func (h *hostile) Configure(context.Context, *policyv1.ConfigureRequest) (*policyv1.ConfigureResponse, error) {
	return &policyv1.ConfigureResponse{}, nil
}

func (h *hostile) decide(request *policyv1.DecideRequest, stream grpc.ServerStream) error {
	d := &policyv1.Decision{Action: request.GetObservation().GetLive(), Reason: fmt.Sprintf("broker %v\x1b[2J", h.broker.Load())}
	switch h.mode {
	case "hostile huge":
		n, _ := strconv.Atoi(os.Getenv("HOSTILE_ANSWER_MB"))
		d.Reason = strings.Repeat("x", cmp.Or(n, 4)<<20)
	case "hostile many": // two bytes each on the wire, a hundred in memory
		d.Action = &policyv1.Action{Settings: make([]*policyv1.Setting, 64<<10)}
		for i := range d.Action.GetSettings() {
			d.Action.Settings[i] = &policyv1.Setting{}
		}
	case "hostile error":
		return status.Error(codes.Unknown, strings.Repeat("e", 10<<20))
	case "hostile endless":
		for stream.SendMsg(&policyv1.DecideResponse{Decision: d}) == nil {
			continue
		}
		return nil
	case "hostile late":
		<-stream.Context().Done()
	case "hostile name":
		d.Expected = []*policyv1.Prediction{{Service: strings.Repeat("n", 32<<10)}}
	case "hostile greedy": // all within the knobs, nothing within the limits
		for _, s := range d.GetAction().GetSettings() {
			if s.Value = 0; s.GetId().GetPart() == "v1" {
				s.Value = 1
			}
		}
	}
	return stream.SendMsg(&policyv1.DecideResponse{Decision: d})
}

// What a plugin may do to its host at a decision: an error that says what, in a line, and
// as much memory as the answer to what it was asked may need.
func TestHostileAnswers(t *testing.T) {
	const most = 4 << 20
	for _, tc := range []struct{ mode, want string }{
		{"huge", "larger than max"},
		{"many", "larger than max"},
		{"error", "terminated"},
		{"endless", "cardinality violation"},
		{"late", "no answer in time"},
		{"name", "is no objective"},
	} {
		t.Run(tc.mode, func(t *testing.T) {
			h := mustStart(t, "hostile "+tc.mode, func(o *Options) {
				o.Deadline = time.Minute
				o.Env = append(o.Env, "HOSTILE_ANSWER_MB")
				if tc.mode == "late" {
					o.Deadline = 50 * time.Millisecond
				}
			})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := h.Decide(t.Context(), observation())
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), tc.want) || len(err.Error()) > maxText+200 {
				t.Errorf("error %.300v, want a short one with %q", err, tc.want)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > most {
				t.Errorf("the host allocated %d bytes for it, want at most %d", n, most)
			}
			if !h.Status().Up {
				t.Errorf("down: %s; an answer is no reason to end a plugin", h.Status().LastError)
			}
		})
	}
}

func TestHostileActionStaysWithinTheGuard(t *testing.T) {
	h := mustStart(t, "hostile greedy")
	o := observation()
	o.Live[0].Value = .5 // blocking, that the plugin wants to end at once
	d, err := h.Decide(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	checked := guard.Check(o, d.Action)
	if got, _ := checked.Action.Get(o.Live[0].KnobID); checked.Refused == "" && len(checked.Edits) == 0 || got < .5-o.Limits.MaxStep-1e-9 {
		t.Errorf("blocking becomes %v, refused %q, edits %+v; want no less than %v", got, checked.Refused, checked.Edits, .5-o.Limits.MaxStep)
	}
	if d.Reason != "broker false [2J" {
		t.Errorf("reason %q, want no broker and nothing that a terminal obeys", d.Reason)
	}
}

func TestHostileLog(t *testing.T) {
	for _, tc := range []struct {
		mode, want string
		most       int // bytes in the log
	}{
		{"longline", "bytes_left_out=10481664", 16 << 10},
		{"record", `{\"@message\":5,\"@level\":{},\"@timestamp\":1}`, 16 << 10},
		{"flood", "lines_left_out=1900", 256 << 10},
	} {
		t.Run(tc.mode, func(t *testing.T) {
			var out lockedbuffer.Buffer
			h := mustStart(t, "hostile "+tc.mode, func(o *Options) {
				o.Logger = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
				o.Now = func() time.Time { return time.Unix(0, 0) }
			})
			if _, err := h.Decide(t.Context(), observation()); err != nil {
				t.Error(err)
			}
			h.Stop(t.Context())
			if got := out.String(); !strings.Contains(got, tc.want) || len(got) > tc.most {
				t.Errorf("the log has %d bytes, want at most %d, and %s in\n%.2000s", len(got), tc.most, tc.want, got)
			}
		})
	}
}

func TestWrongHandshakes(t *testing.T) {
	for line, want := range map[string]string{
		"1|2|unix|/x|grpc":         "incompatible API version",
		"9|1|unix|/x|grpc":         "incompatible core API version",
		"1|1|unix|/x|grpc":         "unix socket in the directory",
		"1|1|unix|$DIR/x|netrpc":   "unsupported plugin protocol",
		"1|1|unix|$DIR/none|grpc":  "connect",
		strings.Repeat("h", 32000): " bytes … ",
	} {
		_, err := start(t, "prints", func(o *Options) { o.Args = append(o.Args, line) })
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > maxText+300 {
			t.Errorf("%.30s: error %.300v, want a short one with %q", line, err, want)
		}
	}
}

// A child that the plugin left in its group ends with it, however it ended.
func TestChildEndsWithItsPlugin(t *testing.T) {
	h := mustStart(t, "child")
	d, err := h.Decide(t.Context(), observation())
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(d.Reason)
	if err != nil || gone(child) {
		t.Fatalf("child %d: %v", child, err)
	}
	if err := syscall.Kill(h.Status().PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "the child is gone", func() bool { return gone(child) })
}

// The end of a plugin is not the end of others, such as one that was started meanwhile.
func TestStopKillsNobodyElse(t *testing.T) {
	other := exec.Command("sleep", "60")
	other.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	first, second := mustStart(t, "plain"), mustStart(t, "plain")
	pid := first.Status().PID
	first.Stop(t.Context())
	if !gone(pid) {
		t.Error("the plugin is still there")
	}
	if _, err := second.Decide(t.Context(), observation()); err != nil {
		t.Errorf("the other plugin: %v", err)
	}
	if gone(other.Process.Pid) {
		t.Error("a process that is no plugin was killed")
	}
	_ = other.Process.Kill()
	_ = other.Wait() // says that it was killed
}
