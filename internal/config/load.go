package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/permesso/permesso/internal/errcode"
	"github.com/permesso/permesso/policy"
)

// Load reads the file at path and the files that it includes. env answers for ${NAME}; os.LookupEnv is the usual one.
// The error is a *Problems with every mistake at once, or says which file could not be read and wraps why.
func Load(path string, env func(name string) (string, bool)) (*Config, error) {
	l, data, err := begin(path, env)
	if err != nil {
		return nil, err
	}
	return l.load(data)
}

// begin reads the file at path for a loader that knows where it is.
func begin(path string, env func(string) (string, bool)) (*loader, []byte, error) {
	data, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, errcode.With(fmt.Errorf("there is no configuration at %s (`permesso init` writes one): %w", path, err), errcode.ConfigurationMissing)
	}
	if err != nil {
		return nil, nil, errcode.With(fmt.Errorf("the configuration %s cannot be read: %w", path, reason(err)), errcode.ConfigurationUnreadable)
	}
	folder, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, nil, fmt.Errorf("the folder of the configuration %s cannot be found: %w", path, err)
	}
	return newLoader(path, folder, env), data, nil
}

// readFile reads a file, and of one that is too large to be meant only as much as shows it.
func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	if stat, err := file.Stat(); err == nil && stat.IsDir() {
		return nil, errors.New("it is a folder")
	}
	return io.ReadAll(io.LimitReader(file, maxFileBytes+1))
}

func newLoader(path, folder string, env func(string) (string, bool)) *loader {
	return &loader{folder: folder, env: env, cfg: &Config{File: path, Rules: policy.Rules{Locations: policy.NewLocations()}, Keywords: policy.BuiltInKeywords()}, files: []string{path}, zones: policy.NewLocations()}
}

func (l *loader) load(data []byte) (*Config, error) {
	l.read(data)
	problems, more := l.finish(l.problems)
	warnings, _ := l.finish(l.warnings)
	if len(problems) > 0 {
		return nil, &Problems{All: problems, More: more, Warnings: warnings}
	}
	l.cfg.Warnings = warnings
	return l.cfg, nil
}

// loader is the state of one Load.
type loader struct {
	cfg      *Config
	folder   string // of config.yaml, absolute
	env      func(string) (string, bool)
	docs     []*document
	files    []string // in the order in which they were read
	trail    Trail    // what a change of would be noticed
	zones    *policy.Locations
	problems []Problem
	warnings []Problem

	// What later sections refer to. The maps hold everything that was named, also where it was named wrongly, so that
	// one mistake is not reported again at each of its uses; they are nil when the section itself could not be read.
	categories map[string]value
	numbers    map[string]value
	segments   map[string]value
	campaigns  map[string]value
	// ratesUnread is set when rates have mistakes: budgets cannot be judged then.
	ratesUnread bool
	// filtersUnread is set when attributes or segments have mistakes: filters cannot be judged then.
	filtersUnread bool
	// campaignsUnread is set when a list of campaigns could not be read: which there are is not known then.
	campaignsUnread bool
	// campaignCaps are the caps that name a campaign: campaigns are read last.
	campaignCaps []value
	quietHours   *policy.QuietHours
	// notifySecret and repliesSecret are those of notify and replies as they are written where they stand, for hiding them; the
	// configuration has what they decode to.
	notifySecret, repliesSecret Secret

	// What Effective goes through again: the whole, every campaign wherever it stands, and the included files.
	root            value
	campaignsInTurn []value
	included        []inclusion
}

// finish orders the problems, cuts them where nobody reads on, and adds the lines that they are about.
func (l *loader) finish(problems []Problem) (shown []Problem, more int) {
	shown = inOrder(problems, l.files)
	if len(shown) > maxProblems {
		shown, more = shown[:maxProblems], len(shown)-maxProblems
	}
	docs := make(map[string]*document, len(l.docs))
	for _, doc := range l.docs {
		docs[doc.file] = doc
	}
	type line struct {
		file   string
		number int
	}
	sources := map[line]string{}
	for i, p := range shown {
		at := line{p.File, p.Line}
		if _, known := sources[at]; !known {
			sources[at] = docs[p.File].source(p.Line)
		}
		shown[i].Source = sources[at]
	}
	return shown, more
}

// open parses one file; ok is false when its tree cannot be decoded.
func (l *loader) open(file string, data []byte) (value, bool) {
	doc := newDocument(file, data)
	l.docs = append(l.docs, doc)
	if wrong := parse(doc, data); wrong != nil {
		if wrong.message == emptyFile && file == l.cfg.File {
			wrong.message += ": `permesso init --force` writes one to start from"
		}
		line, column := doc.clamp(wrong.line, wrong.column)
		l.problems = append(l.problems, Problem{File: file, Line: line, Column: column, Severity: SeverityError, Code: wrong.code, Message: wrong.message})
		return value{}, false
	}
	raw := value{l: l, doc: doc, node: doc.root}
	return raw.at(raw.node, ""), raw.checkShape()
}

func (l *loader) read(data []byte) {
	root, ok := l.open(l.cfg.File, data)
	if !ok {
		return
	}
	o, ok := root.object(rootKeys)
	if !ok {
		return
	}
	cfg := l.cfg
	l.root = root
	l.readVersion(o)
	l.readBusiness(o)
	l.readPlaces(o)
	l.readListen(o)
	l.readGraph(o)
	l.readNumbers(o)
	l.readOptOut(o)
	l.readCategories(o)
	l.readAttributes(o)
	l.readSegments(o)
	l.readPolicy(o)
	l.readOptIn(o)
	l.readChat(o)
	l.readApprovals(o)
	l.readNotify(o)
	l.readReplies(o)
	l.readRetention(o)
	l.readTestPhones(o)
	l.readRates(o)
	if v, found := o.get("dry_run"); found {
		cfg.DryRun, _ = v.boolean()
	}
	l.readCampaigns(o)
	l.checkCampaignCaps()
}

func (l *loader) readVersion(o object) {
	v, found := o.require("version", "the file begins with version: 1")
	if !found {
		return
	}
	if version, ok := v.whole("1"); ok && version != 1 {
		v.fail(errcode.UnknownVersion, "version must be 1: this permesso does not know version %d", version)
	}
}
