package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Setting is one value that holds, and where it comes from.
type Setting struct {
	Path string `json:"path"` // campaigns[0].window.from; campaigns are counted through all files
	// Value is text, a number, true or false, an empty list or mapping, or nil when the key is absent and nothing holds.
	// Secrets are masked.
	Value any `json:"value"`
	// Origin is file:line, "default", "environment variable NAME" or "file PATH"; text that only contains references has
	// several, beginning with its own place.
	Origin string `json:"origin"`
}

// OriginDefault is the origin of what holds because no file says otherwise.
const OriginDefault = "default"

// Effective reads the configuration as Load does, and returns every value that holds, those of absent keys included, in
// the order of the table of keys. Its errors are Load's.
func Effective(path string, env func(name string) (string, bool)) ([]Setting, error) {
	l, data, err := begin(path, env)
	if err != nil {
		return nil, err
	}
	cfg, err := l.load(data)
	if err != nil {
		return nil, err
	}
	s := survey{l: l, cfg: cfg}
	for _, secret := range append([]Secret{cfg.Graph.AccessToken, cfg.Graph.VerifyToken, l.notifySecret, l.repliesSecret}, cfg.Graph.AppSecrets...) {
		if text := secret.Reveal(); text != "" {
			s.secrets = append(s.secrets, text)
		}
	}
	s.section("", rootKeys, l.root)
	return s.settings, nil
}

// survey goes through a configuration without mistakes.
type survey struct {
	l        *loader
	cfg      *Config
	secrets  []string
	settings []Setting
}

func (s *survey) add(path string, value any, origin string) {
	s.settings = append(s.settings, Setting{path, value, origin})
}

// section goes through the keys of a mapping; the zero value is a mapping that is not there.
func (s *survey) section(path string, known section, v value) {
	written := map[string]value{}
	if v.node != nil {
		entries, _ := v.entries("")
		for _, e := range entries {
			written[e.key] = e.val
		}
	}
	for _, k := range known.keys {
		v, found := written[k.name]
		at, row := joinPath(path, k.name), joinPath(known.path, k.name)
		switch {
		case row == "campaigns":
			s.campaigns(k.form.each)
		case found:
			s.value(at, row, v, k.form)
		case known.alternative(k.name, written):
			// Another one is there in its place.
		default:
			s.absent(at, row, k)
		}
		if row == "include" {
			for i, file := range s.l.included {
				s.add(fmt.Sprintf("included[%d]", i), file.file, file.pattern.place())
			}
		}
	}
}

func (s *survey) campaigns(each *form) {
	for i, v := range s.l.campaignsInTurn {
		s.value(fmt.Sprintf("campaigns[%d]", i), "campaigns[]", v, *each)
	}
	if len(s.l.campaignsInTurn) == 0 {
		s.add("campaigns", nil, OriginDefault)
	}
}

// absent tells what holds without the key. A section that needs no key has defaults of its own, key by key.
func (s *survey) absent(path, row string, k key) {
	below := k.form.section
	switch resolved, known := s.resolved(row); {
	case known:
		s.add(path, resolved, OriginDefault)
	case k.fallback == nil && below != nil && k.form.schema.Ref != "" && below.needsNothing():
		s.section(path, *below, value{})
	default:
		s.add(path, k.fallback, OriginDefault)
	}
}

// alternative reports whether the key is one of several of which the mapping has another, or belongs to one.
func (s section) alternative(name string, written map[string]value) bool {
	_, hasOwner := written[s.besideOnly]
	return slices.Contains(s.oneOf, name) || name != "" && name == s.beside && !hasOwner
}

func (s section) needsNothing() bool {
	for _, k := range s.keys {
		if k.required {
			return false
		}
	}
	return len(s.oneOf) == 0 && !s.filled
}

