package roles

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/windvane/windvane/daemon/journal"
	"github.com/windvane/windvane/rules"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func file() []Declaration {
	return []Declaration{
		{"old", rules.RoleActive, "1"}, {"new", rules.RoleShadow, "2"}, {"newer", rules.RoleCandidate, "3"}, {"simple", rules.RoleFallback, "4"},
	}
}

func declared(t *testing.T) State {
	t.Helper()
	s, remarks := State{}.Declare(file(), noon)
	if len(remarks) > 0 {
		t.Fatal(remarks)
	}
	return s
}

// said has a person say things, as in "promote new"; an error fails the test.
func said(t *testing.T, s State, words ...string) State {
	t.Helper()
	for i, w := range words {
		command, name, _ := strings.Cut(w, " ")
		do := s.Promote
		if command == journal.CommandDemote {
			do = s.Demote
		}
		var err error
		if s, err = do(name, Word{By: "ann", Reason: w, At: noon.Add(time.Duration(i+1) * time.Hour)}); err != nil {
			t.Fatalf("%s: %v", w, err)
		}
	}
	return s
}

// roles are the roles as in "old=active …".
func rolesOf(s State) string {
	var out []string
	for _, d := range file() {
		if x, ok := s.Policies[d.Name]; ok {
			out = append(out, d.Name+"="+x.Text())
		}
	}
	return strings.Join(out, " ")
}

func TestPromoteAndDemote(t *testing.T) {
	for _, c := range []struct{ said, want string }{
		{"", "old=active new=shadow newer=candidate simple=fallback"},
		{"promote new", "old=retired new=canary newer=candidate simple=fallback"},
		{"promote new,promote old", "old=canary new=retired newer=candidate simple=fallback"},
		{"promote new,promote new", "old=retired new=active newer=candidate simple=fallback"},
		{"promote new,promote new,demote new", "old=active new=retired newer=candidate simple=fallback"},
		{"promote new,demote new", "old=active new=retired newer=candidate simple=fallback"},
		{"promote new,promote newer,demote newer", "old=retired new=active newer=retired simple=fallback"},
		{"promote new,promote newer,demote newer,demote new", "old=active new=retired newer=retired simple=fallback"},
	} {
		var words []string
		if c.said != "" {
			words = strings.Split(c.said, ",")
		}
		s := said(t, declared(t), words...)
		if got := rolesOf(s); got != c.want {
			t.Errorf("%s: %s, want %s", c.said, got, c.want)
		}
		if int(s.Revision) != len(words) || len(s.Untold) != len(words) { //nolint:gosec // a few
			t.Errorf("%s: revision %d, %d to be told", c.said, s.Revision, len(s.Untold))
		}
	}
	s := said(t, declared(t), "promote new")
	want := Standing{Role: rules.RoleActive, Since: noon.Add(time.Hour), By: "ann", Reason: "promote new", Before: "old", Canary: true, Of: "2"}
	if d := cmp.Diff(want, s.Policies["new"]); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(journal.RoleChange{At: noon.Add(time.Hour), Command: "promote", Policy: "new", Was: "old", Active: "new", By: "ann", Reason: "promote new", Canary: true}, s.Untold[0]); d != "" {
		t.Error(d)
	}
}

func TestRefused(t *testing.T) {
	s := declared(t)
	back := said(t, s, "promote new", "demote new")
	for _, c := range []struct {
		of                  State
		command, name, want string
	}{
		{s, journal.CommandPromote, "old", "policy old is active already, since 2026-01-01T12:00:00Z"},
		{s, journal.CommandPromote, "simple", "declare it a second time"},
		{s, journal.CommandPromote, "nwe", `no policy "nwe" is declared; did you mean "new"?`},
		{s, journal.CommandDemote, "new", "policy new is shadow, and only the active one can be demoted"},
		{s, journal.CommandDemote, "old", "has taken no other's place"},
		{back, journal.CommandDemote, "old", "has taken no other's place"},
		{State{}, journal.CommandDemote, "old", "`windvane policy list` lists them"},
	} {
		do := c.of.Promote
		if c.command == journal.CommandDemote {
			do = c.of.Demote
		}
		got, err := do(c.name, Word{By: "ann", At: noon})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: error %v does not say %q", c.command, c.name, err, c.want)
		}
		if d := cmp.Diff(c.of, got); d != "" {
			t.Errorf("%s %s: refused, and changed all the same:\n%s", c.command, c.name, d)
		}
	}
	// A policy may be promoted where none is active; to demote it leaves none again.
	s, _ = State{}.Declare(file()[1:], noon)
	if got := said(t, s, "promote new", "demote new"); got.Active() != "" {
		t.Errorf("%q is active, want none", got.Active())
	}
}

