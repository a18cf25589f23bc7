package lifecycle

import (
	"github.com/windvane/windvane/plugins/policy"
	"github.com/windvane/windvane/sim/dataset"
)

// queue is dataset.Queue of a mesh's services.
type queue struct {
	services []policy.Service
	left     dataset.Queue
}

func (q *queue) over(settings policy.Action, state policy.State) bool {
	q.left.Services = q.services
	return q.left.Over(settings, state)
}
