package store_test

import (
	"testing"

	"github.com/permesso/permesso/internal/store/storetest"
)

// TestErasureLeavesNothing erases a person who left something in every table, and looks for it everywhere.
func TestErasureLeavesNothing(t *testing.T) {
	storetest.Databases(t, storetest.Erasure)
}
