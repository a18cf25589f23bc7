package config

import "github.com/windvane/windvane/rules"

// Update is the flag by which generated files are written anew.
var Update = update

// AskedOf loads a file, and returns what was asked of its keys and of those of its rules files.
func AskedOf(path string, builtins []string) (daemon []rules.Asked, meshes [][]rules.Asked, err error) {
	l, err := load(path, builtins)
	if err != nil {
		return nil, nil, err
	}
	for _, m := range l.config.Meshes {
		meshes = append(meshes, m.Asked())
	}
	return l.doc.Asked(), meshes, nil
}
