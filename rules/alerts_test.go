package rules

import (
	"os"
	"testing"
)

func TestAlertsThatAreOfAMesh(t *testing.T) {
	src, err := os.ReadFile("testdata/good/shop.toml")
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse("shop.toml", append(src, "\n[alerts]\nmatch = '{namespace=\"shop\", severity=~\"page|ticket\"}'\n"...))
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, x := range m.Alerts {
		got += x.String() + " "
	}
	if want := `namespace="shop" severity=~"page|ticket" `; got != want {
		t.Errorf("matchers %s, want %s", got, want)
	}
}
