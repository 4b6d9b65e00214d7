package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/spelling"
)

const aName = `[A-Za-z_][A-Za-z0-9_]*`

// A reference is ${NAME} or ${file:PATH}; $${ is the two characters ${ themselves.
var (
	variableName  = regexp.MustCompile(`^` + aName + `$`)
	onlyReference = regexp.MustCompile(`^\$\{[^{}]+\}$`)
	anyReference  = regexp.MustCompile(`\$\{[^{}]*\}`)
)

// maxReferenced bounds the file behind ${file:…}: a secret or a sentence, not a dump.
const maxReferenced = 64 << 10

// expand replaces the references of text. escape, when set, is applied to what they stand for.
func (l *loader) expand(text string, escape func(string) string) (string, error) {
	if !strings.Contains(text, "${") {
		return text, nil
	}
	var out strings.Builder
	for {
		start := strings.Index(text, "${")
		if start < 0 {
			out.WriteString(text)
			return out.String(), nil
		}
		if start > 0 && text[start-1] == '$' {
			out.WriteString(text[:start-1] + "${")
			text = text[start+2:]
			continue
		}
		out.WriteString(text[:start])
		inside, rest, closed := strings.Cut(text[start+2:], "}")
		if !closed {
			return "", errcode.With(fmt.Errorf("the reference ${ is never closed: write ${NAME} or ${file:PATH}, or $${ for the characters themselves"), errcode.InvalidReference)
		}
		found, err := l.lookup(inside)
		if err != nil {
			return "", err
		}
		if escape != nil {
			found = escape(found)
		}
		out.WriteString(found)
		text = rest
	}
}

func (l *loader) lookup(reference string) (string, error) {
	if path, isFile := strings.CutPrefix(reference, "file:"); isFile {
		return l.readReferenced(path)
	}
	if !variableName.MatchString(reference) {
		return "", errcode.With(fmt.Errorf("${%s} is no reference: write ${NAME} or ${file:PATH}, or $${ for the characters themselves", reference), errcode.InvalidReference)
	}
	found, set := l.env(reference)
	switch {
	case !set:
		return "", errcode.With(fmt.Errorf("the environment variable %s is not set%s", reference, l.nearVariable(reference)), errcode.UnsetVariable)
	case found == "":
		return "", errcode.With(fmt.Errorf("the environment variable %s is set and empty: give it its value", reference), errcode.UnsetVariable)
	}
	return found, nil
}

// nearVariable ends the sentence about a variable that is not set.
func (l *loader) nearVariable(name string) string {
	var there []string
	for _, usual := range []string{"WHATSAPP_ACCESS_TOKEN", "WHATSAPP_APP_SECRET", "WHATSAPP_VERIFY_TOKEN", "DATABASE_PASSWORD", "NOTIFY_SECRET", "REPLIES_SECRET"} {
		if _, set := l.env(usual); set {
			there = append(there, usual)
		}
	}
	if near := spelling.Nearest(name, there); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ": set it before permesso starts, or take the value from a file with ${file:PATH}"
}

func (l *loader) readReferenced(path string) (string, error) {
	if path == "" {
		return "", errcode.With(fmt.Errorf("${file:} names no file"), errcode.InvalidReference)
	}
	full := l.resolve(path)
	l.trail.files = append(l.trail.files, full)
	stat, err := os.Stat(full)
	if err != nil {
		return "", errcode.With(fmt.Errorf("the file %q cannot be read: %w", path, reason(err)), errcode.UnreadableReference)
	}
	if stat.IsDir() {
		return "", errcode.With(fmt.Errorf("%q is a folder: name the file in it that holds the value", path), errcode.UnreadableReference)
	}
	if !stat.Mode().IsRegular() || stat.Size() > maxReferenced {
		return "", errcode.With(fmt.Errorf("%q is not a file of at most %d KiB", path, maxReferenced>>10), errcode.UnreadableReference)
	}
	content, err := os.ReadFile(full)
	if err != nil {
		return "", errcode.With(fmt.Errorf("the file %q cannot be read: %w", path, reason(err)), errcode.UnreadableReference)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	if text == "" {
		return "", errcode.With(fmt.Errorf("the file %q is empty", path), errcode.UnreadableReference)
	}
	return text, nil
}

// resolve reads a relative path from the folder of config.yaml.
func (l *loader) resolve(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(l.folder, path)
}
