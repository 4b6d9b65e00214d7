package config

import (
	"cmp"
	"encoding/json"

	"github.com/permesso/permesso/policy"
)

// Keys are the paths of all keys.
func Keys() []string { return keyPaths(func(key) bool { return true }) }

func keyPaths(which func(key) bool) []string {
	var paths []string
	for _, s := range sections() {
		for _, k := range s.keys {
			if which(k) {
				paths = append(paths, joinPath(s.path, k.name))
			}
		}
	}
	return paths
}

// SchemaOf is the schema of the key at a path of Keys, nil when it has none.
func SchemaOf(path string) map[string]any {
	text, err := Schema()
	if err != nil {
		return nil
	}
	var document struct {
		Defs map[string]struct {
			Properties map[string]map[string]any `json:"properties"`
		} `json:"$defs"`
	}
	if json.Unmarshal(text, &document) != nil {
		return nil
	}
	for _, s := range sections() {
		for _, k := range s.keys {
			if joinPath(s.path, k.name) == path {
				return document.Defs[cmp.Or(s.def(), "config")].Properties[k.name]
			}
		}
	}
	return nil
}

// Fallbacks are the values that absent keys have, by the paths of the keys.
func Fallbacks() map[string]any {
	values := map[string]any{}
	for _, s := range sections() {
		for _, k := range s.keys {
			if k.fallback != nil {
				values[joinPath(s.path, k.name)] = k.fallback
			}
		}
	}
	return values
}

// RequiredKeys are the paths of the keys that the table wants there.
func RequiredKeys() []string { return keyPaths(func(k key) bool { return k.required }) }

// ReadClosedDays reads a file of days; lines are those of its mistakes.
func ReadClosedDays(data []byte) (days []policy.ClosedDay, lines []int) {
	days, mistakes := readClosedDays(data)
	for _, m := range mistakes {
		lines = append(lines, m.line)
	}
	return days, lines
}