// What the file says anew wins over what persons said, and only that.
func TestDeclareAgain(t *testing.T) {
	promoted := said(t, declared(t), "promote new")
	later := noon.Add(24 * time.Hour)
	for name, c := range map[string]struct {
		change       func(d []Declaration) []Declaration
		want, remark string
	}{
		"nothing": {func(d []Declaration) []Declaration { return d }, "old=retired new=canary newer=candidate simple=fallback", ""},
		"the promoted is gone": {
			func(d []Declaration) []Declaration { return append(d[:1], d[2:]...) },
			"old=active newer=candidate simple=fallback", "new, which ann had active, is not declared any more",
		},
		"the promoted is another": {
			func(d []Declaration) []Declaration { d[1].Digest = "7"; return d },
			"old=active new=shadow newer=candidate simple=fallback", "new, which ann had active, is another policy now",
		},
		"the file promotes it, too": {
			func(d []Declaration) []Declaration {
				d[0].Role, d[1].Role = rules.RoleShadow, rules.RoleActive
				return d
			},
			"old=shadow new=active newer=candidate simple=fallback", "it declares new as active now",
		},
		"no active any more": {
			func(d []Declaration) []Declaration { d[0].Role = rules.RoleShadow; return d },
			"old=shadow new=shadow newer=candidate simple=fallback", "it declared old as active, and now none",
		},
		"the retired is another": {
			func(d []Declaration) []Declaration { d[0].Digest = "7"; return d },
			"old=retired new=canary newer=candidate simple=fallback", "",
		},
		"another policy": {
			func(d []Declaration) []Declaration { d[2].Role = rules.RoleShadow; return d },
			"old=retired new=canary newer=shadow simple=fallback", "",
		},
	} {
		got, remarks := promoted.Declare(c.change(file()), later)
		if rolesOf(got) != c.want {
			t.Errorf("%s: %s, want %s", name, rolesOf(got), c.want)
		}
		if text := strings.Join(remarks, "; "); c.remark == "" && text != "" || !strings.Contains(text, c.remark) {
			t.Errorf("%s: remarks %q do not say %q", name, text, c.remark)
		}
		if again, remarks := got.Declare(c.change(file()), later.Add(time.Hour)); !cmp.Equal(again, got) || len(remarks) > 0 {
			t.Errorf("%s: declared twice it is another: %v\n%s", name, remarks, cmp.Diff(got, again))
		}
	}
	// What was demoted is itself again when it is declared anew, as with another artefact.
	demoted := said(t, promoted, "demote new")
	anew := file()
	anew[1].Digest = "7"
	if got, _ := demoted.Declare(anew, later); got.Policies["new"].Role != rules.RoleShadow || got.Active() != "old" {
		t.Errorf("%s", rolesOf(got))
	}
}

// Whatever is said and declared, there is at most one active policy, there is one as long as
// the file declares one, the fallback is the file's, and what is declared is all there is.
func TestRolesStayWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(1000, 1))
	s, files := declared(t), file()
	for step := range 5_000 {
		name := []string{"old", "new", "newer", "simple", "nobody"}[r.IntN(5)]
		w := Word{By: "ann", At: noon.Add(time.Duration(step) * time.Second)}
		what := ""
		switch r.IntN(5) {
		case 0, 1:
			s, _ = s.Promote(name, w)
			what = "promote " + name
		case 2:
			s, _ = s.Demote(name, w)
			what = "demote " + name
		default:
			files = anyFile(r)
			s, _ = s.Declare(files, w.At)
			what = fmt.Sprint("declare ", files)
		}
		s.Untold = nil
		count := map[rules.PolicyRole]int{}
		for _, x := range s.Policies {
			count[x.Role]++
		}
		wantFallback := 0
		for _, d := range files {
			if d.Role == rules.RoleFallback {
				wantFallback++
			}
		}
		if count[rules.RoleActive] > 1 || s.Declared != "" && count[rules.RoleActive] == 0 || count[rules.RoleFallback] != wantFallback || len(s.Policies) != len(files) {
			t.Fatalf("step %d, %s: %+v", step, what, s)
		}
	}
}

func anyFile(r *rand.Rand) []Declaration {
	var out []Declaration
	active := r.IntN(4)
	for i, d := range file()[:3] {
		if d.Role = []rules.PolicyRole{rules.RoleShadow, rules.RoleCandidate}[r.IntN(2)]; i == active {
			d.Role = rules.RoleActive
		}
		if d.Digest = fmt.Sprint(d.Role, r.IntN(6)/5); i == active || r.IntN(6) > 0 {
			out = append(out, d)
		}
	}
	return append(out, file()[3])
}
