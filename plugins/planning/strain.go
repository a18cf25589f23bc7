package planning

import (
	"math"

	"github.com/windvane/windvane/sim/model"
)

// growths are so many loads on the way from the present ones to the greatest that the table
// knows.
const growths = 3

// mostStrain is the greatest ratio to a bound that counts: that of a mesh far beyond its
// bounds says how slow it is, and no more of an action.
const mostStrain = 2

// growth is one of those loads.
type growth struct {
	offered []float64 // by service, requests/s
	corners []model.Corner
}

// Grow prepares Strain for the observation that was begun.
func (c *Case) Grow() {
	for k := range c.growths {
		g := &c.growths[k]
		for s, loads := range c.Table.Loads {
			room := math.Max(0, loads[len(loads)-1]-c.Offered[s])
			g.offered[s] = c.Offered[s] + float64(k+1)/growths*room
		}
		g.corners, _ = c.Table.Corners(g.corners, g.offered, len(c.Grid))
	}
}

// Strain says how near its bounds an action of the grid keeps the mesh: the largest ratio of
// a prediction under its margin to its bound, in the mean of the present loads, for which it is
// excess, as Weigh has it, and of those on the way to the greatest known. Of actions that carry the same now it tells the one that is
// ready for more: where there is little load all are as good, and whichever is in force when a
// crowd comes is in force until it has been seen.
func (c *Case) Strain(action int, excess float64) float64 {
	sum := math.Min(excess, mostStrain)
	for k := range c.growths {
		g := &c.growths[k]
		c.Table.Predict(c.latency, g.corners, action)
		_, excess := c.Judge.WeighAt(g.offered, c.latency, c.Grid[action])
		sum += math.Min(excess, mostStrain)
	}
	return sum / float64(1+len(c.growths))
}
