package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

const aName = `[A-Za-z_][A-Za-z0-9_]*`

// A reference is ${NAME} or ${file:PATH}; $${ is the two characters ${ themselves.
var (
	variableName  = regexp.MustCompile(`^` + aName + `$`)
	onlyReference = regexp.MustCompile(`^\$\{[^{}]+\}$`)
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
			return "", fmt.Errorf("the reference ${ is never closed: write ${NAME} or ${file:PATH}, or $${ for the characters themselves")
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
		return "", fmt.Errorf("${%s} is no reference: write ${NAME} or ${file:PATH}, or $${ for the characters themselves", reference)
	}
	found, set := l.env(reference)
	switch {
	case !set:
		return "", fmt.Errorf("the environment variable %s is not set", reference)
	case found == "":
		return "", fmt.Errorf("the environment variable %s is empty", reference)
	}
	return found, nil
}

func (l *loader) readReferenced(path string) (string, error) {
	if path == "" {
		return "", fmt.Errorf("${file:} names no file")
	}
	full := l.resolve(path)
	stat, err := os.Stat(full)
	if err != nil {
		return "", fmt.Errorf("the file %q cannot be read: %w", path, reason(err))
	}
	if !stat.Mode().IsRegular() || stat.Size() > maxReferenced {
		return "", fmt.Errorf("%q is not a file of at most %d KiB", path, maxReferenced>>10)
	}
	content, err := os.ReadFile(full)
	if err != nil {
		return "", fmt.Errorf("the file %q cannot be read: %w", path, reason(err))
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	if text == "" {
		return "", fmt.Errorf("the file %q is empty", path)
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
