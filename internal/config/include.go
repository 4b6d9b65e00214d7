package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/permesso/permesso/internal/errcode"
)

// readIncludes reads the campaign files that include names, each once, in the order of the patterns and then of their
// names.
func (l *loader) readIncludes(v value) {
	patterns, ok := v.list("a list of files, such as [campaigns/*.yaml]")
	if !ok {
		return
	}
	own := filepath.Join(l.folder, filepath.Base(l.cfg.File))
	seen := map[string]value{}
	for _, v := range patterns {
		pattern, ok := v.text("a file, or files such as campaigns/*.yaml")
		if !ok {
			continue
		}
		for _, path := range v.matches(pattern) {
			if path == own {
				v.fail(errcode.IncludeOfMoreThanCampaigns, "%s includes the file that it stands in: give the campaigns a folder of their own", pattern)
				continue
			}
			if first, twice := seen[path]; twice {
				v.warn(errcode.IncludedTwice, "%s is included already, by %s on %s; it is read once, so this changes nothing", filepath.Base(path), first.node.Value, first.where(v))
				continue
			}
			seen[path] = v
			l.readIncluded(v, path)
		}
	}
}

// matches returns the files of a pattern. None at all is a mistake: campaigns that are not found would silently not go
// out.
func (v value) matches(pattern string) []string {
	full := pattern
	if !filepath.IsAbs(full) {
		full = filepath.Join(globQuote(v.l.folder), pattern)
	}
	v.l.trail.patterns = append(v.l.trail.patterns, full)
	paths, err := filepath.Glob(full)
	if err != nil {
		v.l.campaignsUnread = true
		v.fail(errcode.IncludeWithoutMatch, "%q is no pattern of files: write one such as campaigns/*.yaml", pattern)
		return nil
	}
	files := slices.DeleteFunc(slices.Clone(paths), func(path string) bool {
		stat, err := os.Stat(path)
		return err == nil && stat.IsDir()
	})
	switch {
	case len(files) > 0:
		return files
	case len(paths) > 0:
		v.fail(errcode.IncludeWithoutMatch, "%s is a folder: write %s/*.yaml for the files in it", pattern, strings.TrimRight(pattern, "/"))
	default:
		v.fail(errcode.IncludeWithoutMatch, "no file matches %s: write one, or remove it here", pattern)
	}
	v.l.campaignsUnread = true
	return nil
}

// globQuote takes a folder's name literally, whatever it is called.
func globQuote(folder string) string {
	if filepath.Separator == '\\' {
		return folder // there is no quoting there, and names hold no * or ?
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(folder)
}

// inclusion is a file with the pattern that it was found by.
type inclusion struct {
	pattern value
	file    string
}

func (l *loader) readIncluded(from value, path string) {
	data, err := readFile(path)
	if err != nil {
		l.campaignsUnread = true
		from.fail(errcode.UnreadableReference, "the file %q cannot be read: %v", filepath.Base(path), reason(err))
		return
	}
	shown := path
	if relative, err := filepath.Rel(l.folder, path); err == nil && !filepath.IsAbs(from.node.Value) {
		shown = filepath.Join(filepath.Dir(l.cfg.File), relative)
	}
	l.files = append(l.files, shown)
	l.included = append(l.included, inclusion{from, shown})
	root, ok := l.open(shown, data)
	if !ok {
		l.campaignsUnread = true
		return
	}
	if root.node.Kind == yaml.SequenceNode {
		root.path = "campaigns"
		l.readCampaignList(root)
		return
	}
	entries, ok := root.entries("campaigns: with a list, or the list alone")
	if !ok {
		return
	}
	for _, e := range entries {
		if e.key == "campaigns" {
			l.readCampaignList(e.val)
			continue
		}
		if _, known := rootKeys.key(e.key); known {
			e.name.fail(errcode.IncludeOfMoreThanCampaigns, "%s belongs in %s: an included file holds campaigns only", e.key, l.cfg.File)
			continue
		}
		code, hint := includedKeys.hint(e.key)
		e.name.fail(code, "unknown key %q%s", e.key, hint)
	}
}

// reason is what went wrong with a file, without its path, which the sentence around it names.
func reason(err error) error {
	if failure, ok := errors.AsType[*fs.PathError](err); ok {
		return failure.Err
	}
	return err
}
