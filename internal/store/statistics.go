package store

import (
	"context"
	"sync"
)

// growth counts what this process wrote to a table since its statistics were made.
type growth struct {
	mu    sync.Mutex
	rows  map[string]int
	limit map[string]int
}

const (
	firstLook  = 2000
	lookFactor = 8
)

// over adds rows to a table's count and reports whether it has grown past the next limit: 2,000 rows, 16,000, 128,000 and so on.
func (g *growth) over(table string, rows int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.rows == nil {
		g.rows, g.limit = map[string]int{}, map[string]int{}
	}
	if g.limit[table] == 0 {
		g.limit[table] = firstLook
	}
	g.rows[table] += rows
	if g.rows[table] < g.limit[table] {
		return false
	}
	for g.limit[table] <= g.rows[table] {
		g.limit[table] *= lookFactor
	}
	return true
}

// grew has the database look at tables that grew a lot. Without it PostgreSQL plans a new run's reads as if it had a few
// dozen rows, and reads all of it for each page, until autovacuum comes by. A failure costs speed alone.
func (s *Store) grew(ctx context.Context, rows int, tables ...string) {
	if s.dialect.analyze == "" {
		return
	}
	for _, table := range tables {
		if s.growth.over(table, rows) {
			_, _ = s.write.ExecContext(ctx, s.dialect.analyze+table)
		}
	}
}
