package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/windvane/windvane/daemon/actuate/istio"
	"github.com/windvane/windvane/rules"
)

// httpRoute is the part of spec.http that says how requests are tried again.
type httpRoute struct {
	Retries *struct {
		Attempts int    `json:"attempts"`
		RetryOn  string `json:"retryOn"`
	} `json:"retries"`
}

// retries looks whether a refused request would be sent again. The proxy that refuses does
// not try again itself: the filter that aborts stands before the router. A caller of the
// caller does, if its route's retries name the status, and offers more load the more is
// refused.
func (e *examination) retries(m *rules.Mesh, vs istio.Examined, o object) {
	add := e.about(m.Name, "retries")
	for _, r := range vs.Routes {
		if r.Err != nil || r.Status == 0 {
			continue
		}
		name := vs.Object + " route " + r.HTTP
		route := o.Spec.HTTP[r.Index]
		const do = "use blocking.status = 429, and take 429 out of retries.retryOn; `retries: {attempts: 0}` ends all of them"
		switch {
		case route.Retries == nil && r.Status == 503:
			add(name, Warning, "it has no retries of its own, and the default of some versions of Istio tries a 503 again: blocking with 503 then makes load", do)
		case route.Retries == nil || route.Retries.Attempts <= 0 || !retried(route.Retries.RetryOn, r.Status):
			add(name, OK, fmt.Sprintf("a request refused with %d is not sent again", r.Status), "")
		default:
			add(name, Warning, fmt.Sprintf("retryOn %q sends a request that was refused with %d again, up to %s: what is blocked comes back as load",
				route.Retries.RetryOn, r.Status, times(route.Retries.Attempts)), do)
		}
	}
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// retried reports whether a retryOn of Istio, conditions of Envoy and statuses, matches a
// status. Without any, Istio's default matches none.
func retried(retryOn string, status int) bool {
	for condition := range strings.SplitSeq(retryOn, ",") {
		condition = strings.TrimSpace(condition)
		switch condition {
		case "5xx":
			if status >= 500 && status <= 599 {
				return true
			}
		case "gateway-error":
			if slices.Contains([]int{502, 503, 504}, status) {
				return true
			}
		case "retriable-4xx": // 409 alone
			if status == 409 {
				return true
			}
		default:
			if code, err := strconv.Atoi(condition); err == nil && code == status {
				return true
			}
		}
	}
	return false
}
