package doctor

import (
	"os"
	"strings"
	"testing"
)

// What docs/how-to.md tells Argo CD and Flux is what doctor prints.
func TestHowToHasWhatIsPrinted(t *testing.T) {
	page, err := os.ReadFile("../../docs/how-to.md")
	if err != nil {
		t.Fatal(err)
	}
	f := fields{group: "networking.istio.io", kind: "VirtualService", namespace: "default", name: "front"}
	for i, route := range []string{"information", "compute"} {
		at := "/spec/http/" + string(rune('0'+i))
		f.jq = append(f.jq, `.spec.http[] | select(.name == "`+route+`") | .route[].weight`, `.spec.http[] | select(.name == "`+route+`") | .fault`)
		f.pointers = append(f.pointers, at+"/route/0/weight", at+"/route/1/weight", at+"/fault")
	}
	for _, text := range []string{f.argo(), f.flux()} {
		var block strings.Builder
		for line := range strings.Lines(text) {
			block.WriteString("    " + line)
		}
		if !strings.Contains(string(page), block.String()) {
			t.Errorf("docs/how-to.md has not\n%s", block.String())
		}
	}
}