// resolved is what a key comes to once the loader has taken the rest of the file into account, present or absent.
func (s *survey) resolved(row string) (any, bool) {
	switch row {
	case "database":
		return maskPassword(s.cfg.Database), true
	case "state_dir":
		return s.cfg.StateDir, true
	case "graph.base_url":
		return s.cfg.Graph.BaseURL, true
	case "public_url":
		if s.cfg.PublicURL != "" {
			return s.cfg.PublicURL, true
		}
	case "campaigns[].number":
		if len(s.cfg.Numbers) == 1 {
			return s.cfg.Numbers[0].ID, true
		}
	case "campaigns[].schedule.timezone":
		return s.cfg.Business.Timezone, true
	}
	return nil, false
}

// value goes through what is written.
func (s *survey) value(path, row string, v value, f form) {
	switch v.node.Kind {
	case yaml.MappingNode:
		s.mapping(path, row, v, f)
	case yaml.SequenceNode:
		values, _ := v.list("")
		for i, item := range values {
			s.value(fmt.Sprintf("%s[%d]", path, i), row+"[]", item, f.below())
		}
		if len(values) == 0 {
			s.add(path, []any{}, v.place())
		}
	default:
		s.add(path, s.scalar(row, v, f), v.origin())
	}
}

func (s *survey) mapping(path, row string, v value, f form) {
	if f.section != nil {
		s.section(path, *f.section, v)
		return
	}
	entries, _ := v.entries("")
	for _, e := range entries {
		s.value(joinPath(path, e.key), row+".*", e.val, f.below())
	}
	if len(entries) == 0 {
		s.add(path, map[string]any{}, v.place())
	}
}

func (f form) below() form {
	if f.each == nil {
		return form{}
	}
	return *f.each
}

func (s *survey) scalar(row string, v value, f form) any {
	text, err := s.l.expand(v.node.Value, nil)
	if err != nil || f.scalar == isSecret {
		// Load has just expanded it, so err says that a file changed meanwhile: what it holds now is nobody's to see.
		return maskedSecret
	}
	switch f.scalar {
	case isNumber:
		if number, err := strconv.Atoi(text); err == nil {
			return number
		}
		if number, err := strconv.ParseFloat(text, 64); err == nil {
			return number
		}
	case isBoolean:
		return text == "true"
	}
	// What stands in a list is resolved each for itself, and is written out when it is written at all.
	if resolved, known := s.resolved(row); known && !strings.Contains(row, "[]") {
		return resolved
	}
	return s.masked(text, v.holdsReference())
}

// leastSecret is the length from which a text that contains a secret's value contains it hardly by chance.
const leastSecret = 8

// masked hides a secret that stands where none belongs, as a reference or in the clear.
func (s *survey) masked(text string, referred bool) string {
	for _, secret := range s.secrets {
		if referred || len(secret) >= leastSecret {
			text = strings.ReplaceAll(text, secret, maskedSecret)
		}
	}
	return text
}

// anyPassword is all of an address that could be a password; rather too much of it than too little.
var anyPassword = regexp.MustCompile(`(://[^:/@\s]*:)\S*(@)|([?&](?:ssl)?password=)[^&\s]*`)

func maskPassword(address string) string {
	if !strings.HasPrefix(address, "postgres") {
		return address
	}
	return anyPassword.ReplaceAllString(address, "${1}${3}"+maskedSecret+"${2}")
}

// place is the value's file and line.
func (v value) place() string { return fmt.Sprintf("%s:%d", v.doc.file, v.node.Line) }

var referenceInText = regexp.MustCompile(`\$?` + aReference)

// origin is where a single value comes from.
func (v value) origin() string {
	var from []string
	if !onlyReference.MatchString(v.node.Value) {
		from = []string{v.place()}
	}
	for _, reference := range referenceInText.FindAllString(v.node.Value, -1) {
		name := strings.Trim(strings.TrimPrefix(reference, "$"), "{}")
		switch path, isFile := strings.CutPrefix(name, "file:"); {
		case strings.HasPrefix(reference, "$$"): // the characters ${ themselves
		case isFile:
			from = append(from, "file "+path)
		default:
			from = append(from, "environment variable "+name)
		}
	}
	return strings.Join(from, ", ")
}
