package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/permesso/permesso/internal/errcode"
)

// instanceFile is what state_dir remembers, outside the database, of the installation that it belongs to.
type instanceFile struct {
	Instance string `json:"instance"`
}

// noteInstance writes the instance file of a new installation. For one that is there already it reports whether it
// names this database: another one was restored, cloned, or moved here.
func noteInstance(stateDir, instance string) (same bool, err error) {
	path := filepath.Join(stateDir, "instance.json")
	content, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, writeInstance(stateDir, path, instance)
	case err != nil:
		return false, errcode.With(fmt.Errorf("reading the instance file: %w", err), errcode.StateDirUnusable)
	}
	var known instanceFile
	if err := json.Unmarshal(content, &known); err != nil {
		return false, errcode.With(fmt.Errorf("reading the instance file %s: %w", path, err), errcode.StateDirUnusable)
	}
	return known.Instance == instance, nil
}

func writeInstance(stateDir, path, instance string) error {
	content, err := json.Marshal(instanceFile{Instance: instance})
	if err != nil {
		return errcode.With(fmt.Errorf("writing the instance file: %w", err), errcode.StateDirUnusable)
	}
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return errcode.With(fmt.Errorf("making state_dir: %w", err), errcode.StateDirUnusable)
	}
	if err := os.WriteFile(path, append(content, '\n'), 0o600); err != nil {
		return errcode.With(fmt.Errorf("writing the instance file: %w", err), errcode.StateDirUnusable)
	}
	return nil
}
