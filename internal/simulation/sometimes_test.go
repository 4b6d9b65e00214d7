package simulation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/permesso/permesso/internal/proof/reliability"
)

// sometimes counts the paths that were met, over all seeds of a test.
type sometimes struct {
	mu            sync.Mutex
	seen          map[string]int
	ended, failed int // seeds
}

// end counts a seed that is over.
func (s *sometimes) end(t *testing.T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended++
	if t.Failed() {
		s.failed++
	}
}

func (s *sometimes) note(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[string]int{}
	}
	s.seen[path]++
}

func (s *sometimes) count(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[path]
}

// report logs how often each path was met, and adds it to the results.
func (s *sometimes) report(t *testing.T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for _, path := range slices.Sorted(maps.Keys(s.seen)) {
		lines = append(lines, fmt.Sprintf("%7d %s", s.seen[path], path))
	}
	t.Logf("met, over %d seeds:\n%s", s.ended, strings.Join(lines, "\n"))
	if err := reliability.Append(reliability.Result{
		Day:   time.Now().UTC().Format(time.DateOnly),
		Lived: &reliability.Lived{Test: t.Name(), First: *firstSeed, Seeds: s.ended, Failed: s.failed, Met: s.seen},
	}); err != nil {
		t.Error(err)
	}
}
