package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/internal/spelling"
)

// section is one mapping of the configuration with every key it may hold.
type section struct {
	path string // campaigns[].schedule; "" is the root
	says string // one sentence, which editors show
	keys []key
	// oneOf are the keys of which exactly one must be there. beside is a key that goes with besideOnly alone of them.
	oneOf              []string
	beside, besideOnly string
	filled             bool // at least one of its keys must be there
}

// key is one key.
type key struct {
	name     string
	says     string // one sentence, which editors show
	form     form
	required bool
	fallback any // what holds while the key is absent and the loader fills something in; nil is nothing
}

func sections() []section {
	return []section{
		rootKeys, businessKeys, listenKeys, graphKeys, numberKeys, categoryKeys, policyKeys, capKeys, quietKeys, countryKeys, optOutKeys, optInKeys, approvalKeys, notifyKeys, repliesKeys, retentionKeys,
		campaignKeys, guardKeys, scheduleKeys, windowKeys, parameterKeys, headerKeys, pictureKeys, documentKeys, valueKeys, buttonKeys,
	}
}

func (s section) key(name string) (key, bool) {
	for _, k := range s.keys {
		if k.name == name {
			return k, true
		}
	}
	return key{}, false
}

func (s section) names() []string {
	var names []string
	for _, k := range s.keys {
		names = append(names, k.name)
	}
	return names
}

func (s section) want() string {
	names := s.names()
	if len(names) > 8 {
		return "a group of keys such as " + strings.Join(names[:3], ", ")
	}
	return "a group of keys: " + strings.Join(names, ", ")
}

// near returns the key that name is a slip of, "" when there is none.
func (s section) near(name string) string {
	all := make([]string, len(s.keys))
	for i, k := range s.keys {
		all[i] = k.name
	}
	return spelling.Nearest(name, all)
}

// hint helps with a key that the section does not have: a slip of the hand, then a key of another level, then the list.
func (s section) hint(name string) (errcode.Code, string) {
	if near := s.near(name); near != "" {
		return errcode.UnknownKey, fmt.Sprintf("; did you mean %q?", near)
	}
	var elsewhere []string
	for _, other := range sections() {
		if _, found := other.key(name); found && other.path != s.path {
			elsewhere = append(elsewhere, levelName(other.path))
		}
	}
	if len(elsewhere) > 0 {
		return errcode.MisplacedKey, " here: it belongs under " + orList(elsewhere)
	}
	for _, other := range sections() {
		if near := other.near(name); near != "" {
			return errcode.UnknownKey, fmt.Sprintf("; did you mean %q, under %s?", near, levelName(other.path))
		}
	}
	return errcode.UnknownKey, fmt.Sprintf(": %s takes %s", levelName(s.path), strings.Join(s.names(), ", "))
}

func levelName(path string) string {
	if path == "" {
		return "the top level"
	}
	return strings.NewReplacer("[]", "", ".*", "").Replace(path)
}

// orList writes a, b or c.
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// suggest is nearest as the end of a sentence.
func suggest(word string, candidates []string) string {
	slices.Sort(candidates)
	if near := spelling.Nearest(word, candidates); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	if len(candidates) > 0 && len(candidates) <= 8 {
		return fmt.Sprintf("; write %s", orList(candidates))
	}
	return ""
}
