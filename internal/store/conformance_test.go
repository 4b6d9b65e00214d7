package store_test

import (
	"testing"

	"github.com/permesso/permesso/internal/store"
	"github.com/permesso/permesso/internal/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Databases(t, func(t *testing.T, target string) {
		storetest.Run(t, func(t *testing.T) *store.Store { return storetest.Open(t, storetest.Beside(t, target)) })
	})
}
