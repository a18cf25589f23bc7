package integration

import (
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var (
	inlineLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading    = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	fenced     = regexp.MustCompile("(?ms)^```.*?^```$")
	code       = regexp.MustCompile("`[^`\n]*`")
	ownPage    = regexp.MustCompile(`https://github\.com/windvane/windvane/(?:blob|raw)/main/([\w./-]+)(?:#([\w-]+))?`)
)

// Each link of a page leads somewhere: to a file that there is, and to a heading in it. Links
// to other hosts are not followed. What names a page of this repository by its address, as
// alerts do, is held against the file.
func TestLinks(t *testing.T) {
	root := ".."
	pages := 0
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "node_modules" || d.Name() == "bin" || d.Name() == "dist") {
			return filepath.SkipDir
		}
		switch filepath.Ext(file) {
		case ".md":
			pages++
			text := fenced.ReplaceAllString(read(t, file), "")
			for _, m := range inlineLink.FindAllStringSubmatch(code.ReplaceAllString(text, ""), -1) {
				checkLink(t, file, m[1])
			}
		case ".yml", ".json", ".toml":
		default:
			return nil
		}
		for _, m := range ownPage.FindAllStringSubmatch(read(t, file), -1) {
			checkTarget(t, file, m[0], path.Join(root, m[1]), m[2])
		}
		return nil
	})
	if err != nil || pages < 20 {
		t.Fatalf("%d pages, %v", pages, err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func checkLink(t *testing.T, file, link string) {
	t.Helper()
	u, err := url.Parse(link)
	switch {
	case err != nil || u.Scheme == "http":
		t.Errorf("%s: %s is no link to follow: %v", file, link, err)
	case u.Scheme != "":
	case u.Path == "":
		checkTarget(t, file, link, file, u.Fragment)
	default:
		checkTarget(t, file, link, path.Join(path.Dir(file), u.Path), u.Fragment)
	}
}

func checkTarget(t *testing.T, file, link, target, anchor string) {
	t.Helper()
	info, err := os.Stat(target)
	if err != nil {
		t.Errorf("%s: %s: there is no %s", file, link, target)
		return
	}
	if anchor != "" && (info.IsDir() || !anchors(read(t, target))[anchor]) {
		t.Errorf("%s: %s: %s has no heading for it", file, link, target)
	}
}

// anchors are those that GitHub gives a page's headings.
func anchors(page string) map[string]bool {
	out := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
		plain := inlineLinkText.ReplaceAllString(m[1], "$1")
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, plain)
		for n, again := 1, anchor; ; n++ {
			if !out[again] {
				out[again] = true
				break
			}
			again = anchor + "-" + string(rune('0'+n))
		}
	}
	return out
}

var inlineLinkText = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)

func TestAnchors(t *testing.T) {
	got := anchors("# What to do at 3 a.m.\n## `[[service.objective]]`\n## Twice\n## Twice\n```\n# no heading\n```\n## See [there](x.md), too\n")
	for _, want := range []string{"what-to-do-at-3-am", "serviceobjective", "twice", "twice-1", "see-there-too"} {
		if !got[want] {
			t.Errorf("no %s in %v", want, got)
		}
	}
	if len(got) != 5 {
		t.Errorf("%v", got)
	}
}
