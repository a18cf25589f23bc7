package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/windvane/windvane/rules"
)

// What the parser of flags says, with what it is about.
var (
	unknownFlag    = regexp.MustCompile(`^unknown (?:long|short) flag '(-+)(.*)'$`)
	unknownCommand = regexp.MustCompile(`^(?:expected command but got "|unexpected )(.*?)"?$`)
	noNumber       = regexp.MustCompile(`^strconv\.Parse(?:Int|Uint|Float): parsing (".*"): (.*)$`)
	noneOf         = regexp.MustCompile(`^enum value must be one of (.*), got '(.*)'$`)
)

// completed leaves out the first word of a line that a shell completes: the parser would take it
// for an argument of the default command, and offer nothing. The shell picks what begins with it.
func completed(args []string) []string {
	if len(args) == 2 && args[0] == "--completion-bash" && !strings.HasPrefix(args[1], "-") {
		return args[:1]
	}
	return args
}

// mistaken says what is wrong with the arguments, what was meant, and where to read on.
func mistaken(app *kingpin.ApplicationModel, args []string, err error) error {
	chosen, flags, commands := along(app, args)
	help := strings.TrimSpace("windvane "+chosen) + " --help"
	text := err.Error()
	if m := unknownFlag.FindStringSubmatch(text); m != nil {
		return fmt.Errorf("there is no flag %s%s%s; see %s", m[1], m[2], meant(m[1], m[2], flags), help)
	}
	if m := unknownCommand.FindStringSubmatch(text); m != nil {
		if len(commands) == 0 {
			return fmt.Errorf("the argument %q is one too many; see %s", m[1], help)
		}
		return fmt.Errorf("there is no command %q%s; see %s", strings.TrimSpace(chosen+" "+m[1]), meant("", m[1], commands), help)
	}
	if m := noNumber.FindStringSubmatch(text); m != nil {
		return fmt.Errorf("%s is not the number that is wanted: %s; see %s", m[1], m[2], help)
	}
	if m := noneOf.FindStringSubmatch(text); m != nil {
		known := strings.Split(m[1], ",")
		return fmt.Errorf("%q is none of %s%s; see %s", m[2], strings.Join(known, ", "), meant("", m[2], known), help)
	}
	return fmt.Errorf("%w; see %s", err, help)
}

// hinted adds to an error of the system what to do about it, unless it says so already.
func hinted(err error) error {
	if strings.Contains(err.Error(), "; ") {
		return err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && strings.Contains(err.Error(), "journal"):
		return fmt.Errorf("%w; name the directory that windvane.toml has as state_directory", err)
	case errors.Is(err, fs.ErrNotExist):
		where, _ := os.Getwd() // without it the hint is shorter
		return fmt.Errorf("%w; name a file that is there: paths are relative to %s", err, where)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; be one of those who may, by sudo or its group", err)
	}
	return err
}

// meant is the known word that is nearest to what was written, in brackets; empty: none is near.
func meant(dashes, written string, known []string) string {
	hint := rules.Suggest(written, known)
	if word, ok := strings.CutPrefix(hint, `did you mean "`); ok {
		return fmt.Sprintf(` (did you mean %q?)`, dashes+strings.TrimSuffix(word, `"?`))
	}
	return ""
}

// along follows the arguments as far as they name commands. It returns those, the flags that
// may be given there, and the commands that may follow.
func along(app *kingpin.ApplicationModel, args []string) (chosen string, flags, commands []string) {
	at := app.CmdGroupModel
	groups := []*kingpin.FlagGroupModel{app.FlagGroupModel}
	for _, arg := range args {
		for _, c := range at.Commands {
			if c.Name == arg {
				chosen = strings.TrimSpace(chosen + " " + arg)
				at = c.CmdGroupModel
				groups = append(groups, c.FlagGroupModel)
				break
			}
		}
	}
	if chosen == "" { // the default command's flags
		for _, c := range at.Commands {
			if c.Default {
				groups = append(groups, c.FlagGroupModel)
			}
		}
	}
	for _, g := range groups {
		for _, f := range g.Flags {
			if !f.Hidden {
				flags = append(flags, f.Name)
			}
		}
	}
	for _, c := range at.Commands {
		commands = append(commands, c.Name)
	}
	return chosen, flags, commands
}
