// Package migrations owns the database's shape: one numbered SQL file per step and database, embedded.
package migrations

import "embed"

//go:embed postgres/*.sql sqlite/*.sql
var files embed.FS

// Files returns the migrations, in the folders "postgres" and "sqlite".
func Files() embed.FS { return files }
