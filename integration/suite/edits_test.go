//go:build integration

package suite

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// What others change of objects, which are as JSON has them: never what windvane sets.

func meta(o map[string]any, member string) map[string]any {
	m := o["metadata"].(map[string]any)
	if m[member] == nil {
		m[member] = map[string]any{}
	}
	return m[member].(map[string]any)
}

func spec(o map[string]any) map[string]any { return o["spec"].(map[string]any) }

// managed is the route that windvane sets, wherever it is.
func managed(o map[string]any) map[string]any {
	for _, r := range spec(o)["http"].([]any) {
		if r := r.(map[string]any); r["timeout"] != nil {
			return r
		}
	}
	panic("the route is gone")
}

// toggle sets a member, or takes it away where it is.
func toggle(m map[string]any, member string, value any) {
	if _, ok := m[member]; ok {
		delete(m, member)
		return
	}
	m[member] = value
}

// metaEdits are what people do to any object.
var metaEdits = []func(*rand.Rand, map[string]any){
	func(r *rand.Rand, o map[string]any) { meta(o, "labels")["team"] = fmt.Sprint("team-", r.IntN(9)) },
	func(r *rand.Rand, o map[string]any) {
		toggle(meta(o, "annotations"), fmt.Sprint("shop.example/", r.IntN(3)), "~1 / \" ' é")
	},
}

// virtualServiceEdits leave weights and aborts alone.
var virtualServiceEdits = append(slices.Clone(metaEdits),
	func(r *rand.Rand, o map[string]any) { managed(o)["timeout"] = fmt.Sprint(1+r.IntN(9), "s") },
	func(r *rand.Rand, o map[string]any) {
		toggle(managed(o), "headers", map[string]any{"request": map[string]any{"set": map[string]any{"x-shop": fmt.Sprint(r.IntN(9))}}})
	},
	func(_ *rand.Rand, o map[string]any) { toggle(spec(o), "exportTo", []any{"."}) },
	func(r *rand.Rand, o map[string]any) { // a route before windvane's
		spec(o)["http"] = slices.Insert(spec(o)["http"].([]any), 0, any(map[string]any{
			"name": fmt.Sprint("new-", r.IntN(1e9)), "match": []any{map[string]any{"uri": map[string]any{"prefix": "/new"}}},
			"route": []any{map[string]any{"destination": map[string]any{"host": "new.example"}}},
		}))
	},
	func(_ *rand.Rand, o map[string]any) { // or taken away
		if all := spec(o)["http"].([]any); len(all) > 1 && all[0].(map[string]any)["timeout"] == nil {
			spec(o)["http"] = all[1:]
		}
	},
	func(r *rand.Rand, o map[string]any) { // a delay of somebody's beside windvane's abort
		route := managed(o)
		fault, _ := route["fault"].(map[string]any)
		if fault["delay"] != nil && len(fault) == 1 {
			delete(route, "fault")
			return
		}
		if fault == nil {
			fault = map[string]any{}
			route["fault"] = fault
		}
		toggle(fault, "delay", map[string]any{"fixedDelay": fmt.Sprint(1+r.IntN(9), "ms"), "percentage": map[string]any{"value": 1.5}})
	},
)

// deploymentEdits leave the replicas alone.
var deploymentEdits = append(slices.Clone(metaEdits),
	func(r *rand.Rand, o map[string]any) { spec(o)["minReadySeconds"] = r.IntN(9) },
	func(r *rand.Rand, o map[string]any) {
		pod := spec(spec(o)["template"].(map[string]any))
		pod["containers"].([]any)[0].(map[string]any)["image"] = fmt.Sprint("windvane.example/sized:", r.IntN(9))
	},
)
