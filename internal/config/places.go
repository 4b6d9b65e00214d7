package config

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/permesso/permesso/internal/errcode"
)

// readPlaces reads where things are kept and reached: database, state_dir, public_url.
func (l *loader) readPlaces(root object) {
	cfg := l.cfg
	cfg.Database = "sqlite:" + l.resolve(strings.TrimPrefix(defaultDatabase, "sqlite:"))
	if v, found := root.get("database"); found {
		cfg.Database, _ = v.database()
	}
	cfg.StateDir = l.resolve(defaultStateDir)
	if v, found := root.get("state_dir"); found {
		if text, ok := v.text("a folder such as .permesso"); ok {
			cfg.StateDir = l.resolve(text)
		}
	}
	if v, found := root.get("public_url"); found {
		cfg.PublicURL, _ = v.webAddress()
	}
}

const wantDatabase = "sqlite:PATH or postgres://user@host:5432/name?sslmode=verify-full"

func (v value) database() (string, bool) {
	if _, ok := v.text(wantDatabase); !ok {
		return "", false
	}
	// A password from the environment is put into an address: its own @ and / must not become the address's.
	escape := func(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
	if onlyReference.MatchString(v.node.Value) || strings.HasPrefix(v.node.Value, "sqlite:") {
		escape = nil
	}
	text, err := v.l.expand(v.node.Value, escape)
	if err != nil {
		v.failErr(err)
		return "", false
	}
	if path, isSQLite := strings.CutPrefix(text, "sqlite:"); isSQLite {
		return v.sqlite(path)
	}
	if strings.HasPrefix(text, "postgres://") || strings.HasPrefix(text, "postgresql://") {
		return v.postgres(text)
	}
	v.fail(errcode.InvalidDatabase, "%s must be %s", v.name(), wantDatabase)
	return "", false
}

func (v value) sqlite(path string) (string, bool) {
	switch {
	case strings.TrimSpace(path) == "":
		v.fail(errcode.InvalidDatabase, "database names no file: write sqlite:permesso.db")
	case strings.Contains(path, ":memory:"):
		v.fail(errcode.InvalidDatabase, "a database in memory forgets every opt-out when the program ends: name a file, sqlite:permesso.db")
	case strings.HasPrefix(path, "//"):
		v.fail(errcode.InvalidDatabase, "after sqlite: comes a path, not //: write sqlite:permesso.db or sqlite:/var/lib/permesso.db")
	case strings.ContainsAny(path, "?#"):
		v.fail(errcode.InvalidDatabase, "a SQLite file takes no options, so its name cannot hold ? or #")
	default:
		return "sqlite:" + v.l.resolve(path), true
	}
	return "", false
}

// writtenPassword finds a password also where an address cannot be read as one.
var writtenPassword = regexp.MustCompile(`://[^:/@\s]*:\S+@|[?&](?:ssl)?password=[^&\s]`)

// holdsPassword reports whether an address without its references holds a password, or part of one.
func holdsPassword(bare string) bool {
	parsed, err := url.Parse(bare)
	if err != nil {
		return writtenPassword.MatchString(bare)
	}
	query, err := url.ParseQuery(parsed.RawQuery)
	if err != nil {
		return writtenPassword.MatchString(bare)
	}
	user, _ := parsed.User.Password()
	return user+strings.Join(query["password"], "")+strings.Join(query["sslpassword"], "") != ""
}

func (v value) postgres(text string) (string, bool) {
	if bare := anyReference.ReplaceAllString(v.node.Value, ""); holdsPassword(bare) {
		if !writtenPassword.MatchString(bare) {
			v.hide() // in other letters no line is known to hold it
		}
		v.fail(errcode.SecretInTheClear, "the database's password stands here in the clear: write ${DATABASE_PASSWORD} in its place, and set that variable")
		return "", false
	}
	parsed, err := url.Parse(text)
	if err != nil || parsed.Host == "" && !parsed.Query().Has("host") || strings.Trim(parsed.Path, "/") == "" {
		// The parser's own message would repeat the password.
		v.fail(errcode.InvalidDatabase, "%s must be %s", v.name(), wantDatabase)
		return "", false
	}
	// lib/pq knows these four; its default has changed between versions, so there is none here.
	switch mode := parsed.Query().Get("sslmode"); mode {
	case "disable", "require", "verify-ca", "verify-full":
		return text, true
	case "":
		v.fail(errcode.DatabaseEncryption, "the database's address says nothing about encryption: add ?sslmode=verify-full (or verify-ca, require; disable only on one machine)")
	default:
		v.fail(errcode.DatabaseEncryption, "sslmode must be verify-full, verify-ca, require or disable, not %q", mode)
	}
	return "", false
}
