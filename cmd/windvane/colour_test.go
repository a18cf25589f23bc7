package main

import (
	"os"
	"strings"
	"testing"
)

func TestPaintChangesNoWord(t *testing.T) {
	const text = "mesh shop   authority act\n  hold: no_data: a signal is missing\n  problem  query, offered: nothing\n  ok       3 findings\nno mesh here, and no hold: either\n" +
		"warning: windvane.toml\n  latency of compute burns its budget too fast, over 5m and 1h\n"
	var b strings.Builder
	n, err := paint{&b}.Write([]byte(text))
	if n != len(text) || err != nil {
		t.Fatalf("%d of %d, %v", n, len(text), err)
	}
	for _, want := range []string{
		"\x1b[1mmesh shop\x1b[0m   authority", "\x1b[33m  hold:\x1b[0m no_data", "\x1b[31m  problem\x1b[0m  query", "\n  ok       3", "\nno mesh here, and no hold: either\n",
		"\x1b[33mwarning:\x1b[0m windvane", "\x1b[31mburns its budget too fast\x1b[0m, over",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q has no %q", b.String(), want)
		}
	}
	plain := strings.NewReplacer("\x1b[0m", "", "\x1b[1m", "", "\x1b[31m", "", "\x1b[33m", "").Replace(b.String())
	if plain != text {
		t.Errorf("without colours it is %q", plain)
	}
}

func TestColoursAreForTerminals(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/f")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for _, w := range []any{coloured(file), coloured(&strings.Builder{})} {
		if _, painted := w.(paint); painted {
			t.Errorf("%T is coloured", w)
		}
	}
	tty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("there is no terminal to be had: ", err)
	}
	defer func() { _ = tty.Close() }()
	for _, c := range []struct {
		none, term string
		want       bool
	}{{"", "xterm", true}, {"1", "xterm", false}, {"", "dumb", false}} {
		t.Setenv("NO_COLOR", c.none)
		t.Setenv("TERM", c.term)
		if _, painted := coloured(tty).(paint); painted != c.want {
			t.Errorf("NO_COLOR=%q TERM=%q: coloured %v", c.none, c.term, painted)
		}
	}
}
